"""Answers that are none, as problem details (RFC 9457), which the page shows in words."""

from collections.abc import Callable, Mapping

from starlette.responses import JSONResponse

from tallygate.core.history import InvalidParameterError
from tallygate.core.problems import CONTENT_TYPE
from tallygate.dashboard.answers import ANSWER_SECONDS, SlowAnswerError
from tallygate.operations.errors import UnknownOwnerError, UnreachableError

InWords = Callable[[Exception], str | None]
"""What went wrong and what to do next, for errors that can be expected; None for others, which are our fault."""


def problem(
    status: int,
    title: str,
    detail: str,
    more: Mapping[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem without a type of its own: the status says what kind it is."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **(more or {})}
    return JSONResponse(body, status, {"Cache-Control": "no-store", **(headers or {})}, media_type=CONTENT_TYPE)


def problem_of(error: Exception, in_words: InWords) -> JSONResponse | None:
    """Why a question is not answered; None for an error of ours."""
    match error:
        case InvalidParameterError():
            return problem(400, "Invalid parameter", str(error), {"parameter": error.parameter})
        case UnknownOwnerError():
            return problem(404, "Unknown owner", "Nobody of this name has a key, or ever used a quota.")
        case SlowAnswerError():
            return problem(504, "No answer yet", f"The tables did not answer within {ANSWER_SECONDS:.0f} s.")
        case UnreachableError():
            detail = in_words(error) or str(error)
            return problem(503 if error.may_pass else 502, "Cannot be read", detail, {"region": error.region})
    said = in_words(error)
    return problem(502, "Cannot be read", said) if said else None
