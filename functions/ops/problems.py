"""What cannot be done, as problem details (RFC 9457)."""

from tallygate.aws.key_reader import InvalidCursorError
from tallygate.aws.ops_answers import problem
from tallygate.core.key_admin import (
    BusyError,
    KeyExistsError,
    KeyStateError,
    TokenUsedError,
    UnknownKeyError,
    UnknownPlanError,
)
from tallygate.core.key_fields import FieldError
from tallygate.core.problems import Problem


class NobodyError(Exception):
    """The gateway does not say who is calling: the route is not IAM-authorised."""


def problem_of(error: Exception) -> Problem | None:
    """What the caller is told of an error; None for one that nobody foresaw."""
    match error:
        case FieldError():
            return problem(400, "invalid-field", "Invalid field", str(error), field=error.field)
        case UnknownPlanError():
            return problem(400, "invalid-field", "Invalid field", f"plan: {error}", field="plan")
        case InvalidCursorError():
            return problem(400, "invalid-field", "Invalid field", f"cursor: {error}", field="cursor")
        case UnknownKeyError():
            return problem(404, "unknown-key", "No such key", "There is no key with this id.")
        case TokenUsedError():
            detail = "A request with this Idempotency-Key made a key and showed its secret. Rotate the key for another."
            return problem(409, "already-created", "Created already", detail, key=error.id)
        case KeyExistsError():
            return problem(409, "key-exists", "Another key has this id", str(error))
        case KeyStateError():
            return problem(409, "key-state", "Not possible in this state", str(error))
        case BusyError():
            detail = "Others are changing the same key at this moment; nothing was changed."
            return problem(503, "busy", "Busy", detail, retry=True)
        case NobodyError():
            return problem(403, "no-identity", "Not authorised", "The call did not come with an IAM identity.")
    return None
