"""API keys: `tg_<stage>_<30 base62><6 base62 of CRC-32>`, e.g. `tg_prod_` and 36 letters and digits.

The checksum lets a mistyped or made-up key be refused without a read; it proves nothing. The secret itself is never
stored or logged: its key id names it in counts and lines, and the profile holds the whole hash.
"""

import hashlib
import hmac
import re
import zlib
from collections.abc import Callable
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX: Final = "tg_"
RANDOM_CHARS: Final = 30
"""178 bits: out of reach of guessing, whatever the rate."""
CHECKSUM_CHARS: Final = 6
"""62**6 is more than 2**32."""
KEY_ID_CHARS: Final = 16
"""64 bits of the hash: two of a million keys share an id with a chance of 3 in 10**8, and the whole hash is compared
after it."""
MAX_STAGE_CHARS: Final = 32

_STAGE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_SECRET = re.compile(
    rf"{PREFIX}(?P<stage>{_STAGE.pattern})_[0-9A-Za-z]{{{RANDOM_CHARS}}}(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_CHARS}}})"
)
_MAX_CHARS: Final = len(PREFIX) + MAX_STAGE_CHARS + 1 + RANDOM_CHARS + CHECKSUM_CHARS


def mint(stage: str, choice: Callable[[str], str]) -> str:
    """A new secret for `stage`. `choice` draws one character of a string: `secrets.choice`, or a seeded one in a test.
    ValueError when `stage` is not lower-case words joined by hyphens, or longer than MAX_STAGE_CHARS."""
    if len(stage) > MAX_STAGE_CHARS or not _STAGE.fullmatch(stage):
        raise ValueError(f"a stage is lower-case letters, digits and single hyphens, not {stage!r}")
    body = f"{PREFIX}{stage}_" + "".join(choice(ALPHABET) for _ in range(RANDOM_CHARS))
    return body + _checksum(body)


def stage_of(text: str) -> str | None:
    """The stage that a well-formed secret was minted for; None when `text` is no secret of ours. Reads nothing."""
    if len(text) > _MAX_CHARS:
        return None
    match = _SECRET.fullmatch(text)
    if match is None or match["checksum"] != _checksum(text[:-CHECKSUM_CHARS]):
        return None
    return match["stage"]


def secret_hash(secret: str) -> str:
    """The whole SHA-256 of a secret, in hex: what a profile keeps. No salt: the secret has more entropy than the hash
    could hide."""
    return hashlib.sha256(secret.encode()).hexdigest()


def key_id(secret: str) -> str:
    """The public name of a secret: the first 16 hex digits of its hash."""
    return secret_hash(secret)[:KEY_ID_CHARS]


def is_same_hash(stored: str, presented: str) -> bool:
    """Whether two hashes are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(stored.encode(), presented.encode())


def _checksum(body: str) -> str:
    value, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_CHARS):
        value, digit = divmod(value, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
