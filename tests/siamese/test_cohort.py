"""The strangers that ship with a model: written whole, read without running anything, tied to the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from siamese.cohort import Cohort, cohort_path, read, write
from siamese.errors import ModelError


@pytest.fixture
def cohort() -> Cohort:
    embeddings = np.arange(12, dtype=np.float32).reshape(4, 3)
    kinds = np.array(["press", "press", "snapshots", "press"])
    return Cohort(embeddings, np.array([5, 5, 2, 9]), kinds, "abc", "five points", "four faces of nobody")


def test_what_was_written_is_read(tmp_path: Path, cohort: Cohort) -> None:
    path = cohort_path(tmp_path / "model.onnx")
    write(cohort, path)
    assert path.name == "model.cohort.npz"
    found = read(path, "abc")
    np.testing.assert_array_equal(found.embeddings, cohort.embeddings)
    np.testing.assert_array_equal(found.people, cohort.people)
    np.testing.assert_array_equal(found.kinds, cohort.kinds)
    assert (found.alignment, found.source) == (cohort.alignment, cohort.source)
    assert list(tmp_path.iterdir()) == [path]


def test_each_person_has_one_voice(cohort: Cohort) -> None:
    np.testing.assert_array_equal(cohort.one_each, cohort.embeddings[[0, 2, 3]])
    assert cohort.kinds_each.tolist() == ["press", "snapshots", "press"]
    assert cohort.stranger_distances().tolist() == [9.0, 18.0, 27.0]


def test_one_from_before_kinds_were_written_down_says_none(tmp_path: Path, cohort: Cohort) -> None:
    path = tmp_path / "c.cohort.npz"
    words = {"model": np.array("abc"), "alignment": np.array(""), "source": np.array("")}
    np.savez(path, embeddings=cohort.embeddings, people=cohort.people, **words)
    assert read(path, "abc").kinds.tolist() == [""] * 4


def test_a_cohort_of_another_model_is_refused(tmp_path: Path, cohort: Cohort) -> None:
    write(cohort, tmp_path / "c.cohort.npz")
    with pytest.raises(ModelError, match="made with another model; make one with: recog calibrate cohort"):
        read(tmp_path / "c.cohort.npz", "xyz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"not an archive"])
def test_a_missing_or_damaged_one_is_said_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.cohort.npz"
    with pytest.raises(ModelError, match="has no strangers"):
        read(path, "abc")
    path.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        read(path, "abc")


def test_parts_that_do_not_fit_and_pickled_objects_are_refused(tmp_path: Path, cohort: Cohort) -> None:
    path = tmp_path / "c.cohort.npz"
    words = {"model": np.array("abc"), "alignment": np.array(""), "source": np.array("")}
    np.savez(path, embeddings=cohort.embeddings, people=cohort.people[:2], **words)
    with pytest.raises(ModelError, match="do not fit"):
        read(path, "abc")
    for kinds in (cohort.kinds[:2], np.arange(4)):
        np.savez(path, embeddings=cohort.embeddings, people=cohort.people, kinds=kinds, **words)
        with pytest.raises(ModelError, match="do not fit"):
            read(path, "abc")
    np.savez(path, embeddings=np.array([{}], object), people=cohort.people, **words)
    with pytest.raises(ModelError, match="damaged"):
        read(path, "abc")
