"""Photographs become templates, or are rejected with the reason."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.config import EnrollSettings
from pipeline.enrolment.photos import Looker, Outcome, find_photos, look_at
from pipeline.errors import SourceError
from pipeline.types import Detections


def look(photo: Path, detector: Any, embedder: Any) -> Outcome:
    (outcome,) = looker(detector, embedder).look([photo])
    return outcome


def looker(detector: Any, embedder: Any, **options: Any) -> Looker:
    return Looker(detector, embedder, EnrollSettings(min_face=48, min_sharpness=15), **options)


def exif_rotated(upright: np.ndarray, path: Path, orientation: int) -> Path:
    """A JPEG that shows `upright` only to who heeds its orientation tag."""
    turn = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_COUNTERCLOCKWISE, 8: cv2.ROTATE_90_CLOCKWISE}[orientation]
    _, data = cv2.imencode(".jpg", cv2.rotate(upright, turn), [cv2.IMWRITE_JPEG_QUALITY, 98])
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + tag + struct.pack("<I", 0)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    path.write_bytes(data.tobytes()[:2] + segment + data.tobytes()[2:])
    return path


def test_a_good_photo_becomes_a_template_with_its_crop_and_origin(
    tmp_path: Path, world: Any, detector: Any, embedder: Any
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    outcome = look(photo, detector, embedder)
    assert outcome.reason == ""
    assert outcome.template is not None
    assert outcome.template.crop is not None
    assert outcome.template.crop.shape == (112, 112, 3)
    assert outcome.template.origin == str(photo)
    assert 0.5 < outcome.template.quality <= 1


@pytest.mark.parametrize(
    ("colours", "side", "sharp", "reason"),
    [
        ([], 80, True, "no face found"),
        (
            ["RED", "GREEN"],
            80,
            True,
            "2 faces; choose with --pick largest, center, or 1 to 2 from the left, or crop the photo",
        ),
        (
            ["RED", "RED", "BLUE"],
            80,
            True,
            "3 faces; choose with --pick largest, center, or 1 to 3 from the left, or crop the photo",
        ),
        (["RED"], 30, True, "face too small (30 pixels, 48 needed)"),
        (["RED"], 80, False, "blurred (sharpness 0, 15 needed)"),
    ],
)
def test_a_photo_that_will_not_do_is_rejected_with_the_reason(
    tmp_path: Path, world: Any, detector: Any, embedder: Any,
    colours: list[str], side: int, sharp: bool, reason: str,
) -> None:  # fmt: skip
    faces = [getattr(world, colour) for colour in colours]
    outcome = look(world.picture(tmp_path / "a.png", *faces, side=side, sharp=sharp), detector, embedder)
    assert (outcome.template, outcome.reason) == (None, reason)
    assert embedder.embedded == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "unreadable: does not exist"),
        (b"", "unreadable: empty (0 bytes); copy it again"),
        (b"not a picture", "unreadable: not a picture of a kind"),
        (b"\xff\xd8\xff\xe0 cut", "unreadable: "),
    ],
    ids=["missing", "empty", "text", "cut short"],
)
def test_an_unreadable_photo_is_rejected_with_the_reason(
    tmp_path: Path, detector: Any, embedder: Any, content: bytes | None, reason: str
) -> None:
    photo = tmp_path / "a.jpg"
    if content is not None:
        photo.write_bytes(content)
    outcome = look(photo, detector, embedder)
    assert outcome.template is None
    assert outcome.reason.startswith(reason)


def test_somebody_small_in_the_background_does_not_matter(
    tmp_path: Path, world: Any, detector: Any, embedder: Any
) -> None:
    image = world.face(world.empty(), world.RED, 20, 20, 150)
    cv2.imwrite(str(tmp_path / "a.png"), world.face(image, world.GREEN, 220, 20, 40))
    outcome = look(tmp_path / "a.png", detector, embedder)
    assert outcome.template is not None
    assert (outcome.template.embedding == embedder.embed(outcome.template.crop[None])[0]).all()


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_turned_by_exif_enrolls_like_the_upright_one(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, orientation: int
) -> None:
    image = world.face(world.empty(), world.RED, 30, 100, 100)
    image[105:145, 35:75] = (60, 60, 255)  # a corner that tells up from down
    cv2.imwrite(str(tmp_path / "upright.png"), image)
    upright = look(tmp_path / "upright.png", detector, embedder).template
    turned = look(exif_rotated(image, tmp_path / "turned.jpg", orientation), detector, embedder).template
    ignoring = cv2.imread(str(tmp_path / "turned.jpg"), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert not np.array_equal(detector.detect(ignoring).boxes, detector.detect(image).boxes)
    assert upright is not None
    assert turned is not None
    assert np.abs(turned.crop.astype(int) - upright.crop).mean() < 8
    assert (turned.embedding == upright.embedding).all()


def test_files_and_folders_mix_and_a_folder_is_in_natural_order(tmp_path: Path, world: Any) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("10.png", "2.png", ".hidden.png"):
        world.picture(folder / name, world.RED)
    (folder / "notes.txt").write_text("no photo")
    single = tmp_path / "single.jpg"
    assert find_photos([single, folder]) == [single, folder / "2.png", folder / "10.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no photographs in this folder"):
        find_photos([tmp_path / "empty"])


def test_threads_keep_the_order_of_the_photographs(
    tmp_path: Path, world: Any, detector: Any, embedder: Any
) -> None:
    photos = [world.picture(tmp_path / f"{i}.png", *([world.RED] * (i % 3))) for i in range(50)]
    outcomes = list(look_at(photos, looker(detector, embedder), threads=3))
    assert [outcome.origin for outcome in outcomes] == [str(photo) for photo in photos]
    assert [outcome.template is not None for outcome in outcomes] == [i % 3 == 1 for i in range(50)]


def test_a_quick_look_settles_a_clear_portrait_and_nothing_else(
    tmp_path: Path, world: Any, detector: Any, embedder: Any
) -> None:
    class Counting:
        digest = "0" * 64

        def __init__(self) -> None:
            self.asked = 0

        def detect(self, image: Any) -> Detections:
            self.asked += 1
            return detector.detect(image)

    full, quick = Counting(), Counting()
    both = looker(full, embedder, quick=quick, quick_size=224)
    clear = world.picture(tmp_path / "clear.png", world.RED, side=120)
    small, two = world.picture(tmp_path / "small.png", world.RED, side=60), tmp_path / "two.png"
    both.look([clear])
    assert (quick.asked, full.asked) == (1, 0)
    both.look([small, world.picture(two, world.RED, world.BLUE, side=120)])
    assert (quick.asked, full.asked) == (3, 2)
