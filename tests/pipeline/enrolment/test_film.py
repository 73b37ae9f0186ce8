"""A film of one person becomes a few different looks; a film of several is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import build
from pipeline.config import EnrollSettings
from pipeline.enrolment.film import from_film, most_different
from pipeline.enrolment.photos import Looker, Outcome
from pipeline.errors import SourceError
from pipeline.faces.groups import groups
from pipeline.types import Frame


def film(images: Sequence[Any], every: float = 0.25) -> Iterable[Frame]:
    for index, image in enumerate(images):
        yield Frame(image, index, index * every, "film.mp4")


def enroll(detector: Any, embedder: Any, images: Sequence[Any], pick: Any = None) -> list[Outcome]:
    return from_film(film(images), Looker(detector, embedder, EnrollSettings(), pick))


def test_a_film_gives_a_few_looks_with_their_times(world: Any, detector: Any, embedder: Any) -> None:
    images = [world.face(world.empty(), world.RED, 20, 20, 80) for _ in range(12)]
    outcomes = enroll(detector, embedder, images)
    assert len(outcomes) == 1  # all alike: one look says all of it
    (look,) = (outcome.template for outcome in outcomes)
    assert look is not None
    assert outcomes[0].origin == "film.mp4 at 0.0 s"
    assert look.details == {"seconds": 0.0}


def test_two_faces_beside_each_other_are_refused_unless_a_pick_says_which(
    world: Any, detector: Any, embedder: Any
) -> None:
    both = [world.face(world.face(world.empty(), world.RED, 20, 20, 80), world.BLUE, 150, 20, 90)] * 10
    with pytest.raises(SourceError, match=r"several faces in 10 of 10 frames; say which with --pick"):
        enroll(detector, embedder, both)
    for pick, colour in (("largest", world.BLUE), (1, world.RED)):
        (outcome,) = enroll(detector, embedder, both, pick)
        assert outcome.template is not None
        assert world.colour_at(outcome.template.crop, (20, 20, 90, 90)) == colour


def test_two_people_one_after_the_other_are_refused_and_a_stray_face_is_not(
    world: Any, detector: Any, embedder: Any
) -> None:
    red, blue = (world.face(world.empty(), c, 20, 20, 80) for c in (world.RED, world.BLUE))
    with pytest.raises(SourceError, match="seems to show 2 people, one after the other"):
        enroll(detector, embedder, [red] * 10 + [blue] * 6)
    outcomes = enroll(detector, embedder, [red] * 30 + [blue])
    colours = {world.colour_at(o.template.crop, (20, 20, 90, 90)) for o in outcomes if o.template}
    assert colours == {world.RED}
    (outcome,) = enroll(detector, embedder, [red] * 10 + [blue] * 6, "largest")
    assert world.colour_at(outcome.template.crop, (20, 20, 90, 90)) == world.RED


def test_a_film_without_a_usable_face_says_what_was_wrong_most_often(
    world: Any, detector: Any, embedder: Any
) -> None:
    small = [world.face(world.empty(), world.RED, 20, 20, 30)] * 5
    (outcome,) = enroll(detector, embedder, [*small, world.empty()])
    assert (outcome.template, outcome.reason) == (None, "face too small (30 pixels, 44 needed)")
    (outcome,) = enroll(detector, embedder, [world.empty()] * 3)
    assert outcome.reason == "no face found"


def test_a_long_film_is_looked_at_less_densely(
    world: Any, detector: Any, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.enrolment.film.MOST_SEEN", 20)
    image = world.face(world.empty(), world.RED, 20, 20, 80)
    frames = (Frame(image, i, i * 0.2001, "film.mp4") for i in range(80))
    from_film(frames, Looker(detector, embedder, EnrollSettings()))
    assert 40 < detector.frames < 60


def test_looks_are_grouped_by_what_they_have_in_common_not_by_a_chain() -> None:
    line = np.arange(10, dtype=np.float32)[:, None]  # each near the next, the ends far apart
    assert len(set(groups(line, 3.0).tolist())) > 1
    two = np.array([[0], [0.1], [9], [0.2]], np.float32)
    assert groups(two, 3.0).tolist() == [0, 0, 1, 0]
    assert groups(two[:1], 3.0).tolist() == [0]


def test_the_best_look_comes_first_and_then_the_most_different_good_ones() -> None:
    embeddings = np.array([[0], [1], [10], [6], [10]], np.float32)
    scores = np.array([0.9, 0.8, 0.5, 0.7, 0.1], np.float32)
    assert most_different(embeddings, scores, 3).tolist() == [0, 2, 3]
    assert most_different(np.zeros((4, 1), np.float32), np.ones(4, np.float32), 3).tolist() == [0]


def test_a_film_is_enrolled_by_the_command(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    path = world.film(tmp_path / "film.avi", world.RED)
    ended = recog("enroll", "--name", "Rosa", "--video", path, "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["stored"] == 1
    with build.gallery(None, embedder) as people:
        (look,) = people.templates("Rosa")
    assert look.origin.startswith("film.avi at ")
    ended = recog("enroll", "--name", "Rosa", "--video", tmp_path / "none.mp4")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    ended = recog(
        "enroll", "--name", "both", "--video", world.film(tmp_path / "b.avi", world.RED, world.BLUE)
    )
    assert ended.code == 1
    assert "say which with --pick" in ended.err
