"""Giving out, changing, rotating and revoking API keys: the one place that the command and the API go through.

Each step reads a profile, says what it becomes, and has it written on condition that it is still what was read,
together with a record of who did it.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeVar

from tallygate.core.audit import Change, difference
from tallygate.core.credentials import ACTIVE
from tallygate.core.key_profile import KeyProfile
from tallygate.core.keys import KEY_ID_CHARS, is_same_hash, mint, secret_hash
from tallygate.core.lines import format_timestamp
from tallygate.core.names import pk_of

Result = TypeVar("Result")

ATTEMPTS: Final = 8
"""Each that fails means that another change was written."""
HOUR_MS: Final = 3_600_000
MAX_OVERLAP_MS: Final = 90 * 24 * HOUR_MS
DEFAULT_OVERLAP_MS: Final = 24 * HOUR_MS


class KeyAdminError(Exception):
    """A request that cannot be carried out, and that no repetition will help."""


class UnknownKeyError(KeyAdminError):
    """There is no profile with this id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no key {id}")
        self.id = id


class KeyExistsError(KeyAdminError):
    """A profile with this id is there already; it stays as it is."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there is a key {id} already")
        self.id = id


class UnknownPlanError(KeyAdminError):
    """No plan for keys has this name."""

    def __init__(self, plan: str, plans: Collection[str]) -> None:
        known = f"plans for keys are {', '.join(sorted(plans))}" if plans else "there are none yet"
        super().__init__(f"{plan!r} is no plan for keys; {known}")
        self.plan, self.plans = plan, plans


class KeyStateError(KeyAdminError):
    """The key is not in a state in which that can be done."""


class TokenUsedError(KeyAdminError):
    """A request with this token was carried out before, and made the key `id`. Its secret was shown then."""

    def __init__(self, id: str) -> None:
        super().__init__(f"this request was carried out already: it made key {id}, whose secret was shown then")
        self.id = id


class StaleError(Exception):
    """The profile is not what was read any more: nothing was written, and trying again may help."""


class BusyError(Exception):
    """Others changed the same key again and again; nothing was written. Trying again may help."""


class StoredProfile(NamedTuple):
    """A profile, and the hash of its secret."""

    profile: KeyProfile
    hash: str


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, and a token with which they may ask again without its being done again."""

    token: str
    key: str


@dataclass(frozen=True, slots=True)
class Edit:
    """What is written at once: a new profile, a changed one, or both; and the records of it."""

    changes: tuple[Change, ...]
    added: StoredProfile | None = None
    changed: tuple[KeyProfile, KeyProfile] | None = None
    request: Request | None = None


class Keys(Protocol):
    """Where profiles are kept."""

    def find(self, id: str) -> StoredProfile | None:
        """The profile of a key as it is now; None when there is none."""
        ...

    def write(self, edit: Edit, now_ms: int) -> None:
        """Write all of it or nothing. KeyExistsError when what is added is there, StaleError when what is changed is
        not what it was, TokenUsedError."""
        ...


class Issued(NamedTuple):
    """A key that was given out. The secret is known here and nowhere else."""

    secret: str
    profile: KeyProfile


class Rotated(NamedTuple):
    """A key that took over from another."""

    secret: str
    profile: KeyProfile
    predecessor: KeyProfile


@dataclass(frozen=True, slots=True)
class KeyAdmin:
    """The keys of one stage. `plans` asks for the names of plans for keys; `choice` draws a character of a string."""

    keys: Keys
    plans: Callable[[], Collection[str]]
    stage: str
    choice: Callable[[str], str] = field(repr=False)

    def create(self, fields: Mapping[str, Any], now_ms: int, token: str | None = None) -> Issued:
        """Give out a key with these fields of a profile, `owner` and `plan` at least. UnknownPlanError, TokenUsedError
        when this was asked for with the same token before."""
        self._check_plan(fields["plan"])
        secret = mint(self.stage, self.choice)
        stored = _new(secret_hash(secret), fields, now_ms)
        id = stored.profile.id
        request = Request(token, id) if token is not None else None
        change = _change("key.create", id, None, stored.profile, now_ms)
        self._attempt(id, lambda: self.keys.write(Edit((change,), stored, request=request), now_ms))
        return Issued(secret, stored.profile)

    def take(
        self, hash: str, fields: Mapping[str, Any], now_ms: int, *, dry_run: bool = False
    ) -> Literal["taken", "kept"]:
        """Take over a key that was given out elsewhere, by the hash of its secret. `kept`: it is here already, and
        stays as it is. `dry_run`: only say so. UnknownPlanError; KeyExistsError when another key has its id."""
        self._check_plan(fields["plan"])
        stored = _new(hash, fields, now_ms)
        id = stored.profile.id

        def kept_or_taken() -> Literal["taken", "kept"]:
            there = self.keys.find(id)
            if there is None:
                change = _change("key.import", id, None, stored.profile, now_ms)
                try:
                    if not dry_run:
                        self.keys.write(Edit((change,), stored), now_ms)
                except KeyExistsError:
                    raise StaleError(id) from None  # made since the look; perhaps the same
                return "taken"
            if not is_same_hash(there.hash, hash):
                raise KeyExistsError(id)
            return "kept"

        return self._attempt(id, kept_or_taken)

    def change(self, id: str, fields: Mapping[str, Any], now_ms: int) -> KeyProfile:
        """Change fields of a profile. UnknownKeyError, UnknownPlanError, BusyError; KeyStateError when it is
        revoked."""
        if "plan" in fields:
            self._check_plan(fields["plan"])

        def changed(profile: KeyProfile) -> KeyProfile:
            if profile.status != ACTIVE:
                raise KeyStateError(f"key {id} is revoked: nothing of it can be changed")
            return replace(profile, **fields)

        return self._write("key.change", id, changed, now_ms)

    def revoke(self, id: str, now_ms: int) -> KeyProfile:
        """Refuse a key from now on; every region knows within 30 s. UnknownKeyError, BusyError."""
        return self._write("key.revoke", id, KeyProfile.revoked, now_ms)

    def rotate(self, id: str, overlap_ms: int, now_ms: int) -> Rotated:
        """Give out a key that takes over from key `id`: owner, plan, restrictions, expiry and counts are the same. The
        old one is good for `overlap_ms` longer, and never longer than it would have been. UnknownKeyError, BusyError;
        KeyStateError when it is not good any more, or was rotated already: a line of rotations does not branch."""

        def take_over() -> Rotated:
            old = self._find(id)
            state = old.state(now_ms)
            if old.rotated_to is not None:
                raise KeyStateError(f"key {id} was rotated to {old.rotated_to}: rotate that one")
            if state != "active":
                raise KeyStateError(f"key {id} is {state}: give out a new one")
            secret = mint(self.stage, self.choice)
            fields = {name: getattr(old, name) for name in _TAKEN_OVER}
            new = _new(secret_hash(secret), {**fields, "rotated_from": id, "counted_as": old.counted_under}, now_ms)
            until_ms = now_ms + overlap_ms
            until_ms = until_ms if old.expires_ms is None else min(until_ms, old.expires_ms)
            ended = replace(old, expires_ms=until_ms, rotated_to=new.profile.id)
            changes = (
                _change("key.rotate", id, old, ended, now_ms),
                _change("key.create", new.profile.id, None, new.profile, now_ms),
            )
            self.keys.write(Edit(changes, new, (old, ended)), now_ms)
            return Rotated(secret, new.profile, replace(ended, revision=ended.revision + 1))

        return self._attempt(id, take_over)

    def _write(
        self,
        action: Literal["key.change", "key.revoke"],
        id: str,
        become: Callable[[KeyProfile], KeyProfile],
        now_ms: int,
    ) -> KeyProfile:

        def write() -> KeyProfile:
            before = self._find(id)
            after = become(before)
            if after == before:
                return before
            self.keys.write(Edit((_change(action, id, before, after, now_ms),), changed=(before, after)), now_ms)
            return replace(after, revision=after.revision + 1)

        return self._attempt(id, write)

    def _attempt(self, id: str, carry_out: Callable[[], Result]) -> Result:
        """What `carry_out` comes to, once nobody else is writing the same."""
        for _ in range(ATTEMPTS):
            with suppress(StaleError):
                return carry_out()
        raise BusyError(id)

    def _find(self, id: str) -> KeyProfile:
        stored = self.keys.find(id)
        if stored is None:
            raise UnknownKeyError(id)
        return stored.profile

    def _check_plan(self, plan: str) -> None:
        plans = self.plans()
        if plan not in plans:
            raise UnknownPlanError(plan, plans)


_TAKEN_OVER: Final = ("owner", "plan", "note", "expires_ms", "referers", "addresses", "overrides")


def _new(hash: str, fields: Mapping[str, Any], now_ms: int) -> StoredProfile:
    created = {"status": ACTIVE, "created": format_timestamp(now_ms)}
    return StoredProfile(KeyProfile(id=hash[:KEY_ID_CHARS], **{**created, **fields}), hash)


def _change(
    action: Literal["key.create", "key.import", "key.rotate", "key.change", "key.revoke"],
    id: str,
    before: KeyProfile | None,
    after: KeyProfile,
    now_ms: int,
) -> Change:
    if before is None:
        return Change(action, pk_of("key", id), None, after.document(now_ms))
    return Change(action, pk_of("key", id), *difference(before.document(now_ms), after.document(now_ms)))
