"""Workers in processes of their own, with the real models: one that dies takes only its task with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from pipeline import build
from pipeline.config import Settings
from pipeline.fleet import crew
from pipeline.fleet.archive import Archive
from pipeline.fleet.crew import Died, Processes
from pipeline.fleet.jobs import Recognise
from pipeline.fleet.prepare import recipe_of
from pipeline.fleet.records import Records
from siamese.runtime import Embedder


def test_a_bug_at_the_start_of_a_worker_ends_it_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(recipe: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(crew, "Worker", stumble)
    monkeypatch.setattr(crew, "_end_with_parent", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    ours, theirs = multiprocessing.Pipe()
    recipe: Any = None
    with ours, theirs, pytest.raises(ZeroDivisionError):
        crew.serve(theirs, recipe)


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_a_worker_that_is_killed_is_replaced_and_its_task_told(tmp_path: Path, cut_film: Any) -> None:
    """Two processes are started, one after the other, which takes most of the time."""
    films, gallery = tmp_path / "films", tmp_path / "gallery.db"
    films.mkdir()
    cut_film(films / "a.mp4", (120, 8, ()))
    build.gallery(gallery, Embedder(build.embedder_path(Settings())), create=True).close()
    recipe, count = recipe_of(films, tmp_path / "out", gallery, Settings(), 600.0, 1)
    assert count == 1
    with Processes(recipe, count) as hands:
        task = Recognise("a.mp4", "0" * 32, "first")
        hands.give(task)
        assert hands.free() == 0
        while not hands._hands[0].begun:
            assert hands.wait(60) == []
        os.kill(hands._hands[0].process.pid or 0, signal.SIGKILL)
        ((lost, died),) = hands.wait(60) or hands.wait(60)
        assert (lost, died) == (task, Died("signal 9"))
        with Records(tmp_path / "out") as records:
            ended = Archive(recipe, ["a.mp4"], records).run(hands)
        assert (ended.done, ended.frames, ended.died) == (["a.mp4"], 8, 0)
        children = [hand.process for hand in hands._hands]
    assert not any(process.is_alive() for process in children)
