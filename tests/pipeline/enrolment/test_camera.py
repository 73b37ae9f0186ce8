"""Somebody before a camera is led through the poses; only the camera and the screen are made up here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import build
from pipeline.config import EnrollSettings
from pipeline.enrolment.camera import from_camera
from pipeline.enrolment.guide import GOOD, POOR, Pose, preview, yaw
from pipeline.enrolment.photos import Looker
from pipeline.faces.align import SIZE, TEMPLATE
from pipeline.types import Detections, Floats, Frame

# How far the nose is from where a frontal one is, in pixels of a crop: to the person's left is to the right.
NOSE = {Pose.FRONT: (0, 0), Pose.LEFT: (8, 0), Pose.RIGHT: (-8, 0)}


def landmarks(pose: Pose, side: float = SIZE) -> Floats:
    points = TEMPLATE.copy()
    points[2] += np.array(NOSE[pose], np.float32)
    return np.asarray(points * (side / SIZE), np.float32)


class Posing:
    """The fake detector, for a face that takes one pose after the other."""

    def __init__(self, inner: Any, poses: Iterable[Pose | None]) -> None:
        self.inner, self.poses, self.digest = inner, iter(poses), inner.digest

    def detect(self, image: Any) -> Detections:
        found, pose = self.inner.detect(image), next(self.poses)
        if pose is None:
            return Detections.empty()
        moved = found.landmarks + (landmarks(pose, 80) - landmarks(Pose.FRONT, 80))
        return Detections(found.boxes, found.scores, moved.astype(np.float32))


class Screen:
    """Keeps what is shown; is closed after so many pictures."""

    def __init__(self, pictures: int = 10_000) -> None:
        self.shown: list[Any] = []
        self.pictures = pictures

    @property
    def closed(self) -> bool:
        return len(self.shown) >= self.pictures

    def show(self, image: Any) -> str | None:
        self.shown.append(image)
        return None


def camera(world: Any, count: int, colours: Iterable[Any] = (), every: float = 0.1) -> Iterable[Frame]:
    chosen = list(colours)
    for index in range(count):
        colour = chosen[index] if chosen else world.RED
        yield Frame(world.face(world.empty(), colour, 100, 60, 80), index, index * every, "camera 0")


ALL = [pose for pose in Pose for _ in range(3)]


def enroll(frames: Iterable[Frame], detector: Any, embedder: Any, screen: Any = None, **more: Any) -> Any:
    return from_camera(frames, Looker(detector, embedder, EnrollSettings()), screen or Screen(), **more)


def test_each_pose_that_is_held_gives_a_look_and_the_words_lead_through_them(
    world: Any, detector: Any, embedder: Any
) -> None:
    said: list[str] = []
    outcomes = enroll(camera(world, 99), Posing(detector, [*ALL, None]), embedder, report=said.append)
    assert said == [pose.value for pose in Pose] + ["done, thank you"]
    assert [o.origin for o in outcomes] == [f"camera 0, {p}" for p in ("front", "left", "right")]
    assert all(o.template is not None and o.template.details for o in outcomes)


def test_a_pose_must_be_held_and_in_turn(world: Any, detector: Any, embedder: Any) -> None:
    front, left = Pose.FRONT, Pose.LEFT
    poses = [left, left, left, front, front, None, front, front, front, Pose.RIGHT, left, left]
    outcomes = enroll(camera(world, len(poses)), Posing(detector, poses), embedder)
    assert [o.origin for o in outcomes if o.template] == ["camera 0, front"]
    assert [o.reason for o in outcomes if not o.template] == [
        f"not seen ({pose.value})" for pose in (Pose.LEFT, Pose.RIGHT)
    ]


def test_it_ends_when_the_screen_is_closed_or_time_is_up(world: Any, detector: Any, embedder: Any) -> None:
    screen = Screen(pictures=4)
    enroll(camera(world, 99), Posing(detector, ALL), embedder, screen)
    assert len(screen.shown) == 4
    screen = Screen()
    enroll(camera(world, 99, every=1.0), Posing(detector, [None] * 99), embedder, screen, patience=5.0)
    assert len(screen.shown) == 7
    assert all(not o.template for o in enroll([], detector, embedder))


def test_somebody_else_who_steps_in_is_not_enrolled(world: Any, detector: Any, embedder: Any) -> None:
    colours = [world.RED] * 6 + [world.BLUE] * 3
    outcomes = enroll(camera(world, 9, colours), Posing(detector, ALL), embedder)
    assert outcomes[2].reason == "another person than in the other poses"
    assert [o.template is not None for o in outcomes] == [True, True, False]


@pytest.mark.parametrize("pose", list(Pose))
def test_the_pose_of_a_head_is_read_from_five_points(pose: Pose) -> None:
    points = landmarks(pose, 200) + 30
    assert np.sign(round(yaw(points), 1)) == np.sign(NOSE[pose][0])


def test_the_preview_is_mirrored_and_its_bar_tells_good_from_poor(world: Any) -> None:
    image = world.face(world.empty(), world.RED, 10, 10, 80)
    good, poor = preview(image, "words", 0.9, 1, 4, np.array([10, 10, 90, 90])), preview(image, "", 0.2, 1, 4)
    assert world.colour_at(good, (230, 10, 310, 90)) == world.RED  # 10 from the other side of 320

    def bar(shown: Any, colour: tuple[int, int, int]) -> int:
        return int((shown[-40:] == colour).all(axis=2).sum())

    assert bar(good, GOOD) > 3 * bar(poor, POOR) > 0


def test_the_command_takes_a_camera_without_a_screen(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    film = world.film(tmp_path / "film.avi", world.RED)
    ended = recog("enroll", "--name", "Rosa", "--webcam", "--camera", film)
    assert ended.code == 0
    assert Pose.FRONT.value in ended.out
    assert "Rosa: 1 of 3 photos stored" in ended.out
    with build.gallery(None, embedder) as people:
        assert people.people_count == 1
    values = json.loads(recog("enroll", "--name", "Rosa", "--webcam", "--camera", film, "--json").out)
    assert values["duplicates"] == 1
