"""Shipped weights and their checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from siamese.errors import ModelError
from siamese.shipped import SUMS, list_sums, sha256, verified


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "face.onnx"
    path.write_bytes(b"weights")
    return path


def test_the_checksum_is_that_of_the_content(model: Path) -> None:
    assert sha256(model) == hashlib.sha256(b"weights").hexdigest()


def test_the_list_names_every_model_as_sha256sum_does(model: Path) -> None:
    model.with_name("box.onnx").write_bytes(b"other")
    model.with_name("notes.txt").write_text("no model")
    list_sums(model.parent)
    other = hashlib.sha256(b"other").hexdigest()
    assert (model.parent / SUMS).read_text() == f"{other}  box.onnx\n{sha256(model)}  face.onnx\n"


def test_a_listed_model_is_verified(model: Path) -> None:
    list_sums(model.parent)
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
