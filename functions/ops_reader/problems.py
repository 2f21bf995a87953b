"""What cannot be answered, as problem details (RFC 9457)."""

from tallygate.aws.ops_answers import problem
from tallygate.core.history import InvalidParameterError
from tallygate.core.problems import Problem
from tallygate.operations.errors import UnknownOwnerError, UnreachableError


def problem_of(error: Exception) -> Problem | None:
    """What the caller is told of an error; None for one that nobody foresaw."""
    match error:
        case InvalidParameterError():
            detail = str(error)
            return problem(400, "invalid-parameter", "Invalid parameter", detail, parameter=error.parameter)
        case UnknownOwnerError():
            return problem(404, "unknown-owner", "No such owner", "Nobody of this name has a key, or used a quota.")
        case UnreachableError():
            detail = f"{error.what} in {error.region} cannot be read now. What is missing would look like nothing."
            return problem(503, "unreachable", "Unreachable", detail, retry=error.may_pass, region=error.region)
    return None
