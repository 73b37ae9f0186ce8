"""The sets of the protocol `wild` on disk, and what they are measured by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from siamese import wild
from siamese.calibration import Calibration
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.protocols import wild as protocol
from siamese.protocols.evaluate import EvaluationSettings, evaluate_wild
from siamese.protocols.lfw_pairs import Model
from siamese.protocols.open_set import OpenSet, Probes
from siamese.wild import WildSet

PEOPLE, IMAGES, STRANGERS = 12, 6, 60
JUDGE = Calibration(4.0, 0.5, 7.0, 100, 3000)


class Numbered:
    """Looks an embedding up by the number in a crop's first pixel; turned and poor faces are hard to tell."""

    def __init__(self, faces: WildSet) -> None:
        random = np.random.default_rng(3)
        who = {person: random.normal(size=16) for person in sorted(set(faces.crops.people))}
        noise = np.where(faces.turned, 1.2, np.where(faces.poor, 0.8, 0.1))
        self.table = np.stack(
            [
                (who[person] if person else random.normal(size=16)) + noise[row] * random.normal(size=16)
                for row, person in enumerate(faces.crops.people)
            ]
        ).astype(np.float32)

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return self.table[crops[:, 0, 0, :2].astype(int) @ [1, 256]]


def make_faces(people: int = PEOPLE) -> WildSet:
    """Of everybody three frontal images, two turned and one blurred; strangers of all ages."""
    names = [f"P{number:02d}" for number in range(people) for _ in range(IMAGES)] + [""] * STRANGERS
    images = np.zeros((len(names), 112, 112, 3), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(len(names)) % 256, np.arange(len(names)) // 256
    like = np.tile([0.1, 0.1, 0.1, 0.6, 0.6, 0.1], people)
    sharp = np.tile([12, 12, 12, 12, 12, 3], people)
    return WildSet(
        CropSet(
            images,
            tuple(f"{n}.png" for n in range(len(names))),
            tuple(names),
            np.ones(len(names), np.bool_),
            "t",
        ),
        ("films",) * len(names),
        np.append(like, np.full(STRANGERS, 0.1)).astype(np.float32),
        np.append(sharp, np.full(STRANGERS, 12)).astype(np.float32),
        np.append(np.full(len(like), np.nan), np.arange(STRANGERS) * 100 / STRANGERS).astype(np.float32),
    )


def write(folder: Path, faces: WildSet, of_lfw: list[str] | None = None) -> Path:
    for part in wild.PARTS:
        wild.write(faces, folder / part)
    (folder / wild.DESCRIBED).write_text(json.dumps({"held out": "fold:9,10", "of LFW": of_lfw or []}))
    return folder


def test_what_was_written_is_read_again_what_is_unknown_as_well(tmp_path: Path) -> None:
    faces = make_faces()
    wild.write(faces, tmp_path)
    kept = wild.read(tmp_path)
    assert (kept.sources, kept.crops.people) == (faces.sources, faces.crops.people)
    assert kept.turn == pytest.approx(faces.turn)
    assert kept.age == pytest.approx(faces.age, nan_ok=True, rel=1e-3)
    assert (kept.frontal.sum(), kept.turned.sum(), kept.poor.sum()) == (
        4 * PEOPLE + STRANGERS,
        2 * PEOPLE,
        PEOPLE,
    )


def test_a_head_of_which_nothing_is_known_is_neither_frontal_nor_turned() -> None:
    faces = make_faces()
    unknown = WildSet(
        faces.crops, faces.sources, np.full_like(faces.turn, np.nan), faces.sharpness, faces.age
    )
    assert not unknown.frontal.any()
    assert not unknown.turned.any()


@pytest.mark.parametrize(
    ("file", "content"),
    [("traits.csv", "file,source\n"), ("traits.csv", "file,source,turn,sharpness,age\na,b,c,d,e\n")],
)
def test_a_damaged_set_is_one_line(tmp_path: Path, file: str, content: str) -> None:
    with pytest.raises(DataError, match="recog data wild"):
        wild.read(tmp_path)
    wild.write(make_faces(), tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError, match="build it again"):
        wild.read(tmp_path)


def test_figures_are_told_by_what_faces_are_like(tmp_path: Path) -> None:
    faces = make_faces()
    parts, embeddings, _ = protocol.figures(Numbered(faces), JUDGE, faces, 1, 4, 50, 0)
    assert embeddings.shape == (PEOPLE * IMAGES + STRANGERS, 16)
    easy, hard = parts["both frontal and sharp"], parts["frontal against turned"]
    assert isinstance(easy, protocol.KindOfPairs)
    assert isinstance(hard, protocol.KindOfPairs)
    assert (easy.genuine, hard.genuine) == (PEOPLE * 3, PEOPLE * 8)
    assert easy.auc == 1 > hard.auc > 0.5
    assert easy.curve.at(1e-2).value == 1
    frontal, turned, poor = (parts[f"open set, {kind}"] for kind in ("frontal", "turned", "small or blurred"))
    assert isinstance(frontal, OpenSet)
    assert isinstance(turned, OpenSet)
    assert isinstance(poor, OpenSet)
    assert frontal.dir[1e-2].value == 1 > turned.dir[1e-2].value
    # Half are enrolled with one frontal image each; strangers are all others' images and the nameless.
    assert (frontal.enrolled, frontal.probes, turned.probes, poor.probes) == (6, 12, 12, 6)
    assert frontal.impostors == turned.impostors == 6 * IMAGES + STRANGERS
    assert "open set, turned" in " ".join(turned.lines())
    ages = parts["strangers by age"]
    assert isinstance(ages, protocol.Strangers)
    assert sum(count for count, _ in ages.by_age.values()) == STRANGERS
    assert "60 and over" in " ".join(ages.lines())
    assert parts["calibration"].lines()


def test_only_strangers_of_an_age_count_for_it_and_only_those_near_enough() -> None:
    probes = Probes(
        np.arange(6), np.array([True, False, False, False, False, False]), np.array([1, 9, 2, 8, 3, 7.0]),
        np.array([True] + [False] * 5), np.arange(6),
    )  # fmt: skip
    age = np.array([5, 5, 5, 40, 70, np.nan], np.float32)
    # Two of five strangers may be let in: those at 2 and at 3.
    told = protocol.strangers([probes], age, 0.4).by_age
    assert {name: (count, share.value) for name, (count, share) in told.items()} == {
        "under 13": (2, 0.5), "18 to 59": (1, 0.0), "60 and over": (1, 1.0),
    }  # fmt: skip


def test_a_report_says_what_the_models_card_says_of_these_people(tmp_path: Path) -> None:
    faces = make_faces()
    folder = write(tmp_path, faces)
    settings = EvaluationSettings(samples=20, splits=2)
    report, _ = evaluate_wild(Model(Numbered(faces), {}, None, JUDGE), JUDGE, folder, settings)
    assert "whether the model has seen these people, its card does not say" in report.lines()[0]
    card = {wild.HELD_OUT: wild.fingerprint(folder)}
    report, _ = evaluate_wild(Model(Numbered(faces), card, None, JUDGE), JUDGE, folder, settings)
    assert "left out of the model's training" in report.lines()[0]
    assert json.loads(json.dumps(report.as_dict()))["open set, turned"]["strangers"] == 6 + STRANGERS


def test_people_of_lfw_in_the_set_must_be_held_out_of_the_model(tmp_path: Path) -> None:
    faces = make_faces()
    folder, settings = write(tmp_path, faces, ["P00"]), EvaluationSettings(samples=10, splits=2)
    model = Model(Numbered(faces), {"held out": "view1"}, None, JUDGE)
    with pytest.raises(DataError, match="--even-seen"):
        evaluate_wild(model, JUDGE, folder, settings)
    report, _ = evaluate_wild(model, JUDGE, folder, settings, allow_seen=True)
    assert report.warning
    fitting = Model(Numbered(faces), {"held out": "fold:9,10"}, None, JUDGE)
    assert evaluate_wild(fitting, JUDGE, folder, settings)[0].warning is None


def test_too_few_people_or_no_sets_are_one_line(tmp_path: Path) -> None:
    faces = make_faces(1)
    with pytest.raises(DataError, match="too few people"):
        protocol.figures(Numbered(faces), JUDGE, faces, 1, 2, 10, 0)
    with pytest.raises(DataError, match="recog data wild"):
        wild.description(tmp_path)
    write(tmp_path, faces)
    (tmp_path / "cohort" / "faces.json").unlink()
    with pytest.raises(DataError, match="cohort: missing"):
        wild.fingerprint(tmp_path)
