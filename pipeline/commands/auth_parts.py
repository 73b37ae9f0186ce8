"""What `recog auth` and `recog auth test` do alike: models and person, frames, and what is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.authentication.attempt import Attempt
    from pipeline.authentication.claimed import Claimed
    from pipeline.authentication.watch import Sight, Watch
    from pipeline.config import Settings
    from pipeline.outputs.window import Window
    from pipeline.types import Frame


class Parts:
    """The models and the person of one or several attempts."""

    def __init__(self, watch: Watch, claimed: Claimed, settings: Settings) -> None:
        self.watch, self.claimed, self._settings = watch, claimed, settings

    def attempt(self, timeout: float) -> Attempt:
        """A new attempt, with a challenge of its own."""
        from pipeline.authentication.attempt import Attempt
        from pipeline.liveness.challenge import draw

        return Attempt(self.claimed, draw(), self._settings.track, self._settings.det.confidence, timeout)


def parts(settings: Settings, gallery: Path | None, name: str, liveness_model: Path | None) -> Parts:
    """Open the models and look the person up.

    Raises:
        GalleryError, ModelError, DetectorError: nobody of that name, or something cannot be used.
    """
    import numpy as np

    from pipeline import build
    from pipeline.authentication.claimed import Claimed
    from pipeline.authentication.watch import Watch
    from pipeline.liveness.model import SpoofModel

    embedder = build.embedder(settings)
    with build.gallery(gallery, embedder) as people:
        templates = np.stack([look.embedding for look in people.templates(name)])
    spoof = None if liveness_model is None else SpoofModel(liveness_model, settings.runtime.threads)
    if spoof is not None:
        print(f"anti-spoofing model: {liveness_model}, licence: {spoof.licence}", file=sys.stderr)
    cohort = build.cohort(settings, embedder)
    strangers = templates[:0] if cohort is None else cohort.one_each
    claimed = Claimed(name, templates, embedder.calibration, strangers)
    return Parts(Watch(build.detector(settings), embedder, settings.quality, spoof), claimed, settings)


@contextmanager
def opened(source: str, settings: Settings) -> Iterator[Iterator[Frame]]:
    """The frames of a source; of a live one always the newest.

    Raises:
        SourceError: it cannot be opened.
    """
    from pipeline.recognition.runner import Runner
    from pipeline.sources.open import open_source

    stream = settings.stream.model_copy(update={"patience": 0.0})  # a camera that is lost ends the attempt
    with (
        open_source(source, stream=stream) as camera,
        Runner(camera, [lambda frame: frame], live=camera.live) as runner,
    ):
        yield iter(runner)


def prompter(attempt: Attempt, window: Window) -> Callable[[Frame, Sight], bool]:
    """Shows what is asked for: in the window, or in words on stderr where there is none."""
    from pipeline.enrolment.guide import preview

    said = [""]

    def show(frame: Frame, sight: Sight) -> bool:
        if attempt.words != said[0]:
            said[0] = attempt.words
            print(said[0], file=sys.stderr)
        done, of = attempt.steps
        window.show(preview(frame.image, attempt.words, sight.quality, done, of, sight.box))
        return not window.closed

    return show
