"""`recog train --triplets`: from the folders of anchors, positives and negatives to a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.config import Settings
from pipeline.training.triplets import prepare
from siamese.lfw.split import Split, split
from siamese.lfw.triplets import YOU, own_name, read_triplets
from siamese.runtime import Embedder
from siamese.training import checkpoint

SMALL = ["--set", "model.widths=[8,8,8,8]", "--set", "model.blocks=[0,1,1,1]", "--set", "model.embedding=8"]
QUICK = ["--set", "train.batch=16", "--set", "train.threads=1", "--epochs", "2", "--device", "cpu"]


def collect(folder: Path, world: Any, count: int = 20) -> None:
    """Put own pictures there, as `recog collect` does: of one colour, at changing places."""
    random = np.random.default_rng(0)
    for kind in ("anchor", "positive"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            x, y = random.integers(40, 70, 2)
            picture = world.face(world.empty(192, 192), world.BLUE, int(x), int(y), 80)
            cv2.imwrite(str(folder / kind / own_name()), picture)


@pytest.fixture
def data(tmp_path: Path, root: Path, world: Any, recog: Any) -> Path:
    """Sixty rows of LFW's people, and twenty own pictures of either kind."""
    assert recog("data", "triplets", "--root", root, "--out", tmp_path / "data", "--count", 60).code == 0
    collect(tmp_path / "data", world)
    return tmp_path / "data"


def everybody(folder: Path, root: Path, detector: Any) -> tuple[Any, Split]:
    people = split(root, "view1")
    return prepare(folder, read_triplets(folder), Settings(), people), people


def test_nobody_is_on_two_sides_and_every_image_is_aligned_once(
    data: Path, root: Path, detector: Any
) -> None:
    material, people = everybody(data, root, detector)
    of = dict(zip(("fit", "validation"), (people.fit, people.validation), strict=True))
    for part, pairs in (("fit", material.fit), ("validation", material.validation)):
        names = {material.crops.people[row] for row in pairs.rows.ravel()}
        assert names <= {*of[part], YOU}
        assert YOU in names
        same = [material.crops.people[a] == material.crops.people[b] for a, b in pairs.rows]
        np.testing.assert_array_equal(pairs.same, same)
    assert not set(material.fit.rows.ravel()) & set(material.validation.rows.ravel())
    # Of 180 files most show an image of LFW that is there already.
    assert len(material.crops) == len({*material.crops.files}) <= 13 * 3 + 40
    # Of the own pictures the last are held out.
    own = [row for row, name in enumerate(material.crops.people) if name == YOU]
    for kind in ("anchor", "positive"):
        rows = [row for row in own if material.crops.files[row].startswith(kind)]
        assert [material.part[row] for row in rows] == ["fit"] * 18 + ["validation"] * 2


def test_alone_it_learns_from_the_pairs_and_is_judged_by_those_held_out(
    tmp_path: Path, data: Path, root: Path, detector: Any, recog: Any, world: Any
) -> None:
    run = tmp_path / "run"
    train = ("train", "--triplets", data, "--root", root, "--out", run, *SMALL, *QUICK)
    ended = recog(*train)
    assert (ended.code, ended.err) == (0, "")
    assert "epoch 2: area under ROC on validation people" in ended.out
    assert "pairs of triplets that were held out; category: unrestricted, labelled outside data" in ended.out
    assert "threshold from the head itself" in ended.out
    figures = json.loads((run / "evaluation" / "figures.json").read_text())
    assert figures["pairs"]["genuine"] > 2
    assert figures["pairs"]["impostor"] > 0
    assert {"pairs.png", "roc.png"} <= {path.name for path in (run / "evaluation").iterdir()}
    assert any((run / "tensorboard").iterdir())
    state = checkpoint.load(run / "best.pt")
    assert state["train_settings"]["batches"] == "pairs"
    assert state["provenance"]["held out"] == "view1"
    frames = detector.frames
    ended = recog(*train, "--resume")
    assert ended.code == 0, ended.err
    assert detector.frames == frames

    model = tmp_path / "mine.onnx"
    ended = recog("export", "--checkpoint", run / "best.pt", "--root", root, "--out", model)
    assert (ended.code, ended.err) == (0, "")
    assert Embedder(model).card["held out"] == "view1"
    photo = world.picture(tmp_path / "a.png", world.BLUE)
    assert recog("enroll", "--name", "Rosa", "--images", photo, "--model", model).code == 0


def test_beside_lfw_the_own_pictures_are_one_more_person(
    tmp_path: Path, data: Path, root: Path, detector: Any, recog: Any
) -> None:
    run = tmp_path / "run"
    ended = recog("train", "--triplets", data, "--extra", root, "--out", run, *SMALL, *QUICK)
    assert (ended.code, ended.err) == (0, "")
    kept = checkpoint.load(run / "best.pt")
    assert kept["provenance"]["data"] == "LFW, 10 people, and 36 pictures of triplets"
    assert kept["train_settings"]["batches"] == "people"

    # Going on from it takes its architecture and its split along.
    on = tmp_path / "on"
    go_on = ("train", "--triplets", data, "--root", root, "--out", on, "--start", run / "best.pt", *QUICK)
    recog(*go_on, "--hold-out", "fold:2").refused("held out view1")
    recog("train", "--root", root, "--out", on, "--start", run / "best.pt", "--hold-out", "fold:2").refused(
        "leave --hold-out away"
    )
    ended = recog(*go_on)
    assert (ended.code, ended.err) == (0, "")
    state = checkpoint.load(on / "best.pt")
    assert state["model_settings"]["widths"] == (8, 8, 8, 8)
    assert state["provenance"]["began with"]["data"].endswith("36 pictures of triplets")


def test_own_pictures_and_strangers_without_names_are_enough(
    tmp_path: Path, world: Any, detector: Any, recog: Any
) -> None:
    data = tmp_path / "data"
    collect(data, world, 30)
    (data / "negative").mkdir()
    for number in range(40):
        colour = (world.RED, world.GREEN)[number % 2]
        world.picture(data / "negative" / f"stranger-{number}.png", colour)
    run = tmp_path / "run"
    ended = recog("train", "--triplets", data, "--root", tmp_path / "no", "--out", run, *SMALL, *QUICK)
    assert (ended.code, ended.err) == (0, "")
    assert "pairs of triplets" in checkpoint.load(run / "best.pt")["provenance"]["data"]


def test_pictures_without_a_face_are_left_out(data: Path, root: Path, detector: Any, world: Any) -> None:
    before, _ = everybody(data, root, detector)
    empty = sorted((data / "anchor").glob("own-*"))[0]
    cv2.imwrite(str(empty), world.empty(192, 192))
    for kept in (data / "crops").iterdir():
        kept.unlink()
    after, _ = everybody(data, root, detector)
    row = before.crops.files.index(str(empty.relative_to(data)))
    pairs = int((before.fit.rows == row).any(axis=1).sum())  # one of them may stand between two parts
    assert pairs in (1, 2)
    assert len(before.fit.same) - len(after.fit.same) == after.dropped - before.dropped == pairs
    assert not (after.fit.rows == row).any()


def test_what_cannot_be_learned_from_is_one_line(
    tmp_path: Path, data: Path, root: Path, detector: Any, recog: Any, world: Any
) -> None:
    train = ("train", "--out", tmp_path / "run", *SMALL, *QUICK, "--triplets")
    recog(*train, tmp_path / "no").refused("no triplets here")
    recog(*train, data, "--root", tmp_path / "no").refused("peopleDevTrain.txt")  # who is held out?
    recog(*train, data, "--extra", tmp_path).refused("with --triplets it is the folder of LFW")
    recog(*train, data, "--teacher", "a.onnx").refused("--triplets: leave --teacher")
    few = tmp_path / "few"
    collect(few, world, 3)
    (few / "negative").mkdir()
    world.picture(few / "negative" / "stranger.png", world.RED)
    recog(*train, few, "--root", root).refused("collect twenty")
