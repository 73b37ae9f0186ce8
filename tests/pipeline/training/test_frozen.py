"""`recog train --backbone` and what becomes of its models, on a data set like LFW of coloured squares."""

from __future__ import annotations

import importlib.util
import json
import stat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from siamese.runtime import Embedder

FOLDS = 2


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    """An embedder of colours: the mean of each plane and of their products."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "mix"], ["output"]),
    ]
    mix = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    taken = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 112, 112])
    given = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 8])
    graph = helper.make_graph(nodes, "colours", [taken], [given], [numpy_helper.from_array(mix, "mix")])
    path = tmp_path / "colours.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7), str(path))
    return path


@pytest.fixture
def root(tmp_path: Path, world: Any) -> Path:
    """Forty-eight people with two pictures each, in two folds, with pairs."""
    folder, random = tmp_path / "lfw", np.random.default_rng(0)
    # Of these names each fold has two or more on whom a head is calibrated: a name's hash decides.
    people = [f"Guest_{number:02d}" for number in range(48)]
    for name in people:
        (folder / "lfw-deepfunneled" / name).mkdir(parents=True)
        colour = random.permutation([20, 60, 230]) + random.integers(-20, 20, 3)
        for number in (1, 2):
            x, y = random.integers(40, 70, 2)
            picture = world.face(world.empty(192, 192), tuple(colour.tolist()), int(x), int(y), 80)
            cv2.imwrite(str(folder / "lfw-deepfunneled" / name / f"{name}_{number:04d}.jpg"), picture)
    folds = [people[fold::FOLDS] for fold in range(FOLDS)]
    lines = [line for fold in folds for line in [str(len(fold)), *(f"{name}\t2" for name in fold)]]
    (folder / "people.txt").write_text("\n".join([str(FOLDS), *lines]))
    for part, names in (("Train", people[:30]), ("Test", people[30:])):
        (folder / f"peopleDev{part}.txt").write_text(
            "\n".join([str(len(names)), *(f"{name}\t2" for name in names)])
        )
    pairs = [f"{FOLDS}\t6"]
    for fold in folds:
        pairs += [f"{name}\t1\t2" for name in fold[:6]]
        pairs += [f"{fold[i]}\t1\t{fold[i + 6]}\t1" for i in range(6)]
    (folder / "pairs.txt").write_text("\n".join(pairs))
    return folder


def test_heads_for_all_folds_are_fitted_and_each_is_asked_for_its_own(
    tmp_path: Path,
    backbone: Path,
    root: Path,
    detector: Any,
    recog: Any,
    world: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "frozen"
    train = ("train", "--backbone", backbone, "--root", root, "--out", out, "--set", "backbone.mirror=false")
    ended = recog(*train, "--hold-out", "all")
    assert (ended.code, ended.err) == (0, "")
    assert [path.name for path in sorted(out.iterdir())] == ["frozen-fold-1.onnx", "frozen-fold-2.onnx"]
    card = Embedder(out / "frozen-fold-1.onnx").card
    assert (card["held out"], card["category"]) == ("fold:1", "unrestricted, labelled outside data")
    (kept,) = (root / "embeddings").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    before = kept.stat().st_mtime_ns
    recog(*train, "--hold-out", "fold:1").refused("frozen-fold-1.onnx exists")
    assert recog(*train, "--hold-out", "fold:1", "--overwrite").code == 0
    assert kept.stat().st_mtime_ns == before  # embedded once

    evaluate = ("evaluate", "--root", root, "--out", tmp_path / "evaluation", "--json", "--overwrite")
    assert f"next: recog evaluate --protocol view2 --model {out}\n" in ended.out
    ended = recog(*evaluate, "--protocol", "view2", "--model", out)
    assert (ended.code, ended.err) == (0, "")
    figures = json.loads(ended.out)
    assert figures["held out of the models"] == ["fold:1", "fold:2"]
    assert figures["pairs"]["genuine"] == 12
    assert {"figures.json", "roc.png", "det.png", "scores.png", "pairs.png"} <= {
        path.name for path in (tmp_path / "evaluation").iterdir()
    }
    found = importlib.util.find_spec
    with monkeypatch.context() as base:  # as in the base install, and quicker
        base.setattr("importlib.util.find_spec", lambda name: None if name == "matplotlib" else found(name))
        none = "recog: no pictures, for they need matplotlib: install recog[train]\n"
        ended = recog(*evaluate, "--model", out)
        assert ended.err == f"recog: protocol view2, the people held out of these 2 models\n{none}"
        assert json.loads(ended.out) == figures
        one = out / "frozen-fold-1.onnx"
        ended = recog(*evaluate, "--model", one)
        assert (
            ended.err
            == f"recog: protocol fold:1, the people held out of {one.name}, as its card says\n{none}"
        )
        assert json.loads(ended.out)["protocol"] == "fold:1"
        ended = recog(*evaluate, "--protocol", "fold:2", "--model", one)
        assert (ended.code, ended.err.count("\n")) == (1, 1)
        assert "24 of the 24 people tested were seen" in ended.err
        plain = ("evaluate", "--root", root, "--protocol", "fold:2", "--model", one, "--even-seen")
        ended = recog(*plain, "--out", tmp_path / "base")
    assert (ended.code, ended.err) == (0, none)
    assert "NOT A RESULT: 24 of the 24 people" in ended.out
    assert [path.name for path in (tmp_path / "base").iterdir()] == ["figures.json"]

    photo = world.picture(tmp_path / "a.png", world.RED)
    assert recog("enroll", "--name", "Rosa", "--images", photo, "--model", one).code == 0


def test_without_the_extra_a_head_is_not_begun(
    tmp_path: Path, backbone: Path, root: Path, recog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnx" else found(name))
    ended = recog("train", "--backbone", backbone, "--root", root, "--out", tmp_path / "out")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "install recog[train]" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--backbone", "no.onnx"], "no such model file"),
        (["train", "--backbone", "no.onnx", "--teacher", "a.onnx"], "nothing but a head is fitted"),
        (["train", "--backbone", "no.onnx", "--hold-out", "fold:3"], "has 2 folds"),
        (["evaluate", "--protocol", "view3"], "give view1, view2"),
        (["evaluate", "--pairs", "a.txt"], "give both"),
        (["evaluate", "--protocol", "view2", "--model", "."], "no .onnx files"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, root: Path, recog: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    ended = recog(*arguments, "--root", root, "--out", "out")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert words in ended.err
