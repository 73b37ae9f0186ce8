"""People who leave the gallery by themselves, some time after they were last enrolled."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from gallery import Gallery

_log = logging.getLogger(__name__)


def expire(people: Gallery, days: float, now: datetime | None = None) -> list[str]:
    """Remove, for good, everybody whose newest photograph was added longer ago than that; their names.

    A clock that is set forward removes people too soon.

    Args:
        now: with a time zone; by default the time it is.

    Raises:
        GalleryError: the gallery cannot be written.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    gone = [each.name for each in people.people() if datetime.fromisoformat(each.last_added) < before]
    for name in gone:
        people.remove(name)
    if gone:
        _log.info("%d people left the gallery: last enrolled more than %g days ago", len(gone), days)
    return gone
