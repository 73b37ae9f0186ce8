"""Shipped weights and their checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from siamese.errors import ModelError
from siamese.shipped import SUMS, record, sha256, verified


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "face.onnx"
    path.write_bytes(b"weights")
    return path


def test_the_checksum_is_that_of_the_content(model: Path) -> None:
    assert sha256(model) == hashlib.sha256(b"weights").hexdigest()


def test_a_model_is_recorded_as_sha256sum_does_and_others_stay_as_they_are(model: Path) -> None:
    sums = model.parent / SUMS
    sums.write_text(f"{'1' * 64}  zebra.onnx\n{'2' * 64} *face.onnx\n")
    record(model)
    assert sums.read_text() == f"{sha256(model)}  face.onnx\n{'1' * 64}  zebra.onnx\n"
    other = model.with_name("box.onnx")
    other.write_bytes(b"other")
    record(other)
    assert sums.read_text().splitlines()[0] == f"{hashlib.sha256(b'other').hexdigest()}  box.onnx"
    assert sorted(path.name for path in model.parent.iterdir()) == [SUMS, "box.onnx", "face.onnx"]


def test_where_there_is_no_list_none_is_begun(model: Path) -> None:
    record(model)
    assert [path.name for path in model.parent.iterdir()] == ["face.onnx"]


def test_a_listed_model_is_verified(model: Path) -> None:
    (model.parent / SUMS).touch()
    record(model)
    assert verified(model) == sha256(model)
    model.write_bytes(b"Weights")
    with pytest.raises(ModelError, match=r"face\.onnx: wrong checksum"):
        verified(model)


@pytest.mark.parametrize("separator", ["  ", " *"])
def test_a_list_may_hold_empty_lines_and_names_with_spaces(model: Path, separator: str) -> None:
    spaced = model.rename(model.with_name("my face.onnx"))
    lines = ["", f"{'0' * 64}{separator}other.onnx", f"{sha256(spaced)}{separator}my face.onnx", ""]
    (model.parent / SUMS).write_text("\n".join(lines))
    assert verified(spaced) == sha256(spaced)
    spaced.write_bytes(b"changed")
    with pytest.raises(ModelError, match="wrong checksum"):
        verified(spaced)


def test_a_model_that_is_not_listed_is_taken_as_it_is(model: Path) -> None:
    assert verified(model) == sha256(model)
    (model.parent / SUMS).write_text(f"{'0' * 64}  other.onnx\n")
    assert verified(model) == sha256(model)


def test_a_missing_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        verified(tmp_path / "missing.onnx")
