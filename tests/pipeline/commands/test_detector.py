"""`recog detector evaluate` and its neighbours, on two sets of a few real faces."""

from __future__ import annotations

import importlib.util
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline import detectors
from pipeline.config import DetectSettings
from pipeline.detection.evaluation import timing
from pipeline.detection.files import SECOND_STAGE
from pipeline.detection.yolo import DEFAULT, YoloDetector
from pipeline.outputs.demo_film import photographs
from siamese.shipped import sha256


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few timed calls instead of hundreds."""
    monkeypatch.setattr(timing, "in_rounds", partial(timing.in_rounds, rounds=2, calls=3))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data sets of two photographs of the test fifth each, with boxes that our own detector drew."""
    folder = tmp_path_factory.mktemp("drawn")
    photo = photographs().known
    faces = YoloDetector(settings=DetectSettings(size=320))
    for name in ("one", "two"):
        images = folder / name / "images"
        images.mkdir(parents=True)
        rows = ["image,width,height,x1,y1,x2,y2,kind"]
        for number, width in ((5, 256), (10, 320), (11, 200)):
            picture = cv2.resize(photo, (width, 300))
            cv2.imwrite(str(images / f"{number:05}.jpg"), picture)
            box = faces.detect(np.asarray(picture, np.uint8)).boxes[0].round().astype(int).tolist()
            rows.append(f"{number:05}.jpg,{width},300,{','.join(map(str, box))},bare")
        rows.append("00005.jpg,256,300,2,260,30,290,bare")  # a face that nobody finds
        (folder / name / "boxes.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def sets(drawn: Path, tmp_path: Path) -> list[Path]:
    """Both of them, for one test."""
    return [shutil.copytree(drawn / name, tmp_path / name) for name in ("one", "two")]


def wild(sets: list[Path]) -> list[object]:
    return [word for folder in sets for word in ("--wild", folder)]


@pytest.fixture
def yunet(shared: Path) -> Path:
    path = shared / "models" / "yunet_n_dynamic.onnx"
    if not path.is_file():
        pytest.skip(f"needs YuNet: {path} is missing")
    return path


def test_several_detectors_stand_beside_yunet_in_one_run(
    tmp_path: Path, sets: list[Path], yunet: Path, recog: Any
) -> None:
    ours, out, pictures = (
        shutil.copy(DEFAULT, tmp_path / "mine.onnx"),
        tmp_path / "out",
        tmp_path / "failures",
    )
    before = cv2.getNumThreads()
    ended = recog(
        "detector", "evaluate", *wild(sets), "--detector", "face-n", "--detector", ours, "--yunet", yunet,
        "--size", "320", "--failures", pictures, "--out", out,
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    assert cv2.getNumThreads() == before
    for words in ("AP50", "mean of sets", "yunet 320", "mine 320", "a call, 640 x 360 at 320"):
        assert words in ended.out
    found = json.loads((out / "detector.json").read_text())
    names = ["face-n 320", "mine 320", "yunet 320"]
    assert list(found["figures"]) == ["one", "two"]
    for figures in found["figures"].values():
        assert list(figures) == names
        assert figures["face-n 320"]["ap50"] == figures["mine 320"]["ap50"] == pytest.approx(2 / 3)
        assert figures["face-n 320"]["landmarks_compared"] == 2
        assert figures["face-n 320"]["landmark_median"] < 0.2
    low, high = found["mean of sets"]["face-n 320"]["ap50_interval"]
    assert low <= found["mean of sets"]["face-n 320"]["ap50"] <= high
    times = found["milliseconds of a call"]
    assert times["reference"] == "yunet 320"
    assert times["yunet 320"]["times the reference"] == 1
    assert 0 < times["face-n 320"]["fastest"] <= times["face-n 320"]["median"]
    assert found["second stage"] == sha256(SECOND_STAGE)
    assert found["models"]["mine"]["sha256"] == found["models"]["face-n"]["sha256"]
    assert found["data"]["one"]["faces"] == 3
    assert found["data"]["one"]["sha256"] != found["data"]["two"]["sha256"]
    assert {"commit", "versions", "machine", "settings"} <= found.keys()
    assert sorted(path.name for path in out.iterdir()) == [
        "detector-one.png", "detector-two.png", "detector.json",
    ]  # fmt: skip
    assert {"one-face-n-320-missed.jpg", "two-face-n-320-missed.jpg"} <= {p.name for p in pictures.iterdir()}


def test_lfw_is_checked_on_a_sample_and_json_goes_to_stdout(
    tmp_path: Path, sets: list[Path], recog: Any
) -> None:
    lfw = tmp_path / "lfw"
    for name in ("Ann_A", "Bo_B"):
        (lfw / "lfw-deepfunneled" / name).mkdir(parents=True)
        cv2.imwrite(str(lfw / "lfw-deepfunneled" / name / f"{name}_0001.jpg"), photographs().known)
    (lfw / "peopleDevTrain.txt").write_text("1\nAnn_A\t1\n")
    (lfw / "peopleDevTest.txt").write_text("1\nBo_B\t1\n")
    ended = recog(
        "detector", "evaluate", "--wild", sets[0], "--size", "64", "--lfw", lfw, "--lfw-images", "1",
        "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert found == json.loads((tmp_path / "out" / "detector.json").read_text())
    assert (found["lfw"]["face-n 320"]["images"], found["lfw"]["face-n 320"]["without_faces"]) == (1, 0)
    assert found["lfw"]["face-n 320"]["landmark_median"] is None  # without YuNet there is nothing to compare


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--detector", "face-x"], "face-x: neither a file nor one of our detectors"),
        (["--detector", "face-n", "--detector", "face-n"], "a second detector called face-n"),
        (["--yunet", "none.onnx"], "none.onnx: no such model file"),
        (["--lfw", "nowhere"], "recog data lfw"),
        (["--wild", "nowhere"], "boxes.csv: not found"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line_before_any_work(
    tmp_path: Path, sets: list[Path], recog: Any, words: list[str], message: str
) -> None:
    ended = recog("detector", "evaluate", "--wild", sets[0], *words, "--out", tmp_path / "out")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.count("\n") == 1
    assert message in ended.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, sets: list[Path], recog: Any) -> None:
    (tmp_path / "file").touch()
    ended = recog("detector", "evaluate", "--wild", sets[0], "--out", tmp_path / "file" / "out")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "cannot be written" in ended.err


def test_sets_of_one_name_or_without_the_test_fifth_are_refused(
    tmp_path: Path, sets: list[Path], recog: Any
) -> None:
    twin = shutil.copytree(sets[0], tmp_path / "elsewhere" / "one")
    ended = recog("detector", "evaluate", "--wild", sets[0], "--wild", twin, "--out", tmp_path / "out")
    assert "a second set of photographs called one" in ended.err
    (twin / "boxes.csv").write_text("image,width,height,x1,y1,x2,y2,kind\n00011.jpg,9,9,1,1,5,5,bare\n")
    ended = recog("detector", "evaluate", "--wild", twin, "--out", tmp_path / "out")
    assert "no photographs of the test fifth" in ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--size", "100"], "--size 100: input should be a multiple of 32"),
        (["train", "--data", "none.yaml"], "none.yaml: no such file; make it with: recog detector prepare"),
        (["export", "--weights", "none.pt", "--out", "a.onnx"], "none.pt: no such weights"),
        (
            ["export", "--weights", "none.pt", "--out", "a.onnx", "--shape", "wide", "--size", "100"],
            "--size 100: not a multiple of 32",
        ),
        (
            ["export", "--weights", "a.onnx", "--out", "b.onnx"],
            "a.onnx: is exported already; give it alone",
        ),
        (
            ["export", "--weights", "a.onnx", "--out", "b.onnx", "--fit-landmarks", "--int8"],
            "a.onnx: is exported already; give it alone, with --fit-landmarks or --fit-boxes",
        ),
        (["export", "--weights", "a.onnx", "--out", "b.onnx", "--fit-landmarks"], "a.onnx: no such graph"),
    ],
)
def test_training_and_export_say_what_is_wrong(
    recog: Any, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = recog("detector", *words)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert message in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("matplotlib", ["evaluate", "--wild", "nowhere"]),
        ("ultralytics", ["train", "--data", "set.yaml"]),
        ("torch", ["train-second-stage", "--data", "set.yaml"]),
        ("ultralytics", ["export", "--weights", "set.yaml", "--out", "a.onnx"]),
    ],
)
def test_without_the_extra_the_commands_name_it(
    recog: Any, missing: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("set.yaml").touch()
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else found(name))
    ended = recog("detector", *words)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert missing in ended.err
    assert "install recog[train]" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["set.yaml"]


def test_photographs_that_are_all_held_out_stand_beside_those_of_wider_face_and_of_nobody(
    tmp_path: Path, sets: list[Path], recog: Any
) -> None:
    """The same picture in three guises; in WIDER's its face is drawn, and another is marked invalid."""
    first = sets[0] / "images" / "00005.jpg"
    _, _, _, *corners, _ = (sets[0] / "boxes.csv").read_text().splitlines()[1].split(",")
    x1, y1, x2, y2 = map(int, corners)
    images, labels = tmp_path / "WIDER" / "images", tmp_path / "WIDER" / "list.txt"
    (images / "0--Parade").mkdir(parents=True)
    shutil.copy(first, images / "0--Parade" / "a.jpg")
    lines = [f"{x1} {y1} {x2 - x1} {y2 - y1} 0 0 0 0 0 0", "0 0 9 9 0 0 0 1 0 0"]
    labels.write_text("\n".join(["0--Parade/a.jpg", "2", *lines]) + "\n")
    nobody = tmp_path / "nobody"
    nobody.mkdir()
    cv2.imwrite(str(nobody / "grey.png"), np.full((200, 300, 3), 120, np.uint8))
    shutil.copy(first, nobody / "portrait.jpg")
    ended = recog(
        "detector", "evaluate", "--held-out", sets[1], "--wider", images, labels, "--negatives", nobody,
        "--size", "320", "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert found["data"]["two"]["photographs"] == 3  # with the one that is not of the test fifth
    assert found["data"]["wider"]["faces"] == 1
    report = found["figures"]["wider"]["face-n 320"]
    assert (report["ap50"], report["found"], report["right"]) == (1, 1, 1)
    alarms = found["photographs without people"]["face-n 320"]
    assert (alarms["photos"], alarms["photos_with"], alarms["alarms"]) == (2, 1, 1)


def test_the_first_stage_can_be_judged_alone(
    tmp_path: Path, sets: list[Path], recog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("the second stage was opened")

    monkeypatch.setattr(detectors.Graphs, "second", never)
    words = ("--held-out", sets[0], "--size", "320", "--out", tmp_path / "out", "--json")
    ended = recog("detector", "evaluate", "--first-stage", *words)
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert (found["second stage"], found["settings"]["cascade"]) == (None, False)


def test_something_must_be_given_to_evaluate_on(tmp_path: Path, recog: Any) -> None:
    ended = recog("detector", "evaluate", "--out", tmp_path / "out")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "--wild, --held-out or --wider" in ended.err


def test_a_set_without_drawn_faces_is_added_to_the_training_set(
    tmp_path: Path, sets: list[Path], yunet: Path, recog: Any
) -> None:
    crowd = tmp_path / "crowd"
    (crowd / "images").mkdir(parents=True)
    photo = photographs().known
    for number in range(12):
        cv2.imwrite(str(crowd / "images" / f"{number}.png"), np.roll(photo, number, axis=1))
    out = tmp_path / "set"
    ended = recog("detector", "prepare", *wild(sets), "--yunet", yunet, "--unlabelled", crowd, "--out", out)
    assert (ended.code, ended.err) == (0, "")
    last = ended.out.splitlines()[-1]
    assert last.startswith("crowd: ")
    labelled = [path for path in (out / "labels" / "train").glob("crowd_*.txt") if path.read_text()]
    tested = list((out / "test" / "crowd" / "images").glob("*")) if (out / "test").is_dir() else []
    validated = list((out / "labels" / "val").glob("crowd_*.txt"))
    assert labelled
    assert len(tested) + len(validated) + len({path.stem.split("_")[1] for path in labelled}) <= 12
