"""Films followed frame by frame, to their end or not, while the gallery changes."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.api import Recog, State


def test_a_film_is_followed_with_names_and_pictures(recognition: Recog, world: Any, tmp_path: Path) -> None:
    recognition.enroll("Rosa", [world.picture(tmp_path / "rosa.png", world.RED)])
    film = world.film(tmp_path / "film.mp4", world.RED, world.GREEN)
    with recognition.follow(film, draw=True) as frames:
        assert not frames.live
        results = []
        for result in frames:
            results.append(result)
            assert frames.picture is not None
            assert frames.picture.shape == result.frame.image.shape
    assert [result.frame.index for result in results] == list(range(40))
    named = {face.identity.name for result in results for face in result.faces if face.identity.name}
    states = {face.identity.state for face in results[-1].faces}
    assert named == {"Rosa"}
    assert states == {State.NAMED, State.UNKNOWN}
    assert (frames.complaint, frames.dropped) == (None, 0)


def test_leaving_the_loop_ends_every_thread(recognition: Recog, world: Any, tmp_path: Path) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED, count=200)
    before = threading.active_count()
    with recognition.follow(film) as frames:
        next(frames)
    assert threading.active_count() == before
    assert list(frames) == []


def test_a_film_that_nobody_asked_a_result_of_is_let_go(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    recognition.enroll("Rosa", [world.picture(tmp_path / "rosa.png", world.RED)])
    before = threading.active_count()
    frames = recognition.follow(world.film(tmp_path / "film.mp4", world.RED))
    frames.close()
    assert threading.active_count() == before
    assert list(frames) == []


def test_a_stop_from_another_thread_ends_the_film_early(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED, count=400)
    with recognition.follow(film, delay=0) as frames:
        seen = [next(frames)]
        threading.Thread(target=frames.stop).start()
        seen += list(frames)
    assert 0 < len(seen) < 400


def test_who_is_enrolled_while_a_film_is_followed_is_known_in_the_next(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED)
    for result in recognition.follow(film):
        assert all(face.identity.name is None for face in result.faces)
    recognition.enroll("Rosa", [world.picture(tmp_path / "rosa.png", world.RED)])
    last = list(recognition.follow(film))[-1]
    assert [face.identity.name for face in last.faces] == ["Rosa"]


def test_a_gallery_that_does_not_exist_yet_is_not_replaced_by_the_users_own(
    recognition: Recog, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Recog.open() as own:
        own.enroll("Rosa", [world.picture(tmp_path / "rosa.png", world.RED)])
    film = world.film(tmp_path / "film.mp4", world.RED, count=20)
    last = list(recognition.follow(film))[-1]
    assert [face.identity.name for face in last.faces] == [None]
    assert not recognition.path.exists()


def test_a_gallery_that_goes_while_a_film_is_followed_is_logged(
    recognition: Recog,
    world: Any,
    detector: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("gallery.followed.PAUSE", 0.01)
    recognition.enroll("Rosa", [world.picture(tmp_path / "rosa.png", world.RED)])
    detector.before = lambda frame: time.sleep(0.01)
    for result in recognition.follow(world.film(tmp_path / "film.mp4", world.RED, count=60), delay=0):
        if result.frame.index == 10:
            recognition.path.unlink()
    assert result.faces[0].identity.state is State.UNKNOWN
    assert sum("is gone, so nobody is enrolled" in each for each in caplog.messages) == 1
