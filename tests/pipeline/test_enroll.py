"""Photographs become templates, or are rejected with the reason; nothing is stored by halves."""

from __future__ import annotations

import json
import re
import shutil
import stat
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline import build
from pipeline.config import EnrollSettings
from pipeline.enroll import Looker, Outcome, find_photos, look_at
from pipeline.errors import SourceError
from pipeline.types import Detections

DARK_RED = (10, 10, 120)


def look(photo: Path, detector: Any, embedder: Any) -> Outcome:
    (outcome,) = looker(detector, embedder).look([photo])
    return outcome


def looker(detector: Any, embedder: Any, **options: Any) -> Looker:
    return Looker(detector, embedder, EnrollSettings(min_face=48, min_sharpness=15), **options)


class Shades:
    """Embeds like the fake embedder, but tells photographs of one colour apart by their brightness."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.name, self.digest, self.dimension = inner.name, inner.digest, inner.dimension
        self.calibration = inner.calibration

    def embed(self, crops: Any) -> Any:
        embeddings = self.inner.embed(crops)
        embeddings[:, 0] += crops.reshape(len(crops), -1).mean(axis=1) / 10
        return embeddings


@pytest.fixture
def shades(embedder: Any, monkeypatch: pytest.MonkeyPatch) -> Shades:
    made = Shades(embedder)
    monkeypatch.setattr(build, "embedder", lambda settings: made)
    return made


def photos_of(embedder: Any) -> dict[str, int]:
    """Who is in the user's gallery, with how many photos."""
    if not build.GALLERY.exists():
        return {}
    with build.gallery(None, embedder) as people:
        return {each.name: each.templates for each in people.people()}


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


def test_each_photo_has_its_line_and_good_ones_are_stored_beside_bad_ones(
    tmp_path: Path, world: Any, detector: Any, shades: Any, recog: Any
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    world.picture(folder / "1.png", world.RED)
    (folder / "2.jpg").write_bytes(b"")
    world.picture(folder / "3.png", DARK_RED)
    more = world.picture(tmp_path / "more.png", world.RED, world.GREEN)
    ended = recog("enroll", "--name", "  Rosa\u00a0Lux ", "--images", folder, more)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"{folder / '1.png'}: accepted",
        f"{folder / '2.jpg'}: rejected: unreadable: empty (0 bytes); copy it again",
        f"{folder / '3.png'}: accepted",
        f"{more}: rejected: 2 faces; choose with --pick largest, center, or 1 to 2 from the left, "
        "or crop the photo",
        f"Rosa Lux: 2 of 4 photos stored; 1 person in {build.GALLERY}",
    ]
    assert photos_of(shades) == {"Rosa Lux": 2}
    assert stat.S_IMODE(build.GALLERY.stat().st_mode) == 0o600


def test_a_photo_that_is_already_there_is_said_to_be(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    shutil.copy(photo, tmp_path / "copy.png")
    again = world.picture(tmp_path / "again.jpg", world.RED)  # saved anew: other bytes, the same look
    ended = recog("enroll", "--name", "Rosa", "--images", photo, tmp_path / "copy.png", again)
    assert ended.out.splitlines()[1:3] == [
        f"{tmp_path / 'copy.png'}: duplicate: already enrolled",
        f"{again}: duplicate: all but the same as one already enrolled",
    ]
    assert ended.out.splitlines()[-1].startswith("Rosa: 1 of 3 photos stored, 2 already there; ")
    ended = recog("enroll", "--name", "Rosa", "--images", photo, "--json")
    values = json.loads(ended.out)
    assert (ended.code, values["stored"], values["duplicates"]) == (0, 0, 1)
    assert values["photos"] == [
        {
            "photo": str(photo), "accepted": False, "verdict": "duplicate", "reason": "already enrolled",
            "looks_like": None, "probability": None,
        }
    ]  # fmt: skip
    assert photos_of(embedder) == {"Rosa": 1}


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["text", "json"])
def test_if_no_photo_can_be_used_nothing_is_stored_and_no_gallery_is_made(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, option: list[str]
) -> None:
    photo = world.picture(tmp_path / "a.png")
    ended = recog("enroll", "--name", "Rosa", "--images", photo, *option)
    assert ended.code == 1
    assert ended.err == "recog: none of the 1 photos of Rosa can be used; nothing was stored\n"
    assert "no face found" in ended.out
    if option:
        assert json.loads(ended.out)["stored"] == 0
    assert not build.GALLERY.parent.exists()


def test_a_photo_whose_name_is_not_utf8_can_be_enrolled(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    photo = Path(str(tmp_path / "caf") + "\udce9.png")
    try:
        world.picture(tmp_path / "a.png", world.RED).rename(photo)
    except OSError:
        pytest.skip("this file system takes no such name")
    ended = recog("enroll", "--name", "Rosa", "--images", photo)
    assert (ended.code, ended.err) == (0, "")
    assert "caf\\udce9.png: accepted" in ended.out
    values = json.loads(recog("enroll", "--name", "Rosa", "--images", photo, "--json").out)
    assert values["photos"][0]["photo"] == str(photo)


def test_a_full_disk_leaves_the_gallery_as_it_was(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    resource = pytest.importorskip("resource")
    assert (
        recog("enroll", "--name", "Rosa", "--images", world.picture(tmp_path / "a.png", world.RED)).code == 0
    )
    photo = world.picture(tmp_path / "b.png", world.GREEN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))  # less than a page of SQLite's
    try:
        ended = recog("enroll", "--name", "Greta", "--images", photo, "--json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ended.code == 1
    assert ended.err.startswith("recog: ")
    assert "stays as it was" in ended.err
    assert ended.err.count("\n") == 1
    assert photos_of(embedder) == {"Rosa": 1}


def test_a_photo_that_looks_like_somebody_else_is_held_back_and_shown_until_forced(
    tmp_path: Path, world: Any, detector: Any, shades: Any, recog: Any
) -> None:
    green, red = (world.picture(tmp_path / f"{c}.png", getattr(world, c)) for c in ("GREEN", "RED"))
    assert recog("enroll", "--name", "bob", green).code == 0
    dark_green = world.picture(tmp_path / "dark.png", (10, 120, 10))
    ended = recog("enroll", "--name", "alice", red, dark_green)
    assert ended.code == 0
    assert re.search(r"dark\.png: held back: looks like bob, 0\.9\d; --force enrolls it", ended.out)
    assert "alice: 1 of 2 photos stored, 1 held back; 2 people" in ended.out
    found = json.loads(recog("enroll", "--name", "alice", dark_green, "--json").out)["photos"][0]
    assert (found["looks_like"], found["accepted"]) == ("bob", False)
    assert 0.9 < found["probability"] < 1
    assert photos_of(shades) == {"alice": 1, "bob": 1}
    # Bob's own further photo is no look-alike of bob's.
    assert recog("enroll", "--name", "bob", world.picture(tmp_path / "b.png", (0, 90, 0))).code == 0
    assert recog("enroll", "--name", "alice", dark_green, "--force").code == 0
    assert photos_of(shades) == {"alice": 2, "bob": 2}


def test_a_newcomer_whose_only_photo_is_somebody_elses_is_held_back(
    tmp_path: Path, world: Any, detector: Any, shades: Any, recog: Any
) -> None:
    photo = world.picture(tmp_path / "a.png", world.GREEN)
    assert recog("enroll", "--name", "bob", photo).code == 0
    ended = recog("enroll", "--name", "alice", photo)
    assert ended.code == 1
    assert "held back: looks like bob" in ended.out
    assert "none of the 1 photos of alice can be used; nothing was stored" in ended.err
    assert photos_of(shades) == {"bob": 1}


def test_a_dry_run_says_the_same_and_stores_nothing(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    ended = recog("enroll", "--name", "Rosa", photo, "--dry-run")
    assert ended.code == 0
    assert ended.out.splitlines()[-1].startswith("Rosa: 1 of 1 photos would be stored; 0 people")
    assert not build.GALLERY.exists()


def test_crops_are_kept_unless_told_otherwise(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    assert recog("enroll", "--name", "kept", photo).code == 0
    assert recog("enroll", "--name", "bare", photo, "--no-crops", "--force").code == 0
    with build.gallery(None, embedder) as people:
        (kept,), (bare,) = list(people.templates("kept")), list(people.templates("bare"))
    assert kept.crop is not None
    assert bare.crop is None
    assert kept.detector == "0" * 16


def test_a_contact_sheet_shows_what_was_accepted(
    tmp_path: Path, world: Any, detector: Any, shades: Any, recog: Any
) -> None:
    photos = [world.picture(tmp_path / f"{i}.png", c) for i, c in enumerate((world.RED, DARK_RED))]
    sheet = tmp_path / "sheet.png"
    ended = recog("enroll", "--name", "Rosa", *photos, world.picture(tmp_path / "no.png"), "--sheet", sheet)
    assert ended.code == 0
    assert f"written: {sheet}" in ended.out
    assert sheet.stat().st_mode & 0o777 == 0o600
    image = cv2.imread(str(sheet))
    assert image.shape[1] > 2 * 160  # two cells beside each other
    ended = recog("enroll", "--name", "Rosa", *photos, "--sheet", tmp_path / "no" / "sheet.png")
    assert ended.code == 1
    assert "the folder" in ended.err


def test_pick_chooses_among_several_faces(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED, world.GREEN, world.BLUE)
    for number, name in enumerate(("red", "green", "blue"), start=1):
        assert recog("enroll", "--name", name, photo, "--pick", number).code == 0
    with build.gallery(None, embedder) as people:
        found = people.search(embedder.embed(np.full((1, 112, 112, 3), world.GREEN, np.uint8)), 1)
    assert found.names == (("green",),)
    assert "there is no face 4 from the left, only 3" in recog("enroll", "-n", "x", photo, "--pick", "4").out
    ended = recog("enroll", "-n", "x", photo, "--pick", "best")
    assert (ended.code, ended.err.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--name", "x"], "give one of"),
        (["photo.jpg"], "--name"),
        (["--name", "x", "photo.jpg", "--webcam"], "give one of"),
        (["--name", "x", "--people", "dir"], "leave --name out"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(recog: Any, arguments: list[str], hint: str) -> None:
    ended = recog("enroll", *arguments)
    assert ended.code == 2
    assert hint in ended.err


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
