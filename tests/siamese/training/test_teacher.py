"""A teacher, made here of a few ONNX operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from siamese.crops import CropSet
from siamese.errors import ModelError
from siamese.training.teacher import Teacher, unit


def write(path: Path, shape: list[int | str | None]) -> Path:
    """A model that embeds a face as the mean colour of its left half."""
    nodes = [
        helper.make_node("Slice", ["faces", "start", "end", "axis"], ["left"]),
        helper.make_node("GlobalAveragePool", ["left"], ["means"]),
        helper.make_node("Flatten", ["means"], ["embedding"]),
    ]
    numbers = [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in (("start", 0), ("end", 56), ("axis", 3))
    ]
    graph = helper.make_graph(
        nodes,
        "teacher",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [shape[0], 3])],
        numbers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def teacher(tmp_path: Path) -> Teacher:
    return Teacher(write(tmp_path / "teacher.onnx", ["n", 3, 112, 112]), threads=1)


def test_a_face_is_shown_as_rgb_from_minus_one_to_one(teacher: Teacher) -> None:
    image = np.zeros((1, 112, 112, 3), np.uint8)
    image[..., 0] = 255  # blue
    np.testing.assert_allclose(teacher.embed(image), np.array([[-1, -1, 1]]) / np.sqrt(3), atol=1e-6)


def test_the_embedding_is_the_unit_mean_over_the_crop_and_its_mirror_image(teacher: Teacher) -> None:
    image = np.zeros((1, 112, 112, 3), np.uint8)
    image[:, :, :56, 2] = 255  # red on the left
    image[:, :, 56:, 1] = 204  # green on the right, of 0.6
    left, right = (np.array(v) / np.linalg.norm(v) for v in ([1, -1, -1], [-1, 0.6, -1]))
    expected = (left + right) / np.linalg.norm(left + right)
    np.testing.assert_allclose(teacher.embed(image)[0], expected, atol=1e-5)


def test_a_teacher_that_was_trained_on_another_scale_is_shown_that_scale(tmp_path: Path) -> None:
    path = write(tmp_path / "teacher.onnx", ["n", 3, 112, 112])
    image = np.zeros((1, 112, 112, 3), np.uint8)
    seen: list[float] = []
    for divisor in (127.5, 128.0):
        teacher = Teacher(path, 1, divisor=divisor)
        session = teacher._session
        teacher._session = Spy(session, seen)
        teacher.embed(image)
    assert seen == pytest.approx([-1, -1, -127.5 / 128, -127.5 / 128])


class Spy:
    """A session that notes the least value it is shown."""

    def __init__(self, session: Any, seen: list[float]) -> None:
        self.session, self.seen = session, seen

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> Any:
        self.seen.append(float(next(iter(inputs.values())).min()))
        return self.session.run(outputs, inputs)


def crop_set(count: int, alignment: str = "one") -> CropSet:
    images = np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), np.uint8)
    files = tuple(f"{row}.jpg" for row in range(count))
    return CropSet(images, files, ("",) * count, np.ones(count, np.bool_), alignment)


def test_a_crop_set_is_asked_about_once_and_kept_beside_the_crops(teacher: Teacher, tmp_path: Path) -> None:
    crops, told = crop_set(70), list[int]()
    first = teacher.cached(crops, tmp_path, told.append)
    assert (first.shape, first.dtype, told) == ((70, 3), np.float32, [64, 70])
    np.testing.assert_allclose(first[69:], teacher.embed(crops.images[69:]), atol=1e-6)
    again = teacher.cached(crops, tmp_path, told.append)
    assert told == [64, 70]
    assert np.array_equal(again, first)
    assert not list(tmp_path.glob("*.tmp*"))


def test_what_was_kept_is_not_taken_for_other_crops_or_of_another_teacher(tmp_path: Path) -> None:
    path = write(tmp_path / "teacher.onnx", ["n", 3, 112, 112])
    told: list[int] = []
    Teacher(path, 1).cached(crop_set(2), tmp_path, told.append)
    Teacher(path, 1).cached(crop_set(2, "aligned otherwise"), tmp_path, told.append)
    Teacher(path, 1).cached(crop_set(3), tmp_path, told.append)
    Teacher(path, 1, divisor=128).cached(crop_set(2), tmp_path, told.append)
    Teacher(path, 1, weight=3).cached(crop_set(2), tmp_path, told.append)  # says the same
    assert told == [2, 2, 3, 2]


def test_vectors_are_scaled_to_length_one_and_nothing_stays_nothing() -> None:
    np.testing.assert_allclose(unit(np.array([[3, 4], [0, 0]], np.float32)), [[0.6, 0.8], [0, 0]])


def test_what_cannot_teach_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model"):
        Teacher(tmp_path / "missing.onnx")
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    with pytest.raises(ModelError, match="not an ONNX model"):
        Teacher(text)
    with pytest.raises(ModelError, match=r"takes one input \(n, 3, 112, 112\)"):
        Teacher(write(tmp_path / "other.onnx", ["n", 3, 96, 112]))
    with pytest.raises(ModelError, match="takes 1 faces at once"):
        Teacher(write(tmp_path / "single.onnx", [1, 3, 112, 112]))
