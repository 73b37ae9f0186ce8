"""Names of our detectors, and paths of anybody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.detection import files
from pipeline.detection.files import model_file
from pipeline.errors import DetectorError


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped weights in which only the larger detector is."""
    monkeypatch.setattr(files, "WEIGHTS", tmp_path)
    (tmp_path / "face-n.onnx").write_bytes(b"weights")
    return tmp_path


def test_a_name_stands_for_the_shipped_file_and_none_for_the_larger_one(weights: Path) -> None:
    assert model_file(Path("face-n")) == weights / "face-n.onnx"
    assert model_file(None) == weights / "face-n.onnx"


def test_a_name_whose_weights_are_not_there_says_which_are(weights: Path) -> None:
    with pytest.raises(DetectorError, match=r"face-p: its weights are not part .* there are: face-n$"):
        model_file(Path("face-p"))
    (weights / "face-p.onnx").write_bytes(b"weights")
    assert model_file(Path("face-p")) == weights / "face-p.onnx"


def test_a_word_that_is_neither_name_nor_file_lists_the_names(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(weights)
    with pytest.raises(DetectorError, match=r"face-x: neither a file nor .* face-n, face-p$"):
        model_file(Path("face-x"))
    Path("face-x").touch()
    assert model_file(Path("face-x")) == Path("face-x")


def test_a_path_is_taken_as_it_is(weights: Path) -> None:
    assert model_file(Path("models/face-n.onnx")) == Path("models/face-n.onnx")
