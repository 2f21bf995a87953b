"""The types of problem that callers may meet: what each means, and what to do about it. `type` in the body of a refusal
leads to this description, which the API gives itself unless docs_url in tallygate.toml says who does."""

from html import escape
from typing import Final, NamedTuple

IANA: Final = "https://iana.org/assignments/http-problem-types#"
"""Of draft-ietf-httpapi-ratelimit-headers-11, section "Problem Types"."""
OURS: Final = "urn:problem-type:tallygate:"
"""Stands for wherever the types below are described."""


class ProblemType(NamedTuple):
    """`name` is its anchor. `meaning` and `remedy` are sentences."""

    name: str
    status: int
    meaning: str
    remedy: str


PROBLEM_TYPES: Final = (
    ProblemType(
        "quota-exceeded",
        429,
        "One or more limits are used up, for certain or by an estimate of the calls that are still being counted.",
        "Wait for Retry-After; `limits` says which they are and when each opens.",
    ),
    ProblemType(
        "temporary-reduced-capacity",
        503,
        "What was used cannot be read at the moment, and the plan says that calls wait until it can.",
        "Wait for Retry-After. The call was not charged.",
    ),
    ProblemType(
        "invalid-key",
        401,
        "The API key is malformed, unknown, revoked or expired; `detail` says which.",
        "Present another key in `x-api-key`, or none for the free tier.",
    ),
    ProblemType(
        "key-restricted",
        403,
        "The API key is good, but may not be used from this address or site; `restriction` says which.",
        "Call from where the key is meant to be used, or ask for other restrictions.",
    ),
    ProblemType(
        "address-blocked", 403, "Calls from this address are not answered.", "Ask whoever runs this API about it."
    ),
    ProblemType(
        "no-verdict",
        403,
        "The call reached the API without having been decided on: it is set up wrongly.",
        "Tell whoever runs this API.",
    ),
    ProblemType(
        "not-found",
        404,
        "There is nothing at this path, or not for this method.",
        "Look at the path. The call was charged.",
    ),
    ProblemType(
        "invalid-parameter",
        400,
        "A parameter is not what it must be; `parameter` names it, `detail` says what is valid.",
        "Correct it.",
    ),
    ProblemType(
        "too-many-reports",
        429,
        "Usage was asked for too often within a second. That is free of charge, but not of work.",
        "Wait for Retry-After.",
    ),
    ProblemType(
        "history-unavailable",
        503,
        "The exact counts of the past cannot be read at the moment.",
        "Wait for Retry-After.",
    ),
    ProblemType(
        "key-required",
        401,
        "Counters belong to an API key, and the call came without one.",
        "Present a key in `x-api-key`.",
    ),
    ProblemType(
        "counters-unavailable",
        503,
        "Counters cannot be read, or a sequence or an epoch cannot be written, at the moment.",
        "Wait for Retry-After. A number of a sequence may have been used up by the call.",
    ),
    ProblemType(
        "other-epoch",
        409,
        "A reset names an epoch that the counter has not come to.",
        "Read the counter: it says in which epoch it is.",
    ),
    ProblemType(
        "too-many-reset",
        409,
        "So many counters of the key were reset that their epochs take no more.",
        "Begin anew under another name, such as one with the month in it.",
    ),
    ProblemType(
        "internal",
        500,
        "The call failed on our side, after it was let through: it was counted.",
        "Try again later; quote `instance` when you ask about it.",
    ),
)


def described() -> str:
    """A page of HTML with a section for each type."""
    sections = "\n".join(
        f'<section id="{each.name}"><h2>{each.name} ({each.status})</h2>'
        f"<p>{escape(each.meaning, quote=False)}</p><p>{escape(each.remedy, quote=False)}</p></section>"
        for each in PROBLEM_TYPES
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Types of problem</title>\n'
        f"<h1>Types of problem</h1>\n{sections}\n</html>\n"
    )
