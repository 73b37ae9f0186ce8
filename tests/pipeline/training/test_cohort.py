"""The cohort is made of people the model was validated on, and of nobody who is reported on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import siamese.crops
import siamese.wild
from pipeline.training.cohort import TWO_NAMES
from siamese.cohort import read
from siamese.lfw.files import split_people
from siamese.wild import WildSet

NAMES = [f"Person_{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
VALIDATION = split_people(NAMES[:20])[1]


@pytest.fixture
def lfw(tmp_path: Path, world: Any) -> Path:
    """A small LFW: 20 people to train on, 6 to test on, two photographs each; View 2 has three folds."""
    root = tmp_path / "lfw"
    for place, name in enumerate(NAMES):
        folder = root / "lfw-deepfunneled" / name
        folder.mkdir(parents=True)
        for number in (1, 2):
            colour = (world.RED, world.GREEN, world.BLUE)[place % 3]
            world.picture(folder / f"{name}_{number:04d}.jpg", colour)
    for file, names in (("peopleDevTrain.txt", NAMES[:20]), ("peopleDevTest.txt", NAMES[20:])):
        (root / file).write_text(f"{len(names)}\n" + "".join(f"{name}\t2\n" for name in names))
    folds = [NAMES[:10], NAMES[10:20], NAMES[20:]]
    parts = [f"{len(fold)}\n" + "".join(f"{name}\t2\n" for name in fold) for fold in folds]
    (root / "people.txt").write_text(f"{len(folds)}\n" + "".join(parts))
    return root


def test_the_command_embeds_the_validation_people(
    lfw: Path, tmp_path: Path, detector: Any, embedder: Any, recog: Any
) -> None:
    assert VALIDATION
    embedder.card = {"held out": "view1"}
    out = tmp_path / "made.cohort.npz"
    values = json.loads(recog("calibrate", "cohort", "--root", lfw, "--out", out, "--json").out)
    assert (values["people"], values["faces"]) == (len(VALIDATION), 2 * len(VALIDATION))
    assert len(read(out, embedder.digest).one_each) == len(VALIDATION)


def test_people_may_be_named_but_never_those_who_are_reported_on(
    lfw: Path, tmp_path: Path, detector: Any, embedder: Any, recog: Any
) -> None:
    embedder.card = {}
    people, out = tmp_path / "people.txt", tmp_path / "made.cohort.npz"
    people.write_text("\n".join([NAMES[0], NAMES[25], *sorted(TWO_NAMES)]))
    ended = recog("calibrate", "cohort", "--root", lfw, "--out", out, "--people", people)
    assert f"{out}: 2 faces of 1 person" in ended.out
    people.write_text(NAMES[25])
    out = tmp_path / "another.cohort.npz"
    ended = recog("calibrate", "cohort", "--root", lfw, "--out", out, "--people", people)
    assert (ended.code, ended.err) == (1, "recog: of 1 person nobody is left for a cohort\n")
    ended = recog("calibrate", "cohort", "--root", lfw, "--out", out, "--people", tmp_path / "none.txt")
    assert "cannot be read as a list of names" in ended.err


def test_strangers_of_other_sets_join_each_for_somebody_else(
    lfw: Path, tmp_path: Path, detector: Any, embedder: Any, recog: Any, world: Any
) -> None:
    embedder.card = {"held out": "view1"}
    for number in range(6):
        (tmp_path / "more").mkdir(exist_ok=True)
        world.picture(tmp_path / "more" / f"{number}.jpg", (world.RED, world.GREEN)[number % 2])
    recog("data", "align", "--images", tmp_path / "more", "--out", tmp_path / "set")
    out = tmp_path / "made.cohort.npz"
    ended = recog("calibrate", "cohort", "--root", lfw, "--out", out, "--also", tmp_path / "set", "--json")
    values = json.loads(ended.out)
    assert values["people"] == len(VALIDATION) + 6
    assert values["faces"] == 2 * len(VALIDATION) + 6
    assert values["source"].endswith("; 6 people of other sets")
    kinds = read(out, embedder.digest).kinds_each.tolist()
    assert sorted(kinds) == ["LFW"] * len(VALIDATION) + ["set"] * 6
    of_wild = ["street", "studio", "street", "studio", "street", "studio"]
    crops = siamese.crops.read(tmp_path / "set")
    nothing = np.full(6, np.nan, np.float32)
    siamese.wild.write(WildSet(crops, tuple(of_wild), nothing, nothing, nothing), tmp_path / "wild")
    described = tmp_path / "described.cohort.npz"
    recog("calibrate", "cohort", "--root", lfw, "--out", described, "--also", tmp_path / "wild")
    assert sorted(read(described, embedder.digest).kinds_each)[-6:] == sorted(of_wild)
    other = tmp_path / "other.npz"
    ended = recog("calibrate", "cohort", "--root", lfw, "--out", other, "--also", tmp_path / "none")
    assert (ended.code, ended.err.count("no aligned faces here")) == (1, 1)
