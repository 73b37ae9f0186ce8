"""Ids and times as the service gives them out."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


def new_id() -> str:
    """An id that nothing else has, 26 characters; later ones sort after earlier ones (ULID)."""
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def now() -> str:
    """The time as the service tells and keeps it: `2026-11-28T14:00:00.000Z`."""
    return utc(datetime.now(UTC))


def utc_of(text: str) -> str:
    """A time with its zone in ISO 8601, as the gallery keeps it, as the service tells it."""
    return utc(datetime.fromisoformat(text))


def utc(moment: datetime) -> str:
    """A moment with a zone as text: ISO 8601, UTC, to the millisecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
