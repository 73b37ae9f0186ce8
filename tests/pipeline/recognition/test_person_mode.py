"""A person keeps the name that the face earned, on made-up films."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.types import Matches
from pipeline import detectors
from pipeline.config import DetectSettings, QualitySettings, Settings
from pipeline.drawing.draw import draw
from pipeline.recognition.recognise import Recogniser
from pipeline.types import Frame, Image, Result, State


class OnePerson:
    """A gallery in which red is Rosa."""

    people_count = 1

    fingerprint = "a model"

    def knows(self, name: str) -> bool:
        return name == "Rosa"

    def note(self, key: str) -> Any:
        return None

    def person_notes(self, key: str) -> dict[str, Any]:
        return {}

    def changed_since(self, template: int) -> int:
        return 0

    def __init__(self, embedder: Any, colour: tuple[int, int, int]) -> None:
        self.rosa = embedder.embed(np.full((1, 112, 112, 3), colour, np.uint8))

    def search(self, embeddings: Any, people: int = 5, pooled: bool = False) -> Matches:
        distances = np.abs(embeddings - self.rosa).sum(axis=1, keepdims=True).astype(np.float32)
        return Matches((("Rosa",),) * len(embeddings), distances, 1, 1)

    def refresh(self) -> bool:
        return False


def frame(world: Any, index: int, *people: tuple[int, int, Any]) -> Frame:
    """People at x, y: a dark body with a face of a colour, or None where it is turned away."""
    image: Image = world.empty()
    for x, y, colour in people:
        image[y : y + 160, x : x + 60] = 40
        if colour is not None:
            world.face(image, colour, x + 10, y + 8, 40)
    return Frame(image, index, index / 20, "film")


@pytest.fixture
def recogniser(people_model: Path, world: Any, detector: Any, embedder: Any) -> Recogniser:
    settings = Settings(
        det=DetectSettings(every=1, model=people_model, person_size=320), quality=QualitySettings(min_face=28)
    )
    finder = detectors.finder(settings, detectors.detector(settings))
    return Recogniser(finder, embedder, OnePerson(embedder, world.RED), settings)


def test_a_person_keeps_the_name_while_the_face_is_turned_away(
    world: Any, recogniser: Recogniser, embedder: Any
) -> None:
    results: list[Result] = []
    looks: list[int] = []
    for index in range(80):
        away = 20 <= index < 60  # for two seconds, longer than a track waits for its box
        results.append(recogniser(frame(world, index, (15 + index, 40, None if away else world.RED))))
        looks.append(embedder.embedded)
    names = [result.faces[0].identity.name for result in results]
    assert names[:2] == [None, None]
    assert names[10:] == ["Rosa"] * 70
    assert {result.faces[0].track for result in results[1:]} == {0}
    assert [result.faces[0].face is not None for result in results] == [True] * 20 + [False] * 40 + [
        True
    ] * 20
    assert looks[59] == looks[19]  # a back is not embedded
    assert looks[79] > looks[59]
    np.testing.assert_allclose(results[-1].faces[0].box, [94, 40, 154, 200], atol=1.5)


def test_a_stranger_is_unknown_from_behind_too(world: Any, recogniser: Recogniser) -> None:
    for index in range(40):
        result = recogniser(frame(world, index, (30, 40, world.GREEN if index < 20 else None)))
    assert result.faces[0].identity.state is State.UNKNOWN


def test_whoever_never_shows_the_face_stays_undecided(
    world: Any, recogniser: Recogniser, embedder: Any
) -> None:
    before = embedder.embedded
    for index in range(30):
        result = recogniser(frame(world, index, (30, 40, None), (220, 40, world.RED)))
    back, front = sorted(result.faces, key=lambda face: float(face.box[0]))
    assert (back.identity.state, back.identity.looks) == (State.UNDECIDED, 0)
    assert front.identity.name == "Rosa"
    assert embedder.embedded > before


def test_two_people_keep_their_own_names(world: Any, recogniser: Recogniser) -> None:
    for index in range(60):
        red, green = (None, world.GREEN) if index > 30 else (world.RED, None)
        result = recogniser(frame(world, index, (20, 40, red), (230, 60, green)))
    one, other = sorted(result.faces, key=lambda face: float(face.box[0]))
    assert (one.identity.name, other.identity.state) == ("Rosa", State.UNKNOWN)
    assert (one.face is None, other.face is None) == (True, False)


def test_the_person_is_drawn_with_the_name_and_the_face_where_it_is_seen(
    world: Any, recogniser: Recogniser
) -> None:
    for index in range(20):
        seen = recogniser(frame(world, index, (60, 70, world.RED)))
    away = recogniser(frame(world, 20, (60, 70, None)))
    for result, face in ((seen, True), (away, False)):
        before, after = result.frame.image, draw(result.frame.image, result.faces)
        changed = (before != after).any(axis=2)
        assert changed[150:200, 58:63].any()  # the side of the person's box
        assert changed[90:110, 68:72].any() == face  # and of the face's, inside it
