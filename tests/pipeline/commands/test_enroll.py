"""`recog enroll` with photographs: a line for each, and nothing stored by halves."""

from __future__ import annotations

import json
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline import build

DARK_RED = (10, 10, 120)


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
    again = world.picture(tmp_path / "again.jpg", world.RED)  # saved again: other bytes, the same look
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
    assert ended.err == "recog: the only photo of Rosa cannot be used; nothing was stored\n"
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
    assert "the only photo of alice cannot be used; nothing was stored" in ended.err
    assert photos_of(shades) == {"bob": 1}


def test_a_dry_run_says_the_same_and_stores_nothing(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    ended = recog("enroll", "--name", "Rosa", photo, "--dry-run")
    assert ended.code == 0
    assert ended.out.splitlines()[-1].startswith("Rosa: 1 of 1 photo would be stored; 0 people")
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


def test_what_a_folder_holds_besides_photos_is_named_with_the_reason(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    folder = tmp_path / "people" / "alice"
    folder.mkdir(parents=True)
    world.picture(folder / "a.png", world.RED).rename(folder / "photo")
    (folder / "notes.txt").write_text("hello")
    for given in (["--name", "alice", folder], ["--people", tmp_path / "people"]):
        assert "notes.txt: not used: not a picture" in recog("enroll", *given, "--dry-run").out
        told = json.loads(recog("enroll", *given, "--dry-run", "--json").out)
        assert [Path(each["file"]).name for each in told["unused"]] == ["notes.txt"]
