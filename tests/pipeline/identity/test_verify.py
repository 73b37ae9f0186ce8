"""One to one and one to many, in words that claim no more than is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.identity.verify import Answer, Comparison, compare_to_person, compare_two
from siamese.calibration import Calibration
from siamese.cohort import Cohort, write

MODEL = Calibration(intercept=8.0, slope=0.8, ceiling=9.0, genuine=100, impostor=30_000)


def comparison(**changes: Any) -> Comparison:
    values = {"distance": 1.0, "probability": 0.97, "as_near": 31, "tried": 93_000, "flaws": ()}
    return Comparison(**(values | changes))


def test_the_answer_follows_the_probability_and_a_poor_photo_proves_no_difference() -> None:
    assert comparison().words == "same person: 97 %"
    assert comparison(probability=0.02).words == "different people: 98 %"
    assert comparison(probability=0.5).answer is Answer.UNSURE
    poor = comparison(probability=0.02, flaws=("the first photo is blurred",))
    assert poor.words == "cannot tell: 2 % that it is the same person"
    assert comparison(flaws=("the first photo is blurred",)).answer is Answer.SAME
    assert comparison(probability=1.0).words == "same person: 99.9 %"


def test_how_rare_it_is_among_strangers() -> None:
    assert comparison().rarity("pairs") == "a stranger would look this alike in 1 of 3,000 pairs"
    assert comparison(as_near=0).rarity("pairs") == (
        "fewer than 1 of 31,000 pairs look this alike (none of 93,000 tried)"
    )
    assert comparison(as_near=80_000).rarity("pairs") == "most pairs look this alike"
    assert comparison(tried=0, as_near=0).rarity("pairs") == ""


class Face:
    """What a comparison needs of a probe."""

    def __init__(self, place: float) -> None:
        self.embedding = np.array([place, 0], np.float32)
        self.flaws: tuple[str, ...] = ()


def test_two_photos_are_compared_with_pairs_of_strangers() -> None:
    strangers = np.arange(1, 101, dtype=np.float32)
    found = compare_two(Face(0), Face(3), MODEL, strangers)  # type: ignore[arg-type]
    assert (found.distance, found.as_near, found.tried) == (3.0, 3, 100)
    assert found.probability == pytest.approx(1 / (1 + np.exp(-5.6)))


def test_a_person_is_as_near_as_the_nearest_photo_for_strangers_as_well() -> None:
    templates = np.array([[0, 0], [10, 0]], np.float32)
    strangers = np.array([[11, 0], [5, 0], [40, 0]], np.float32)
    found = compare_to_person(Face(12), templates, MODEL, strangers)  # type: ignore[arg-type]
    assert (found.distance, found.as_near, found.tried) == (2.0, 1, 3)


@pytest.fixture
def strangers(tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.cohort.npz"
    embeddings = np.random.default_rng(0).uniform(0, 20, (50, 8)).astype(np.float32)
    write(Cohort(embeddings, np.arange(50), np.full(50, ""), embedder.digest, "", "made up"), path)
    monkeypatch.setattr("siamese.cohort.cohort_path", lambda model: path)


def test_two_photos_by_the_command(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, strangers: None
) -> None:
    red, also = world.picture(tmp_path / "r.png", world.RED), world.picture(tmp_path / "s.png", world.RED)
    blue, sheet = world.picture(tmp_path / "b.png", world.BLUE), tmp_path / "sheet.png"
    ended = recog("verify", red, also, "--picture", sheet)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "same person: 99.9 %",
        "fewer than 1 of 410 pairs look this alike (none of 1,225 tried)",
        f"written: {sheet}",
    ]
    assert sheet.stat().st_mode & 0o777 == 0o600
    assert cv2.imread(str(sheet)).shape[1] > 2 * 360
    values = json.loads(recog("verify", red, blue, "--json").out)
    assert (values["answer"], values["strangers_tried"]) == ("different people", 1225)
    assert values["probability"] < 0.01


def test_a_photo_and_a_name_by_the_command(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    red, blue = world.picture(tmp_path / "r.png", world.RED), world.picture(tmp_path / "b.png", world.BLUE)
    assert recog("enroll", "--name", "alice", red).code == 0
    ended = recog("verify", "--name", "alice", red, "--picture", tmp_path / "p.png")
    assert ended.out.startswith("same person: 99.9 %\nwritten: ")  # no cohort, so nothing of strangers
    assert recog("verify", "--name", "alice", blue).out == "different people: 99.9 %\n"
    ended = recog("verify", "--name", "alise", red)
    assert ended.code == 1
    assert "did you mean alice?" in ended.err


def test_poor_photos_are_said_to_be_poor(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    small = world.picture(tmp_path / "s.png", world.RED, side=32, sharp=False)
    ended = recog("verify", small, world.picture(tmp_path / "b.png", world.BLUE))
    assert ended.code == 0
    assert ended.out.splitlines()[0].startswith("cannot tell: ")
    assert "the first photo is small (32 pixels): this is less sure" in ended.out
    assert "the first photo is blurred" in ended.out


@pytest.mark.parametrize("arguments", [["a.png"], ["a.png", "b.png", "--name", "x"], ["a", "b", "c"]])
def test_the_wrong_number_of_photos_is_a_usage_error(recog: Any, arguments: list[str]) -> None:
    ended = recog("verify", *arguments)
    assert ended.code == 2
    assert "give two photos, or one photo and --name" in ended.err


def test_what_cannot_be_compared_ends_in_one_line(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    red, nobody = world.picture(tmp_path / "r.png", world.RED), world.picture(tmp_path / "n.png")
    two = world.picture(tmp_path / "t.png", world.RED, world.BLUE)
    for photos, words in (((red, nobody), "no face found"), ((red, two), "2 faces; choose with --pick")):
        ended = recog("verify", *photos)
        assert (ended.code, ended.err.count("\n")) == (1, 1)
        assert words in ended.err
    assert recog("verify", red, two, "--pick", "1").code == 0


def test_every_face_of_a_photo_is_identified_from_the_left_with_unknown_among_the_ranks(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    for name, colour in (("rosa", world.RED), ("blu", world.BLUE)):
        assert recog("enroll", "--name", name, world.picture(tmp_path / f"{name}.png", colour)).code == 0
    photo = world.picture(tmp_path / "both.png", world.BLUE, world.RED, world.GREEN)
    faces = json.loads(recog("identify", photo, "--json").out)["faces"]
    assert [face["name"] for face in faces] == ["blu", "rosa", None]
    assert [face["state"] for face in faces] == ["named", "named", "unknown"]
    assert faces[0]["candidates"][0]["name"] == "blu"
    assert sum(c["probability"] for c in faces[0]["candidates"]) + faces[0]["unknown"] == pytest.approx(
        1, abs=1e-3
    )
    ended = recog("identify", photo)
    assert ended.out.splitlines()[0] == "face 1 of 3: blu"
    assert "face 3 of 3: unknown, nobody enrolled is near" in ended.out
    ended = recog("identify", world.picture(tmp_path / "none.png"))
    assert (ended.code, ended.err) == (1, f"recog: {tmp_path / 'none.png'}: no face found\n")
