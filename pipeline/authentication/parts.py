"""What one or several attempts need: the models, the person, and what to tell them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import build, detectors
from pipeline.authentication.attempt import TIMEOUT, Attempt
from pipeline.authentication.claimed import Claimed
from pipeline.authentication.watch import Sight, Watch
from pipeline.config import Settings
from pipeline.liveness.challenge import draw
from pipeline.liveness.model import SpoofModel
from pipeline.types import Floats, Frame
from siamese.runtime import Embedder


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to tell whoever stands before the camera, with what was seen of them in the newest frame."""

    words: str
    done: int  # moves
    of: int
    box: Floats | None  # (4,) of the one face, pixels
    quality: float  # of it, 0..1


def prompt(attempt: Attempt, sight: Sight) -> Prompt:
    """What to tell now."""
    return Prompt(attempt.words, *attempt.steps, sight.box, sight.quality)


def shown(attempt: Attempt, show: Callable[[Frame, Prompt], bool]) -> Callable[[Frame, Sight], bool]:
    """What `judge` shows, with what to tell now."""
    return lambda frame, sight: show(frame, prompt(attempt, sight))


@dataclass(frozen=True, slots=True)
class Parts:
    """The models and the person of one or several attempts."""

    watch: Watch
    claimed: Claimed
    licence: str | None  # of the anti-spoofing model; None without one
    settings: Settings

    def attempt(self, timeout: float = TIMEOUT, allow_bent: bool = False) -> Attempt:
        """A new attempt, with a challenge of its own."""
        track, confident = self.settings.track, self.settings.det.confidence
        return Attempt(self.claimed, draw(), track, confident, timeout, allow_bent)


def parts(
    settings: Settings, gallery: Path | None, name: str, embedder: Embedder, liveness_model: Path | None
) -> Parts:
    """Open the models and look the person up.

    Raises:
        GalleryError, ModelError, DetectorError: nobody of that name, or something cannot be used.
    """
    with build.gallery(gallery, embedder) as people:
        templates = np.stack([look.embedding for look in people.templates(name)])
    spoof = None if liveness_model is None else SpoofModel(liveness_model, settings.runtime.threads)
    cohort = build.cohort(settings, embedder)
    strangers = templates[:0] if cohort is None else cohort.one_each
    claimed = Claimed(name, templates, embedder.calibration, strangers)
    watch = Watch(detectors.of_authentication(settings), embedder, settings.quality, spoof)
    return Parts(watch, claimed, None if spoof is None else spoof.licence, settings)
