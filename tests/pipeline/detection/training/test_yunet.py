"""YuNet on a real face, at several scales, and what it refuses."""

from __future__ import annotations

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.detection.training.yunet import YuNet
from pipeline.errors import DetectorError
from pipeline.faces.boxes import iou
from pipeline.types import Image


@pytest.fixture(scope="module")
def model(shared: Path) -> Path:
    path = shared / "models" / "yunet_n_dynamic.onnx"
    if not path.is_file():
        pytest.skip(f"needs YuNet: {path} is missing")
    return path


@pytest.fixture(scope="module")
def portrait(shared: Path) -> Image:
    """The first photograph of LFW's archive: 250 x 250, one face in the middle."""
    archive = shared / "lfw" / "lfw-deepfunneled.tgz"
    if not archive.is_file():
        pytest.skip(f"needs LFW: {archive} is missing")
    with tarfile.open(archive) as members:
        first = next(member for member in members if member.name.endswith(".jpg"))
        file = members.extractfile(first)
        assert file is not None
        image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


@pytest.mark.parametrize("size", [160, 256, 320, 448])
def test_a_face_is_found_in_pixels_of_the_image_whatever_the_scale(
    model: Path, portrait: Image, size: int
) -> None:
    found = YuNet(model, size).detect(portrait)
    assert len(found) >= 1
    best = int(found.scores.argmax())
    box, points = found.boxes[best], found.landmarks[best]
    assert iou(box[None], np.array([[75, 65, 175, 190]], np.float32))[0, 0] > 0.5
    assert ((points > box[:2]) & (points < box[2:])).all()


def test_landmarks_are_in_our_order_as_seen_in_the_image(model: Path, portrait: Image) -> None:
    found = YuNet(model, 320).detect(portrait)
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[int(found.scores.argmax())]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


@pytest.mark.parametrize("sides", [(1, 0), (0, 1)])
def test_a_face_in_a_long_picture_stays_where_it_is(
    model: Path, portrait: Image, sides: tuple[int, int]
) -> None:
    alone = YuNet(model, 320).detect(portrait)
    padded = np.pad(portrait, ((0, 250 * sides[0]), (0, 250 * sides[1]), (0, 0)))
    beside = YuNet(model, 640).detect(padded)
    boxes = [found.boxes[int(found.scores.argmax())] for found in (alone, beside)]
    np.testing.assert_allclose(boxes[0], boxes[1], atol=6)


def test_no_face_is_an_empty_answer(model: Path) -> None:
    found = YuNet(model, 320).detect(np.full((120, 200, 3), 128, np.uint8))
    assert len(found) == 0
    assert found.landmarks.shape == (0, 5, 2)


def test_a_missing_or_foreign_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"none\.onnx: no such model file"):
        YuNet(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("this is no model")
    with pytest.raises(DetectorError, match=r"text\.onnx: OpenCV cannot load") as caught:
        YuNet(tmp_path / "text.onnx")
    assert "\n" not in str(caught.value)
