"""`recog detector train-second-stage`, on a few photographs, for some seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline import detectors
from pipeline.commands import second_stage
from pipeline.config import DetectSettings, Settings
from pipeline.detection.training.candidates import read
from pipeline.detection.training.views import turned
from pipeline.outputs.demo_film import photographs
from pipeline.types import Floats, Image

pytest.importorskip("torch", reason="torch is not installed: uv sync --extra train")


def learn(recog: Any, dataset: Path, *words: object) -> Any:
    return recog(
        "detector", "train-second-stage", "--data", dataset, "--detector", "face-p", "--threads", 1, *words
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of one face in many places, each drawn by our own detector, and pictures of nobody."""
    folder, photo = tmp_path_factory.mktemp("set"), photographs().known
    finder = detectors.detector(Settings(det=DetectSettings(size=320)))
    for part, count in (("train", 6), ("val", 3)):
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for number in range(count):
            picture = np.roll(photo, 3 * number, axis=1)
            cv2.imwrite(str(folder / "images" / part / f"{number}.png"), picture)
            height, width = picture.shape[:2]
            x1, y1, x2, y2 = finder.detect(picture).boxes[0] / [width, height, width, height]
            row = f"0 {(x1 + x2) / 2} {(y1 + y2) / 2} {x2 - x1} {y2 - y1}\n"
            (folder / "labels" / part / f"{number}.txt").write_text(row)
    nobody = folder / "nobody"
    nobody.mkdir()
    for number in range(11):
        cv2.imwrite(str(nobody / f"{number}.png"), speckled(number))
    (folder / "dataset.yaml").touch()
    return folder / "dataset.yaml"


def speckled(seed: int) -> Image:
    """Dark and light patches, some of which a detector takes for a face."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 255, (9, 9, 3), np.uint8)
    return np.asarray(cv2.resize(small, (320, 320), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_a_second_stage_is_trained_and_used_and_places_are_not_looked_for_twice(
    recog: Any, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, kept, seen = tmp_path / "own.onnx", tmp_path / "places.npz", []

    def noted(image: Image, labels: Floats, random: np.random.Generator) -> list[tuple[Image, Floats]]:
        seen.append(image)
        return turned(image, labels, random)

    monkeypatch.setattr(second_stage, "turned", noted)
    words = ("--negatives", dataset.parent / "nobody", "--candidates", kept, "--minutes", 0.1, "--out", out,
             "--checkpoint", tmp_path / "own.pt")  # fmt: skip
    ended = learn(recog, dataset, *words)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"written: {out}; logit = ")
    learned, held = read(kept)
    assert len(learned) > len(held) > 0
    assert len(seen) == 9  # of eleven pictures of nobody two are for weighing
    before = kept.stat().st_mtime_ns
    weights = (tmp_path / "own.pt").read_bytes()
    again = learn(recog, dataset, *words, "--overwrite")
    assert (again.code, kept.stat().st_mtime_ns) == (0, before)
    assert (tmp_path / "own.pt").read_bytes() != weights
    settings = Settings(det=DetectSettings(size=320, second_stage=out, confidence=0.05))
    assert len(detectors.detector(settings).detect(photographs().known)) >= 1


def test_what_cannot_be_learned_from_is_said(recog: Any, dataset: Path, tmp_path: Path) -> None:
    for words, message in [
        (("--out", tmp_path / "nowhere" / "own.onnx"), "does not exist"),
        (("--checkpoint", tmp_path / "nowhere" / "own.pt", "--out", tmp_path / "own.onnx"), "no folder"),
        (("--detector", tmp_path / "none.onnx", "--out", tmp_path / "own.onnx"), "no such"),
    ]:
        ended = learn(recog, dataset, *words)
        assert (ended.code, ended.err.count("\n")) == (1, 1)
        assert message in ended.err
    ended = learn(recog, tmp_path / "dataset.yaml", "--out", tmp_path / "own.onnx")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "recog detector prepare" in ended.err
    assert list(tmp_path.iterdir()) == []
