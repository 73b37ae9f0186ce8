"""Secrets that are handed out once and kept as digests.

They are 256 random bits, so a plain SHA-256 suffices: there is nothing to guess that a slow hash would
protect. A secret begins with the id of its row, by which it is found; what proves it is compared in constant
time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_SHAPE = re.compile(r"recog_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Secret:
    """A new secret: `text` is for its owner, `digest` for the file."""

    id: str
    text: str
    digest: bytes  # (32,)


def new() -> Secret:
    """A secret that nobody had before."""
    number = secrets.token_hex(8)
    text = f"recog_{number}_{secrets.token_urlsafe(32)}"
    return Secret(number, text, digest(text))


def id_of(text: str) -> str | None:
    """The id in a secret; None for anything that is none."""
    found = _SHAPE.fullmatch(text)
    return None if found is None else found[1]


def digest(text: str) -> bytes:
    """What the file keeps of a secret."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def proves(text: str, kept: bytes) -> bool:
    """Whether this is the secret with that digest; takes as long either way."""
    return hmac.compare_digest(digest(text), kept)
