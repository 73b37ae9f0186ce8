"""`recog data`, `recog train` and `recog export`, on a data set like LFW whose people are colours."""

from __future__ import annotations

import io
import json
import os
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from siamese import checkpoint, crops, lfw_archive, runtime
from siamese.lfw import split_people

SMALL = ["--set", "model.widths=[8,8,8,8]", "--set", "model.blocks=[0,1,1,1]", "--set", "model.embedding=8"]
QUICK = ["--set", "train.batch=8", "--set", "train.threads=1", "--epochs", "1", "--device", "cpu"]


def names(validation: bool, count: int) -> list[str]:
    """Names that fall on one side of the split."""
    every = [f"Person_{i:03d}" for i in range(200)]
    return split_people(every)[1 if validation else 0][:count]


def write_lfw(root: Path, world: Any, people: dict[str, int], test: list[str]) -> Path:
    """Pictures with one square each, of a colour of the person's own, and the protocol's lists of people."""
    random = np.random.default_rng(0)
    for name, images in people.items():
        folder = root / "lfw-deepfunneled" / name
        folder.mkdir(parents=True)
        colour = random.permutation([20, 60, 230]) + random.integers(-20, 20, 3)
        for number in range(1, images + 1):
            x, y = random.integers(40, 70, 2)
            picture = world.face(world.empty(192, 192), tuple(colour.tolist()), int(x), int(y), 80)
            cv2.imwrite(str(folder / f"{name}_{number:04d}.jpg"), picture)
    halves = [n for n in people if n not in test], test
    folds = [line for half in halves for line in (str(len(half)), *(f"{n}\t{people[n]}" for n in half))]
    (root / "people.txt").write_text("\n".join(["2", *folds]) + "\n")
    for part, chosen in zip(("Train", "Test"), halves, strict=True):
        lines = [str(len(chosen)), *(f"{name}\t{people[name]}" for name in chosen)]
        (root / f"peopleDev{part}.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def root(tmp_path: Path, world: Any) -> Path:
    """Ten people to fit and three to validate on with three pictures each, and two held out."""
    fit, validation = names(False, 12), names(True, 3)
    people = dict.fromkeys([*fit, *validation], 3)
    return write_lfw(tmp_path / "lfw", world, people, test=fit[10:])


def one_line(ended: Any, words: str) -> None:
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith("recog: ")
    assert words in ended.err


def test_a_network_is_trained_exported_and_recognises(
    tmp_path: Path, world: Any, root: Path, detector: Any, recog: Any
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
    one_line(recog("run", "--source", photo), "was made with the model mine")

    held_out = names(False, 12)[10:]
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
    one_line(ended, "was trained with other rate")
    one_line(
        recog("export", "--checkpoint", run / "best.pt", "--root", root, "--out", tmp_path), "is a folder"
    )


@pytest.mark.parametrize(
    ("file", "words"), [("none.onnx", "no such file"), ("none.pt", "no such checkpoint")]
)
def test_a_wrong_beginning_is_told_before_any_face_is_aligned(
    tmp_path: Path, root: Path, recog: Any, file: str, words: str
) -> None:
    one_line(recog("train", "--root", root, "--out", tmp_path / "run", "--start", tmp_path / file), words)
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
    one_line(recog("train", "--root", root, "--out", "run", *SMALL, *QUICK, *arguments), words)
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
    monkeypatch.setattr("siamese.faces.RESEMBLES", 1.01)  # all is alike in colour
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


def test_without_a_checkpoint_there_is_nothing_to_export(tmp_path: Path, root: Path, recog: Any) -> None:
    one_line(recog("export", "--checkpoint", tmp_path / "no.pt", "--root", root), "recog train")
    one_line(recog("evaluate", "--root", tmp_path / "no"), "peopleDevTrain.txt")
    (tmp_path / "a.pt").write_bytes(b"nonsense")
    one_line(recog("export", "--checkpoint", tmp_path / "a.pt", "--root", root), "not a checkpoint")


def test_faces_are_aligned_once_and_again_when_what_is_there_does_not_fit(
    tmp_path: Path, world: Any, root: Path, detector: Any, recog: Any
) -> None:
    ended = recog("data", "align", "--root", root)
    assert (ended.code, ended.err) == (0, "")
    assert "45 faces aligned; in 0 images none was found" in ended.out
    assert detector.frames == 45
    assert recog("data", "align", "--root", root).code == 0
    assert detector.frames == 45
    (root / "crops" / "faces.json").write_text("{ damaged")
    assert recog("data", "align", "--root", root).code == 0
    assert detector.frames == 90
    # One picture less, and one without a face.
    someone = sorted((root / "lfw-deepfunneled").iterdir())[0]
    (someone / f"{someone.name}_0003.jpg").unlink()
    cv2.imwrite(str(someone / f"{someone.name}_0002.jpg"), world.empty())
    assert "44 faces aligned; in 1 images none was found" in recog("data", "align", "--root", root).out


def test_pictures_without_names_can_be_aligned_too(
    tmp_path: Path, world: Any, detector: Any, recog: Any
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    world.picture(photos / "a.png", world.RED)
    ended = recog("data", "align", "--images", photos, "--out", tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")
    assert crops.read(tmp_path / "out").people == ("",)
    (tmp_path / "file").write_text("")
    one_line(
        recog("data", "align", "--images", photos, "--out", tmp_path / "file" / "out"), "cannot be written"
    )
    (photos / "b.jpg").write_bytes(b"nonsense")
    one_line(recog("data", "align", "--images", photos, "--out", tmp_path / "out"), "b.jpg")
    (tmp_path / "empty").mkdir()
    one_line(recog("data", "align", "--images", tmp_path / "empty"), "no pictures")
    one_line(recog("data", "align", "--root", tmp_path / "no"), "recog data lfw")


def test_triplets_are_made_of_the_people_to_train_on(tmp_path: Path, root: Path, recog: Any) -> None:
    out = tmp_path / "data"
    ended = recog("data", "triplets", "--root", root, "--out", out, "--count", "7")
    assert (ended.code, ended.err) == (0, "")
    assert "7 rows in anchor, positive and negative" in ended.out
    files = {kind: sorted(os.listdir(out / kind)) for kind in ("anchor", "positive", "negative")}
    assert [len(each) for each in files.values()] == [7, 7, 7]
    held_out = names(False, 12)[10:]
    assert not [name for each in files.values() for name in each if any(who in name for who in held_out)]
    one_line(recog("data", "triplets", "--root", tmp_path / "no", "--out", out), "peopleDevTrain.txt")
    (out / "anchor" / "mine.jpg").write_text("precious")
    one_line(recog("data", "triplets", "--root", root, "--out", out), "not made by recog")
    assert (out / "anchor" / "mine.jpg").read_text() == "precious"


def archive(path: Path, root: Path, *more: str) -> Path:
    """The pictures of a folder as a tar file, with empty members of these names."""
    with tarfile.open(path, "w:gz") as tar:
        tar.add(root / "lfw-deepfunneled", "lfw-deepfunneled")
        for name in more:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> None:
    """A complete LFW has as many pictures as `root`, and no protocol."""
    nowhere = lfw_archive.Source("lfw.tgz", 1, "md5:0", ())
    small = lfw_archive.Release(nowhere, (), images=45, people=15)
    monkeypatch.setattr(lfw_archive, "prepare", partial(lfw_archive.prepare, release=small))


def test_lfw_comes_from_an_archive_and_only_once(
    tmp_path: Path, root: Path, recog: Any, release: None
) -> None:
    packed, out = archive(tmp_path / "lfw.tgz", root), tmp_path / "data" / "lfw"
    ended = recog("data", "lfw", "--archive", packed, "--root", out)
    assert (ended.code, ended.err) == (0, "")
    assert "45 images of 15 people, complete" in ended.out
    assert "already complete" in recog("data", "lfw", "--archive", packed, "--root", out).out


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda t, root: t / "no.tgz", "not found"),
        (lambda t, root: root / "peopleDevTrain.txt", "not a tar file"),
        (lambda t, root: archive(t / "a.tgz", root, "../../evil.jpg"), "would leave the folder"),
        (lambda t, root: archive(t / "a.tgz", root, "More_People/More_People_0001.jpg"), "more than the 45"),
    ],
    ids=["missing", "a text", "hostile", "too many"],
)
def test_an_archive_that_is_not_lfw_is_one_line_and_leaves_nothing(
    tmp_path: Path, root: Path, recog: Any, release: None, make: Any, words: str
) -> None:
    out = tmp_path / "out" / "lfw"
    one_line(recog("data", "lfw", "--archive", make(tmp_path, root), "--root", out), words)
    assert list(out.iterdir()) == []
    assert not (tmp_path / "evil.jpg").exists()


def test_a_protocol_folder_without_the_protocol_is_one_line(tmp_path: Path, recog: Any) -> None:
    one_line(
        recog("data", "lfw", "--protocol", tmp_path, "--root", tmp_path / "lfw"), "should hold pairs.txt"
    )
