"""The embedder that runs, and what it refuses to load."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from siamese.errors import ModelError
from siamese.runtime import Embedder
from siamese.shipped import SUMS, record, sha256


@pytest.fixture
def model(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(exported, tmp_path / "face.onnx"))


def describe(model: Path, key: str, value: str | None) -> None:
    """Change an entry of the model's description, or take it away."""
    graph = onnx.load(str(model))
    kept = {entry.key: entry.value for entry in graph.metadata_props if entry.key != key}
    onnx.helper.set_model_props(graph, kept | ({key: value} if value is not None else {}))
    onnx.save(graph, str(model))


def test_it_knows_its_name_and_fingerprint(model: Path) -> None:
    embedder = Embedder(model)
    assert (embedder.name, embedder.digest) == ("face", sha256(model))


def test_no_faces_have_no_embeddings(model: Path) -> None:
    embeddings = Embedder(model).embed(np.zeros((0, 112, 112, 3), np.uint8))
    assert embeddings.shape == (0, 16)
    assert embeddings.dtype == np.float32


def test_crops_need_not_be_contiguous(model: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    embedder = Embedder(model, threads=1)
    np.testing.assert_array_equal(embedder.embed(crops[:, ::-1]), embedder.embed(crops[:, ::-1].copy()))
    assert not np.allclose(embedder.embed(crops[:, ::-1]), embedder.embed(crops))


def test_the_same_crop_has_the_same_embedding_in_any_company(model: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (40, 112, 112, 3), np.uint8)
    embedder = Embedder(model, threads=1)
    np.testing.assert_allclose(embedder.embed(crops)[37:38], embedder.embed(crops[37:38]), atol=1e-5)


def test_a_missing_model_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(ModelError, match="no such model"):
            Embedder(path)


@pytest.mark.parametrize("content", [b"", b"some text, and no model", bytes(1000)])
def test_what_is_no_model_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"text\.onnx: not an ONNX model|not an embedder"):
        Embedder(path)


def test_a_model_cut_short_is_an_error(model: Path) -> None:
    whole = model.read_bytes()
    model.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="not an ONNX model"):
        Embedder(model)


def test_a_changed_model_is_an_error_where_the_checksums_are_known(model: Path) -> None:
    (model.parent / SUMS).touch()
    record(model)
    Embedder(model)
    describe(model, "recog.bias", "3.0")
    with pytest.raises(ModelError, match="wrong checksum"):
        Embedder(model)
    (model.parent / SUMS).unlink()
    assert Embedder(model).bias == 3.0


@pytest.mark.parametrize("kind", [None, "detector"])
def test_a_model_that_is_no_embedder_is_an_error(model: Path, kind: str | None) -> None:
    describe(model, "recog.kind", kind)
    with pytest.raises(
        ModelError,
        match=r"not an embedder of ours; write one with: recog export, or make one of .*recog models adopt",
    ):
        Embedder(model)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recog.dimension", None),
        ("recog.dimension", "many"),
        ("recog.calibration", "{"),
        ("recog.calibration", '{"slope": 1.0}'),
        ("recog.calibration", "[]"),
        ("recog.card", None),
    ],
)
def test_a_description_that_does_not_fit_is_an_error(model: Path, key: str, value: str | None) -> None:
    describe(model, key, value)
    with pytest.raises(ModelError, match="its description does not fit"):
        Embedder(model)
