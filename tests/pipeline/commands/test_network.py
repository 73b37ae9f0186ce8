"""`recog train` and `recog export`, on a data set like LFW whose people are colours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from siamese import crops, runtime
from siamese.training import checkpoint

SMALL = ["--set", "model.widths=[8,8,8,8]", "--set", "model.blocks=[0,1,1,1]", "--set", "model.embedding=8"]
QUICK = ["--set", "train.batch=8", "--set", "train.threads=1", "--epochs", "1", "--device", "cpu"]


def test_a_network_is_trained_exported_and_recognises(
    tmp_path: Path, world: Any, root: Path, held_out: list[str], detector: Any, recog: Any
) -> None:
    run, model = tmp_path / "run", tmp_path / "models" / "mine.onnx"
    ended = recog("train", "--root", root, "--out", run, *SMALL, *QUICK)
    assert (ended.code, ended.err) == (0, "")
    assert "area under ROC on validation people" in ended.out
    assert {"best.pt", "last.pt", "settings.json", "tensorboard"} <= {path.name for path in run.iterdir()}
    assert json.loads((run / "settings.json").read_text())["model"]["widths"] == [8, 8, 8, 8]
    assert crops.read(root / "crops").found.all()

    frames = detector.frames
    ended = recog("export", "--checkpoint", run / "best.pt", "--root", root, "--out", model)
    assert (ended.code, ended.err) == (0, "")
    assert "calibrated on 9 pairs of one person and 27 of two" in ended.out
    assert detector.frames == frames  # the crops were kept
    assert [path.name for path in model.parent.iterdir()] == ["mine.onnx"]

    photo = world.picture(tmp_path / "a.png", world.RED)
    ended = recog("enroll", "--name", "Rosa", "--images", photo, "--model", model)
    assert (ended.code, ended.err) == (0, "")
    ended = recog("run", "--source", photo, "--model", model, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["frames"] == 1
    # The shipped network did not make this gallery.
    recog("run", "--source", photo).refused("was made with the model mine")

    same = [f"{name}\t{i}\t{j}" for name in held_out for i, j in ((1, 2), (1, 3), (2, 3))]
    two = [f"{held_out[0]}\t{i}\t{held_out[1]}\t{j}" for i in (1, 2) for j in (1, 2, 3)]
    (root / "pairsDevTest.txt").write_text("\n".join(["6", *same, *two]) + "\n")
    out = tmp_path / "evaluation"
    ended = recog("evaluate", "--model", model, "--root", root, "--out", out, "--json")
    assert ended.code == 0
    assert ended.err == "recog: protocol view1, the people held out of mine.onnx, as its card says\n"
    figures = json.loads(ended.out)
    assert (figures["pairs"]["genuine"], figures["pairs"]["impostor"]) == (6, 6)
    assert json.loads((tmp_path / "evaluation" / "figures.json").read_text()) == figures
    assert {path.suffix for path in (tmp_path / "evaluation").iterdir()} == {".json", ".png"}

    ended = recog("train", "--root", root, "--out", tmp_path / "on", *SMALL, *QUICK, "--start", model)
    assert (ended.code, ended.err) == (0, "")
    began = checkpoint.load(tmp_path / "on" / "best.pt")["provenance"]["began with"]
    assert began["precision"] == "int8"
    ended = recog("train", "--root", root, "--out", run, *SMALL, *QUICK, "--resume", "--set", "train.rate=1")
    ended.refused("was trained with other rate")
    recog("export", "--checkpoint", run / "best.pt", "--root", root, "--out", tmp_path).refused("is a folder")


@pytest.mark.parametrize(
    ("file", "words"), [("none.onnx", "no such file"), ("none.pt", "no such checkpoint")]
)
def test_a_wrong_beginning_is_told_before_any_face_is_aligned(
    tmp_path: Path, root: Path, recog: Any, file: str, words: str
) -> None:
    recog("train", "--root", root, "--out", tmp_path / "run", "--start", tmp_path / file).refused(words)
    assert not (root / "crops").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--root", "no"], "peopleDevTrain.txt"),
        (["--device", "tpu"], "give auto, cpu or cuda"),
        (["--extra", "."], "without a --teacher"),
        (["--set", "train.batch=7"], "train.batch"),
        (["--set", "model.widths=[8,8,8]"], "model.widths"),
        (["--out", "file/run"], "cannot be written"),
        (["--resume"], "no such checkpoint"),
        (["--teacher", "no.onnx"], "no.onnx"),
        (["--teacher", "no.onnx,weight=0"], "give FILE, FILE,weight=2"),
        (["--teacher", "no.onnx,weight=much"], "give FILE, FILE,weight=2"),
        (["--teacher", "no.onnx,height=2"], "give FILE, FILE,weight=2"),
        (["--hold-out", "fold:3"], "people.txt has 2 folds"),
        (["--hold-out", "fold"], "give view1, or folds"),
        (["--yunet", "no.onnx"], "no.onnx"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_trained_is_one_line(
    tmp_path: Path, root: Path, detector: Any, recog: Any, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("precious")
    recog("train", "--root", root, "--out", "run", *SMALL, *QUICK, *arguments).refused(words)
    assert (tmp_path / "file").read_text() == "precious"


def colour_teacher(path: Path) -> Path:
    """A model that embeds a face as its mean colour."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["faces"], ["means"]),
        helper.make_node("Flatten", ["means"], ["embedding"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("faces", ["n", 3, 112, 112]), ("embedding", ["n", 3]))
    ]
    graph = helper.make_graph(nodes, "teacher", *ends)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_with_a_teacher_and_more_faces_folds_are_held_out_and_the_model_says_so(
    tmp_path: Path, world: Any, root: Path, detector: Any, recog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, more, run = colour_teacher(tmp_path / "colour.onnx"), tmp_path / "more", tmp_path / "run"
    more.mkdir()
    for number in range(4):
        world.picture(more / f"{number}.png", world.RED)
    monkeypatch.setattr("siamese.training.faces.RESEMBLES", 1.01)  # all is alike in colour
    arguments = ["--root", root, "--out", run, "--hold-out", "fold:2", "--extra", more, *SMALL, *QUICK]
    ended = recog("train", *arguments, "--teacher", f"{teacher},weight=3,divisor=128")
    assert (ended.code, ended.err) == (0, "")
    assert "images a second" in ended.out
    kept = checkpoint.load(run / "best.pt")["provenance"]
    assert (kept["held out"], kept["extra faces"]) == ("fold:2", 4)
    assert (list(kept["teachers"]), kept["weights of the teachers"]) == (["colour.onnx"], [3.0])
    assert kept["outside data"] == "labelled (through teachers)"
    assert len(list((root / "crops").glob("teacher-*.npy"))) == 1
    assert len(list((more / "crops").glob("teacher-*.npy"))) == 1
    ended = recog("export", "--checkpoint", run / "best.pt", "--root", root, "--out", tmp_path / "a.onnx")
    assert (ended.code, ended.err) == (0, "")
    assert runtime.Embedder(tmp_path / "a.onnx").card["held out"] == "fold:2"


def test_further_people_calibrate_an_export_beside_those_of_lfw(
    tmp_path: Path, world: Any, root: Path, detector: Any, recog: Any
) -> None:
    run, more, out = tmp_path / "run", tmp_path / "more", tmp_path / "mine.onnx"
    assert recog("train", "--root", root, "--out", run, *SMALL, *QUICK).code == 0
    lfw = crops.read(root / "crops")
    # Ten pictures of a person of another set who has a name of LFW, of which eight count, and one of another.
    rows = np.array([0] * 10 + [3])
    people = (lfw.people[44],) * 10 + ("Zoe",)
    crops.write(replace(lfw.rows(rows), people=people), more)
    arguments = ["export", "--checkpoint", run / "best.pt", "--root", root, "--out", out, "--overwrite"]
    ended = recog(*arguments, "--also", more)
    assert (ended.code, ended.err) == (0, "")
    # Three of LFW with three pictures each, 9 pairs of one and 27 of two; 28 of the eight. A name is of its
    # set: what stands in both is two people.
    assert f"calibrated on {9 + 28} pairs of one person and {27 + 9 * 9 + 8} of two" in ended.out
    assert runtime.Embedder(out).card["calibrated on"] == "5 people, 18 faces"
    crops.write(replace(lfw.rows(rows), people=("",) * 11), more)
    recog(*arguments, "--also", more).refused("nobody in this crop set has a name")
    recog(*arguments, "--also", tmp_path / "none").refused("no aligned faces here")


def test_without_a_checkpoint_there_is_nothing_to_export(tmp_path: Path, root: Path, recog: Any) -> None:
    recog("export", "--checkpoint", tmp_path / "no.pt", "--root", root).refused("recog train")
    recog("evaluate", "--root", tmp_path / "no").refused("peopleDevTrain.txt")
    (tmp_path / "a.pt").write_bytes(b"nonsense")
    recog("export", "--checkpoint", tmp_path / "a.pt", "--root", root).refused("not a checkpoint")
