"""Building the sets of the protocol `wild`, measuring on them, and training beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pipeline.training.wild import turn_of
from siamese import wild
from siamese.lfw.files import split_people
from siamese.training import checkpoint

FIT = split_people([f"Person_{number:03d}" for number in range(200)])[0][0]  # of those who `root` fits
SMALL = ["--set", "model.widths=[8,8,8,8]", "--set", "model.blocks=[0,1,1,1]", "--set", "model.embedding=8"]
QUICK = ["--set", "train.batch=8", "--set", "train.threads=1", "--epochs", "1", "--device", "cpu"]


def pattern_teacher(path: Path) -> Path:
    """An embedder that says how colours are spread over a crop: two patterns are nearly at right angles."""
    nodes = [
        helper.make_node("AveragePool", ["faces"], ["cells"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("GlobalAveragePool", ["faces"], ["mean"]),
        helper.make_node("Sub", ["cells", "mean"], ["spread"]),
        helper.make_node("Flatten", ["spread"], ["embedding"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("faces", ["n", 3, 112, 112]), ("embedding", ["n", 147]))
    ]
    graph = helper.make_graph(nodes, "teacher", *ends)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


class Patterns:
    """Aligned crops of people who are patterns of colours."""

    def __init__(self, folder: Path, seed: int = 11) -> None:
        self.folder, self.lines = folder, ["file,source,identity,age"]
        self.random = np.random.default_rng(seed)
        folder.mkdir()

    def pattern(self) -> np.ndarray:
        # Alike left and right: teachers see a face and its mirror image.
        half = self.random.integers(0, 256, (7, 4, 3))
        return np.concatenate([half, half[:, 2::-1]], axis=1).astype(np.uint8)

    def add(
        self, source: str, person: str, count: int, pattern: np.ndarray | None = None, age: str = ""
    ) -> None:
        pattern = self.pattern() if pattern is None else pattern
        for _ in range(count):
            cells = np.clip(pattern + self.random.normal(0, 12, pattern.shape), 0, 255).astype(np.uint8)
            name = f"{len(self.lines):04d}.png"
            cv2.imwrite(
                str(self.folder / name), cv2.resize(cells, (112, 112), interpolation=cv2.INTER_NEAREST)
            )
            self.lines.append(f"{name},{source},{person},{age}")

    def finish(self) -> Path:
        (self.folder / "faces.csv").write_text("\n".join(self.lines) + "\n")
        return self.folder


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    return pattern_teacher(tmp_path / "patterns.onnx")


@pytest.fixture
def faces(tmp_path: Path, held_out: list[str]) -> Path:
    """Thirty people of two sources, two who are one, film frames of two people of LFW, sixty strangers."""
    made = Patterns(tmp_path / "faces")
    twice = made.pattern()
    for number in range(15):
        made.add("films", f"film{number}", 4)
        made.add("streets", f"street{number}", 3)
    made.add("films", "Twin A", 5, twice)
    made.add("streets", "Twin B", 3, twice)
    made.add("frames", held_out[0], 3)
    made.add("frames", FIT, 3)  # who is learned from
    made.add("films", "Once", 1)
    for number in range(60):
        made.add("streets", "", 1, age=str(number))
    made.add("streets", "", 1, twice)  # looks like Twin A
    return made.finish()


def built(recog: Any, faces: Path, root: Path, teacher: Path, out: Path, *more: object) -> Any:
    amounts = ["--strangers", 24, "--cohort", 20, "--hold-out", "view1"]
    return recog("data", "wild", faces, "--root", root, "--teacher", teacher, "--out", out, *amounts, *more)


def test_sets_are_built_once_of_people_who_are_nobody_else(
    tmp_path: Path, root: Path, held_out: list[str], faces: Path, teacher: Path, detector: Any, recog: Any
) -> None:
    out = tmp_path / "wild"
    ended = built(recog, faces, root, teacher, out, "--json")
    assert (ended.code, ended.err) == (0, "")
    described = json.loads(ended.out)
    assert described["people left out, alike with another"] == 1
    assert described["of LFW"] == [held_out[0]]
    sets = {part: wild.read(out / part) for part in wild.PARTS}
    people = {part: set(each.crops.people) - {""} for part, each in sets.items()}
    # Who is held out of LFW is reported on; who is learned from, who is two, and who is once, are not there.
    assert held_out[0] in people["test"]
    everybody = people["test"] | people["validation"]
    assert len(everybody) == 32
    assert not {FIT, "Once", "Twin B"} & everybody
    assert not people["test"] & people["validation"]
    assert len(people["test"]) > len(people["validation"]) > 0
    assert people["cohort"] == set()
    strangers = {part: each.crops.people.count("") for part, each in sets.items()}
    assert strangers == {"validation": 12, "test": 24, "cohort": 20}
    files = [file for each in sets.values() for file in each.crops.files]
    assert len(files) == len(set(files))
    assert np.isfinite(sets["cohort"].age).all()
    assert not (out / "work").exists()
    built(recog, faces, root, teacher, out).refused("built once and for good")


def test_who_is_alike_with_anybody_of_lfw_is_in_no_set(
    tmp_path: Path, root: Path, faces: Path, teacher: Path, detector: Any, recog: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("pipeline.training.wild.PEOPLE_ALIKE", -1.0)
    built(recog, faces, root, teacher, tmp_path / "wild").refused("too few people")


def test_a_model_is_measured_on_the_sets_and_trained_beside_them(
    tmp_path: Path, root: Path, faces: Path, teacher: Path, detector: Any, recog: Any
) -> None:
    out, run, model = tmp_path / "wild", tmp_path / "run", tmp_path / "mine.onnx"
    assert built(recog, faces, root, teacher, out).code == 0
    more = tmp_path / "more"
    learned = Patterns(more, seed=12)
    learned.add("other", "Nora", 3)
    learned.add("other", "", 2)
    learned.finish()
    arguments = ["--root", root, "--out", run, "--wild", out, *SMALL, *QUICK]
    folders = ["--extra", more, "--extra", faces]
    ended = recog("train", *arguments, *folders, "--teacher", teacher)
    assert (ended.code, ended.err) == (0, "")
    assert "mean of LFW's and wild ones" in ended.out
    state = checkpoint.load(run / "best.pt")
    kept = state["provenance"]
    assert kept[wild.HELD_OUT] == wild.fingerprint(out)
    assert state["judged by"] == ["validation", "wild validation"]
    sets = [wild.read(out / part).crops for part in wild.PARTS]
    # All that is in the sets stays out, and what looks like it.
    assert kept["extra faces left out because they resemble held-out people"] >= sum(map(len, sets))
    # Those of the person of LFW who is learned from, and Nora.
    assert kept["extra faces with names"] >= 6
    assert {path.name for path in (more / "crops").iterdir()} >= {"faces.json", "images.npy"}

    ended = recog("train", *arguments[:4], *SMALL, *QUICK, *folders, "--teacher", teacher, "--resume")
    ended.refused("was trained on other faces")
    exported = ["export", "--checkpoint", run / "best.pt", "--root", root, "--out", model]
    ended = recog(*exported)
    assert (ended.code, ended.err) == (0, "")
    ended = recog(
        "evaluate", "--protocol", "wild", "--wild", out, "--model", model, "--out", tmp_path / "figures"
    )
    assert (ended.code, ended.err) == (0, "")
    assert "left out of the model's training, as its card says" in ended.out
    assert "open set, frontal" in ended.out
    assert {path.name for path in (tmp_path / "figures").iterdir()} >= {"figures.json", "map.png"}


def test_a_network_begun_with_one_that_may_have_seen_them_does_not_claim_otherwise(
    tmp_path: Path, root: Path, faces: Path, teacher: Path, detector: Any, recog: Any
) -> None:
    out, arguments = tmp_path / "wild", ["--root", root, *SMALL, *QUICK]
    assert built(recog, faces, root, teacher, out).code == 0
    assert recog("train", *arguments, "--out", tmp_path / "one").code == 0
    start = ["--start", tmp_path / "one" / "best.pt"]
    assert recog("train", *arguments, "--out", tmp_path / "two", "--wild", out, *start).code == 0
    assert wild.HELD_OUT not in checkpoint.load(tmp_path / "two" / "best.pt")["provenance"]
    ended = recog("train", *arguments, "--out", tmp_path / "one", "--resume", "--wild", out)
    ended.refused("was chosen without wild people")


def test_what_is_missing_or_does_not_fit_is_one_line(
    tmp_path: Path, root: Path, faces: Path, teacher: Path, detector: Any, recog: Any
) -> None:
    out = tmp_path / "wild"
    built(recog, tmp_path / "none", root, teacher, out).refused("no such folder")
    built(recog, faces, root, tmp_path / "none.onnx", out).refused("none.onnx")
    recog("evaluate", "--protocol", "wild", "--wild", out).refused("recog data wild")
    recog("train", "--root", root, "--wild", out, *SMALL, *QUICK).refused("recog data wild")
    assert built(recog, faces, root, teacher, out).code == 0
    arguments = ["train", "--root", root, "--out", tmp_path / "run", "--wild", out, *SMALL, *QUICK]
    recog(*arguments, "--hold-out", "fold:2").refused("give --hold-out view1")
    recog(*arguments, "--triplets", tmp_path).refused("leave --teacher")
    two = ["--extra", root, "--extra", faces]
    recog("train", "--root", root, "--triplets", tmp_path, *two).refused("the folder of LFW, once")


def test_a_head_is_measured_as_the_detector_finds_it_in_the_crop(world: Any, detector: Any) -> None:
    crop = world.face(world.empty(112, 112), world.RED, 16, 16, 80)
    assert turn_of(crop, detector) == pytest.approx(0, abs=0.02)
    assert np.isnan(turn_of(world.empty(112, 112), detector))
