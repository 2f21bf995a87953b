"""What may go wrong with a call. No error holds the key that the call was made with."""

from collections.abc import Mapping, Sequence
from typing import Any


class TallygateError(Exception):
    """A call that did not bring what was asked for."""


class NoAnswerError(TallygateError):
    """The API was not reached, or did not answer in time. It may have done what it was asked to."""


class ProblemError(TallygateError):
    """The API answered with a problem (RFC 9457). `fields` are all that it says; `retry_after_seconds` is None where it
    names no time to come back."""

    def __init__(self, status: int, fields: Mapping[str, Any], retry_after_seconds: int | None = None) -> None:
        self.status = status
        self.fields = fields
        self.type = str(fields.get("type") or "about:blank")
        self.title = str(fields.get("title") or "")
        self.detail = str(fields.get("detail") or fields.get("message") or "")
        self.instance = fields.get("instance")
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{status}: {self.detail or self.title or 'no reason was given'}")

    @property
    def name(self) -> str:
        """The last part of its type: `quota-exceeded`."""
        return self.type.rpartition("#")[2].rpartition(":")[2]


class QuotaExceededError(ProblemError):
    """429: one or more limits are used up."""

    @property
    def policies(self) -> Sequence[str]:
        """The limits in the way: `key-day`."""
        policies = self.fields.get("violated-policies")
        return tuple(map(str, policies)) if isinstance(policies, list) else ()

    @property
    def is_estimated(self) -> bool:
        """Whether the refusal rests on calls that are still being counted: it ends within seconds then."""
        limits = self.fields.get("limits")
        return (
            isinstance(limits, list)
            and bool(limits)
            and all(isinstance(limit, dict) and limit.get("estimated") is True for limit in limits)
        )


class InvalidRequestError(ProblemError):
    """400 or 409: what was asked for cannot be done."""

    @property
    def parameter(self) -> str | None:
        """What is not as it must be."""
        name = self.fields.get("parameter") or self.fields.get("field")
        return None if name is None else str(name)


class NotAuthorizedError(ProblemError):
    """401 or 403: the key, the signature or where the call came from is not good."""


class NotFoundError(ProblemError):
    """404."""


class UnavailableError(ProblemError):
    """503, or another 5xx: not at the moment."""


def problem_of(status: int, fields: Mapping[str, Any], retry_after_seconds: int | None) -> ProblemError:
    """The error for an answer that is none of success."""
    kind: type[ProblemError] = ProblemError
    if status == 429:
        kind = QuotaExceededError
    elif status in (400, 409):
        kind = InvalidRequestError
    elif status in (401, 403):
        kind = NotAuthorizedError
    elif status == 404:
        kind = NotFoundError
    elif status >= 500:
        kind = UnavailableError
    return kind(status, fields, retry_after_seconds)
