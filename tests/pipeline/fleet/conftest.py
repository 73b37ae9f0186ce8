"""Films with cuts, and workers that are at hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from gallery.types import NewTemplate
from pipeline import build
from pipeline.fleet.crew import Died
from pipeline.fleet.jobs import Outcome, Recipe, Task
from pipeline.fleet.worker import Worker

Shot = tuple[int, int, tuple[tuple[int, int, int], ...]]  # grey level of the wall, frames, faces


@pytest.fixture
def cut_film(world: Any) -> Callable[..., Path]:
    """Makes a film of shots, `cut_film(path, (120, 30, (RED,)), ...)`; each begins with a key frame."""

    def make(path: Path, *shots: Shot, fps: int = 25, interval: int = 1000) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(
                "libx264", rate=fps, options={"preset": "ultrafast", "g": str(interval), "bf": "2"}
            )
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            for grey, count, colours in shots:
                for i in range(count):
                    image = np.full((240, 320, 3), grey, np.uint8)
                    for row, colour in enumerate(colours):
                        world.face(image, colour, 20 + 2 * i % 200, 20 + 110 * row)
                    frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                    frame.pict_type = PictureType.NONE if i else PictureType.I
                    container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture
def gallery(tmp_path: Path, embedder: Any) -> Path:
    """With Rosa, who is red."""
    path = tmp_path / "gallery.db"
    with build.gallery(path, embedder, create=True) as people:
        crop = np.full((1, 112, 112, 3), (40, 40, 220), np.uint8)
        people.add("Rosa", [NewTemplate(embedder.embed(crop)[0], None, 1.0, "test", "Rosa")])
    return path


class Here:
    """A crew of one worker in this process. It dies of tasks that `deadly` names, once it has done them."""

    def __init__(self, recipe: Recipe, count: int = 1) -> None:
        self._worker, self._given = Worker(recipe), deque[Task]()
        self.asked: list[Task] = []
        self.deadly: Callable[[Task], bool] = lambda task: False

    def free(self) -> int:
        return 1 - len(self._given)

    def give(self, task: Task) -> None:
        self._given.append(task)

    def wait(self, seconds: float) -> list[tuple[Task, Outcome | Died]]:
        task = self._given.popleft()
        self.asked.append(task)
        done = self._worker.do(task)
        return [(task, Died("signal 9") if self.deadly(task) else done)]

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.close()


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> list[Here]:
    """The crews that commands had, in the place of processes."""
    made: list[Here] = []

    def hire(recipe: Recipe, count: int) -> Here:
        made.append(Here(recipe, count))
        return made[-1]

    monkeypatch.setattr("pipeline.fleet.crew.Processes", hire)
    return made
