"""`recog models adopt`: from somebody's ONNX file to a model that every command takes."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import resource
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.models import catalogue, local
from pipeline.models.catalogue import CATALOGUE, EMBEDDER, Entry
from siamese.cohort import cohort_path, read
from siamese.frozen.settings import BackboneSettings
from siamese.runtime import Embedder

FOLDS = 10


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder, empty."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "recog" / "models"


def write_backbone(path: Path, side: int = 112, kind: str = "colours") -> Path:
    """An embedder of colours: the mean of each plane, mixed. It wants BGR, x / 255; else it is blinded."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "mix"], ["mixed"]),
    ]
    if kind == "noise":  # all faces are one to it
        nodes.append(helper.make_node("Mul", ["mixed", "nothing"], ["none"]))
        nodes.append(helper.make_node("Add", ["none", "mix row"], ["output"]))
    elif kind == "finds":  # as many rows as there are bright planes, as a detector gives
        nodes += [
            helper.make_node("Greater", ["mixed", "nothing"], ["bright"]),
            helper.make_node("NonZero", ["bright"], ["places"]),
            helper.make_node("Cast", ["places"], ["output"], to=TensorProto.FLOAT),
        ]
    else:
        nodes.append(helper.make_node("Tanh", ["mixed"], ["output"]))
    mix = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    constants = {"mix": mix, "mix row": mix[0], "nothing": np.array(0, np.float32)}
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    taken = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, side, side])
    given = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "colours", [taken], [given], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7), str(path))
    return path


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    return write_backbone(tmp_path / "colours.onnx")


@pytest.fixture
def root(tmp_path: Path, world: Any) -> Path:
    """A hundred and sixty people in ten folds with pairs; every fourth has one picture, the others two."""
    folder, random = tmp_path / "lfw", np.random.default_rng(0)
    people = {f"Guest_{number:03d}": 1 if number % 4 == 3 else 2 for number in range(160)}
    for name, images in people.items():
        (folder / "lfw-deepfunneled" / name).mkdir(parents=True)
        colour = random.permutation([20, 60, 230]) + random.integers(-20, 20, 3)
        for number in range(1, images + 1):
            x, y = random.integers(40, 70, 2)
            picture = world.face(world.empty(192, 192), tuple(colour.tolist()), int(x), int(y), 80)
            cv2.imwrite(str(folder / "lfw-deepfunneled" / name / f"{name}_{number:04d}.jpg"), picture)
    names = list(people)
    folds = [names[fold * 16 : fold * 16 + 16] for fold in range(FOLDS)]
    lines = [
        line for fold in folds for line in [str(len(fold)), *(f"{name}\t{people[name]}" for name in fold)]
    ]
    (folder / "people.txt").write_text("\n".join([str(FOLDS), *lines]))
    for part, chosen in (("Train", names[:100]), ("Test", names[100:])):
        (folder / f"peopleDev{part}.txt").write_text(
            "\n".join([str(len(chosen)), *(f"{name}\t{people[name]}" for name in chosen)])
        )
    pairs = [f"{FOLDS}\t6"]
    for fold in folds:
        two = [name for name in fold if people[name] == 2]
        pairs += [f"{name}\t1\t2" for name in two[:6]]
        pairs += [f"{two[i]}\t1\t{two[i + 6]}\t1" for i in range(6)]
    (folder / "pairs.txt").write_text("\n".join(pairs))
    return folder


def test_an_embedder_of_others_becomes_a_model_like_every_other(
    tmp_path: Path, backbone: Path, root: Path, detector: Any, recog: Any, world: Any, home: Path
) -> None:
    ended = recog("models", "adopt", backbone, "--root", root)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "licence: not stated; ask whoever made it"
    assert lines[1].startswith("input: ")
    assert "is best of 10: " in lines[1]
    assert "recog gallery migrate --model colours" in ended.out
    assert lines[-1].startswith("folds 9 and 10: ")
    assert ", shipped " in lines[-1]

    model = home / "adopted" / "colours.onnx"
    embedder = Embedder(model)
    assert embedder.card["held out"] == "fold:9,10"
    assert embedder.card["category"] == "unrestricted, labelled outside data"
    assert embedder.card["backbone"]["sha256"] == hashlib.sha256(backbone.read_bytes()).hexdigest()
    assert sorted(path.name for path in model.parent.iterdir()) == [
        "SHA256SUMS", "colours.cohort.npz", "colours.onnx",
    ]  # fmt: skip
    cohort = read(cohort_path(model), embedder.digest)
    tested = {f"Guest_{number:03d}" for number in range(128, 160)}
    everybody = {folder.name for folder in (root / "lfw-deepfunneled").iterdir()}
    alone = {name for name in everybody - tested if int(name[-3:]) % 4 == 3}
    assert len(set(cohort.people)) > len(alone)  # and those who are calibrated on
    assert "nobody of those reported on" in cohort.source
    for kept in (root / "embeddings").iterdir():
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    # Every command takes it by its name.
    row = {row["name"]: row for row in json.loads(recog("models", "list", "--json").out)}["colours"]
    assert (row["kind"], row["state"], row["file"]) == ("embedder", "adopted, verified", str(model))
    assert recog("models", "verify", "colours").out == "colours: OK\n"
    assert json.loads(recog("models", "show", "colours", "--json").out)["file"] == str(model)
    ended = recog("evaluate", "--model", "colours", "--root", root, "--out", tmp_path / "e", "--json")
    assert ended.code == 0, ended.err
    accuracy = json.loads(ended.out)["pairs"]["accuracy"]["value"]
    assert f"folds 9 and 10: {accuracy:.1%}, shipped" in lines[-1]
    photo = world.picture(tmp_path / "a.png", world.RED)
    assert recog("enroll", "--name", "Rosa", "--images", photo, "--model", "colours").code == 0
    ended = recog("run", "--source", photo, "--model", "colours", "--json")
    assert (ended.code, json.loads(ended.out)["frames"]) == (0, 1)
    ended = recog("calibrate", "--model", "colours", "--target-fpir", "10%")
    assert ended.code == 0, ended.err


def test_a_gallery_comes_over_to_an_adopted_model(
    tmp_path: Path, backbone: Path, root: Path, detector: Any, recog: Any, world: Any
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    assert recog("enroll", "--name", "Rosa", "--images", photo).code == 0
    assert recog("models", "adopt", backbone, "--root", root, "--name", "mine").code == 0
    recog("run", "--source", photo, "--model", "mine").refused("gallery migrate")
    ended = recog("gallery", "migrate", "--model", "mine")
    assert (ended.code, "1 photo embedded again" in ended.out) == (0, True)
    assert recog("run", "--source", photo, "--model", "mine").code == 0


def test_interrupted_it_goes_on_and_ends_with_the_same_model(
    tmp_path: Path, backbone: Path, root: Path, detector: Any, recog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from siamese.frozen.backbone import Backbone

    monkeypatch.setattr("pipeline.training.align_set.PORTION", 16)
    monkeypatch.setattr("pipeline.training.frozen.BATCH", 8)
    monkeypatch.setattr("pipeline.build.threads", lambda settings: 1)

    def stop(frame: int) -> None:
        if frame == 100:
            raise KeyboardInterrupt

    detector.before = stop
    adopt = ("models", "adopt", backbone, "--root", root, "--json")
    assert recog(*adopt).code == 130
    assert 100 < detector.frames < 120  # whoever helps may have begun another one
    detector.before = lambda frame: None

    plain, seen = Backbone.embed, [0]

    def embed(self: Backbone, crops: Any) -> Any:
        seen[0] += len(crops) == 8  # those that are kept come in eights
        if seen[0] == 10:
            raise KeyboardInterrupt
        return plain(self, crops)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(Backbone, "embed", embed)
        assert recog(*adopt).code == 130
    aligned = detector.frames
    assert aligned < 300  # of 280 pictures hardly one was looked at twice
    (part,) = (root / "embeddings").glob("*.part")
    assert part.stat().st_size > 128 + 8 * 8 * 4
    ended = recog(*adopt)
    assert (ended.code, detector.frames) == (0, aligned)
    first = json.loads(ended.out)
    model = Path(first["file"])
    before = Embedder(model).embed(np.full((1, 112, 112, 3), 90, np.uint8))
    assert json.loads(recog(*adopt).out) == first
    shutil.rmtree(root / "embeddings")
    shutil.rmtree(root / "crops-adopt")
    assert json.loads(recog(*adopt).out) == first
    np.testing.assert_array_equal(Embedder(model).embed(np.full((1, 112, 112, 3), 90, np.uint8)), before)


def test_crops_that_are_there_already_serve(backbone: Path, root: Path, detector: Any, recog: Any) -> None:
    assert recog("data", "align", "--root", root).code == 0
    frames = detector.frames
    assert recog("models", "adopt", backbone, "--root", root).code == 0
    assert detector.frames == frames
    assert not (root / "crops-adopt").exists()


@pytest.fixture
def offered(backbone: Path, served: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """An embedder in the catalogue, on a server of our own."""
    content = backbone.read_bytes()
    (served / "colours_2021.onnx").write_bytes(content)
    made = Entry(
        "colourface", "colours_2021.onnx", EMBEDDER, len(content), hashlib.sha256(content).hexdigest(),
        "Apache-2.0", ((served / "address").read_text() + "/colours_2021.onnx",), "adopt it",
        BackboneSettings(colour="bgr", mean=0, scale=255),
    )  # fmt: skip
    for module in (catalogue, local):
        monkeypatch.setattr(module, "CATALOGUE", (made, *CATALOGUE))
    return made


def test_one_of_the_catalogue_is_pulled_after_asking_and_its_input_is_known(
    root: Path, detector: Any, recog: Any, offered: Entry, home: Path, world: Any, tmp_path: Path
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    enroll = ("enroll", "--name", "Rosa", "--images", photo, "--model", "colourface")
    recog(*enroll).refused("recog models adopt colourface")
    ended = recog("models", "adopt", "colourface", "--root", root)
    ended.refused("nothing was downloaded: nobody can be asked here; say --yes")
    for shown in (offered.urls[0], f"{offered.size:,} bytes", offered.sha256, "Apache-2.0"):
        assert shown in ended.out
    assert not home.exists()
    ended = recog("models", "adopt", "colourface", "--root", root, "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert "licence: Apache-2.0\n" in ended.out
    assert "input: BGR, x / 255: " in ended.out
    assert (home / "colours_2021.onnx").read_bytes() == (home.parents[2] / "colours.onnx").read_bytes()
    model = Embedder(home / "adopted" / "colourface.onnx")
    assert model.card["licence"] == "the head: MIT; the backbone: Apache-2.0"
    assert recog(*enroll).code == 0
    # Both are told of; the name stands for the one that can be used.
    states = [
        row["state"]
        for row in json.loads(recog("models", "list", "--json").out)
        if row["name"] == "colourface"
    ]
    assert states == ["adopted, verified", "pulled, verified"]
    assert json.loads(recog("models", "show", "colourface", "--json").out)["kind"] == "embedder"
    assert recog("models", "verify").code == 0


def test_sface_is_recommended_and_fed_as_its_makers_do() -> None:
    sface = catalogue.entry("sface")
    assert (sface.kind, sface.licence) == (EMBEDDER, "Apache-2.0")
    assert sface.wants is not None
    assert sface.wants.words() == "RGB, bytes as they are"


def test_of_edgeface_both_licences_are_told(backbone: Path, root: Path, detector: Any, recog: Any) -> None:
    other = shutil.copyfile(backbone, backbone.with_name("EdgeFace_xs.onnx"))
    out = recog("models", "adopt", other, "--root", root).out
    assert "BSD-3-Clause" in out
    assert "CC BY-NC-SA 4.0" in out


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """A disk on which no file grows beyond this size, in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_without_room_it_says_so_and_goes_on_when_there_is(
    backbone: Path, root: Path, detector: Any, recog: Any, home: Path
) -> None:
    adopt = ("models", "adopt", backbone, "--root", root)
    with room_for(4_000_000):
        recog(*adopt).refused(
            "crops-adopt: cannot be written (File too large); what is aligned so far is kept"
        )
    assert recog(*adopt).code == 0
    aligned = detector.frames
    assert aligned < 400
    shutil.rmtree(home)
    shutil.rmtree(root / "embeddings")
    with room_for(5000):
        recog(*adopt).refused("cannot be written (File too large); what is embedded so far is kept")
    with room_for(9000):  # enough for the embeddings of 280 faces, not for the model
        recog(*adopt, "--set", "backbone.mirror=false").refused("cannot be written")
    assert list(home.rglob("*.onnx")) == []
    assert recog(*adopt).code == 0
    assert detector.frames == aligned


def test_what_cannot_be_adopted_is_one_line(
    tmp_path: Path, backbone: Path, root: Path, detector: Any, recog: Any, home: Path
) -> None:
    def refused(words: str, *arguments: object) -> None:
        recog("models", "adopt", *arguments).refused(words)

    (tmp_path / "text.onnx").write_text("no model")
    refused("not an ONNX model", tmp_path / "text.onnx", "--root", root)
    refused("no such model file", tmp_path / "none.onnx", "--root", root)
    refused("no model of this name", "colors", "--root", root)
    refused("only embedders can be adopted", "yunet", "--root", root)
    small, finds = (
        write_backbone(tmp_path / f"{name}.onnx", **made)
        for name, made in (("small", {"side": 96}), ("finds", {"kind": "finds"}))
    )
    refused("a face embedder takes (n, 3, 112, 112), not (n, 3, 96, 96)", small, "--root", root)
    refused("not an embedding of one length", finds, "--root", root)
    refused(
        "cannot be run on faces (n, 3, 112, 112): no face embedder",
        local.known("face-n").path,
        "--root",
        root,
    )  # a detector
    assert detector.frames == 0  # all of that is told before the work
    refused("LFW is not here; say where it is with --root", backbone, "--root", tmp_path / "no")
    refused("no such file", backbone, "--root", tmp_path / "no", "--archive", tmp_path / "no.tgz")
    (tmp_path / "lfw.tgz").touch()  # its lists would be downloaded, and nobody was asked
    bare = ("--root", tmp_path / "no", "--archive", tmp_path / "lfw.tgz")
    refused("peopleDevTest.txt of LFW are not beside", backbone, *bare)
    refused("another model is called so", backbone, "--root", root, "--name", "face-n")
    refused("another model is called so", backbone, "--root", root, "--name", "sface")
    refused("give letters, digits", backbone, "--root", root, "--name", "a/b")
    noise = write_backbone(tmp_path / "noise.onnx", kind="noise")
    refused("does not tell people apart", noise, "--root", root)
    assert not (home / "adopted").exists()
    assert recog("models", "adopt", backbone, "--root", root).code == 0
    refused("made of another embedder before", noise, "--root", root, "--name", "colours")
    (root / "pairs.txt").unlink()
    refused("pairs.txt", backbone, "--root", root)


def test_without_the_extra_nothing_is_begun(
    backbone: Path, root: Path, recog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnx" else found(name))
    recog("models", "adopt", backbone, "--root", root).refused("install recog[adopt]")
    assert not (root / "crops-adopt").exists()
