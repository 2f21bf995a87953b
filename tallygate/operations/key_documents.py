"""What is sent to the operators' API about keys, what it answers, and what it says when it cannot: as documents.py, for
functions/ops.
"""

from typing import NotRequired

from typing_extensions import TypedDict

from tallygate.operations.documents import KeyDocument


class KeyChange(TypedDict):
    """What may be changed about a key."""

    plan: NotRequired[str]
    note: NotRequired[str | None]
    """One line of up to 256 characters; null for none."""
    expires: NotRequired[str | None]
    """A day, or a time in UTC, to come; null for never."""
    referers: NotRequired[list[str]]
    """Hosts that may present it, or `*.` and a domain for its subdomains; empty for any. At most 20."""
    addresses: NotRequired[list[str]]
    """Ranges that it may come from (CIDR); empty for any. At most 20."""


class NewKey(TypedDict):
    """A key to be given out."""

    owner: str
    """One line of up to 128 characters."""
    plan: str
    note: NotRequired[str | None]
    expires: NotRequired[str | None]
    referers: NotRequired[list[str]]
    addresses: NotRequired[list[str]]


class ImportedKey(NewKey):
    """A key that was given out elsewhere."""

    hash: str
    """SHA-256 of the whole secret, in hex. No secret is sent here."""


class Rotation(TypedDict):
    """How a key is taken over."""

    overlap_seconds: NotRequired[int]
    """For how long the old one stays good; a day where it is absent."""


class CreatedKey(KeyDocument):
    """A new key."""

    secret: str
    """What callers present. It is in no other answer, and kept nowhere."""


class RotatedKey(CreatedKey):
    """The key that takes over."""

    predecessor: KeyDocument


class KeyPage(TypedDict):
    """Some keys."""

    keys: list[KeyDocument]
    cursor: str | None
    """Leads to the page that follows; null after the last."""


class ProblemDocument(TypedDict):
    """Why a call was not done (RFC 9457)."""

    type: str
    """A URN that names the kind of problem; the same for all of its kind."""
    title: str
    status: int
    detail: str
    field: NotRequired[str]
    """The field of a key that cannot be taken."""
    parameter: NotRequired[str]
    """The parameter that cannot be; `detail` says what is valid."""
    key: NotRequired[str]
    """The key that a request with this token made."""
    region: NotRequired[str]
    """Where what cannot be read is."""
