"""People who leave the gallery by themselves, some time after they were last enrolled."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from gallery import Gallery
from pipeline.words import counted_people

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
        _log.info("%s left the gallery: last enrolled more than %g days ago", counted_people(len(gone)), days)
    return gone
