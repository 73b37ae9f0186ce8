"""Settings suited to a source: photographs, a film of a moment, one whose faces are covered."""

from __future__ import annotations

from pipeline.config import Settings
from pipeline.sources.base import Source
from pipeline.tracking.cadence import PERIOD

MOMENT = 0.75  # seconds of a film in which a face is not looked at often enough to be decided


def for_stills(settings: Settings) -> Settings:
    """Photographs are judged one by one: one sighting, one look at every face, and nothing carries over."""
    return settings.model_copy(
        update={
            "det": settings.det.model_copy(update={"every": 1}),
            "track": settings.track.model_copy(update={"confirm": 1, "patience": 0.5}),
            "attention": settings.attention.model_copy(update={"budget": settings.det.max_faces}),
            "evidence": settings.evidence.model_copy(update={"min_looks": 1, "memory": 1}),
        }
    )


def for_a_moment(settings: Settings, source: Source) -> Settings:
    """Those for a film that is over before anybody could be followed: it is judged as a still is."""
    if source.live or not source.frame_count or not source.fps or source.frame_count / source.fps >= MOMENT:
        return settings
    every = max(1, source.frame_count // 10)  # however many frames it has in that time
    return settings.model_copy(
        update={
            "det": settings.det.model_copy(update={"every": every}),
            "track": settings.track.model_copy(update={"confirm": 1}),
            "attention": settings.attention.model_copy(update={"interval": 0.0}),
            "evidence": settings.evidence.model_copy(update={"min_looks": 1}),
        }
    )


def for_covering(settings: Settings, source: Source) -> Settings:
    """Those for a run that covers faces: no frame of a live source is shown that nobody looked for faces in.

    In a film, what was found before and after a frame is known when it is shown.
    """
    every = settings.det.every
    if source.live or every == 1:
        every = 1
    elif every != "auto":
        every = min(every, max(1, round(PERIOD * source.fps))) if source.fps else 1
    return settings.model_copy(update={"det": settings.det.model_copy(update={"every": every})})
