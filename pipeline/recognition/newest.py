"""The frames of a source for whoever answers to them: of a live one always the newest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.config import Settings
from pipeline.recognition.runner import Runner
from pipeline.sources import open as opening
from pipeline.types import Frame


@contextmanager
def newest(source: str, settings: Settings) -> Iterator[Iterator[Frame]]:
    """The frames of a source. A camera that is lost is not waited for: they end.

    Raises:
        SourceError: it cannot be opened.
    """
    stream = settings.stream.model_copy(update={"patience": 0.0})
    with (
        opening.open_source(source, stream=stream) as camera,
        Runner(camera, [lambda frame: frame], live=camera.live) as runner,
    ):
        yield iter(runner)
