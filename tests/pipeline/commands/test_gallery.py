"""Looking after a gallery from the command line."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gallery import Gallery, NewTemplate, secret
from pipeline import build
from pipeline.commands import gallery_exchange
from pipeline.faces.align import SIZE

Photo = Callable[..., NewTemplate]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "COST", 10)


@pytest.fixture
def photo(world: Any, embedder: Any) -> Photo:
    """A look at a face of a colour, embedded."""

    def make(
        colour: tuple[int, int, int], number: int, crop: bool = True, quality: float = 0.9
    ) -> NewTemplate:
        image = world.face(world.empty(SIZE, SIZE), colour, 0, 0, SIZE)
        embedding = embedder.embed(image[None])[0]
        return NewTemplate(embedding, image if crop else None, quality, f"{number}.jpg", str(number))

    return make


@pytest.fixture
def path(recog: Any, photo: Photo, world: Any, embedder: Any) -> Path:
    """The user's own gallery: Ada (two red photos), Bo (a green one)."""
    with build.gallery(None, embedder, create=True) as people:
        people.add("Ada", [photo(world.RED, 1), photo(world.RED, 2)])
        people.add("Bo [bold]", [photo(world.GREEN, 3)])
    return build.gallery_path(None)


def names(path: Path) -> dict[str, int]:
    with Gallery.open(path, None, None) as opened:
        return {person.name: person.templates for person in opened.people()}


def test_a_person_is_shown_on_a_private_contact_sheet(
    recog: Any, path: Path, tmp_path: Path, world: Any, photo: Photo, embedder: Any
) -> None:
    with build.gallery(None, embedder) as people:
        people.add("Ada", [photo(world.RED, 9, crop=False)])
    sheet = tmp_path / "ada.png"
    ended = recog("gallery", "show", "Ada", "--out", sheet)
    assert (ended.code, ended.err) == (0, "")
    assert "2.jpg" in ended.out
    assert f"written: {sheet}" in ended.out
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    image = cv2.imread(str(sheet))
    assert image is not None
    reddish = (image[..., 2] > 150) & (image[..., 1] < 90)
    assert reddish.sum() > 0.5 * SIZE * SIZE, "two faces are on it"
    told = json.loads(recog("gallery", "show", "Ada", "--json").out)
    assert [(each["photo"], each["crop"]) for each in told["photos"]] == [(1, True), (2, True), (3, False)]
    assert told["sheet"] is None


def test_a_sheet_that_cannot_be_written_is_one_line(recog: Any, path: Path, tmp_path: Path) -> None:
    for out in ("sheet.doc", "sheet", "no/sheet.png"):
        ended = recog("gallery", "show", "Ada", "--out", tmp_path / out)
        assert ended.code == 1
        assert ended.err.count("\n") == 1
        assert not (tmp_path / out).exists()


def test_people_are_renamed_merged_and_brought_back(recog: Any, path: Path) -> None:
    assert recog("gallery", "rename", "Ada", "Ada Lovelace").out == "Ada is now Ada Lovelace\n"
    ended = recog("gallery", "rename", "Bo [bold]", "Ada Lovelace")
    assert (ended.code, "recog gallery merge 'Bo [bold]' 'Ada Lovelace'" in ended.err) == (1, True)
    assert "with 1 more photo" in recog("gallery", "merge", "Bo [bold]", "Ada Lovelace").out
    assert names(path) == {"Ada Lovelace": 3}
    told = recog("gallery", "log").out
    for words in ("merged Bo [bold] into Ada Lovelace, 1 photo", "renamed Ada to Ada Lovelace", "enrolled"):
        assert words in told
    assert recog("gallery", "undo").out.startswith("undone: merged Bo [bold] into Ada Lovelace")
    assert recog("gallery", "undo").out.startswith("undone: renamed Ada to Ada Lovelace")
    assert names(path) == {"Ada": 2, "Bo [bold]": 1}
    assert [each["action"] for each in json.loads(recog("gallery", "log", "--most", 2, "--json").out)] == [
        "merge",
        "rename",
    ]
    for _ in range(2):
        recog("gallery", "undo")
    assert recog("gallery", "undo").out == "there is nothing to undo\n"
    assert json.loads(recog("gallery", "undo", "--json").out) is None
    assert names(path) == {}


def test_a_removal_prints_a_receipt_and_stays(recog: Any, path: Path) -> None:
    ended = recog("gallery", "remove", "Ada")
    assert "removed with 2 photos" in ended.out
    assert "crops       2 deleted" in ended.out
    assert "no byte of them is left" in ended.out
    assert "removed a person for good, 2 photos" in recog("gallery", "log").out
    while recog("gallery", "undo").out != "there is nothing to undo\n":
        pass
    assert "Ada" not in names(path)


def test_single_photos_are_removed_by_their_number(recog: Any, path: Path) -> None:
    assert recog("gallery", "remove", "Ada", "--photo", 7).code == 1
    assert recog("gallery", "remove", "Ada", "--photo", 1, "--photo", 2).code == 1
    told = json.loads(recog("gallery", "remove", "Ada", "--photo", 2, "--json").out)
    assert (told["photos"], told["crops"], told["person"], told["erased"]) == (1, 1, False, True)
    with Gallery.open(path, None, None) as opened:
        assert [each.origin for each in opened.templates("Ada")] == ["1.jpg"]
    assert "removed 1 photo of Ada for good" in recog("gallery", "log").out


def test_a_photo_is_set_aside_shown_so_and_brought_back(recog: Any, path: Path, tmp_path: Path) -> None:
    count = len(json.loads(recog("gallery", "show", "Ada", "--json").out)["photos"])

    ended = recog("gallery", "aside", "Ada", "--photo", "1")

    assert (ended.code, ended.out) == (0, f"Ada: 1 set aside; recognised by {count - 1} of {count} photos\n")
    shown = recog("gallery", "show", "Ada", "--out", tmp_path / "ada.png")
    assert shown.out.count("set aside") == 1
    assert json.loads(recog("gallery", "list", "--json").out)[0]["aside"] == 1
    assert "set aside 1 photo of Ada" in recog("gallery", "log").out
    assert json.loads(recog("gallery", "aside", "Ada", "--back", "--json").out)["photos"] == 1
    assert "set aside" not in recog("gallery", "show", "Ada", "--out", tmp_path / "again.png").out
    recog("gallery", "aside", "Ada", "--photo", "99").refused("Ada has no such photo")


def test_the_check_names_the_command_that_mends(
    recog: Any, path: Path, world: Any, photo: Photo, embedder: Any
) -> None:
    assert recog("gallery", "check").out == "nothing found\n"
    with build.gallery(None, embedder) as people:
        people.add("Ada L", [photo(world.RED, 5)])
        people.add("Bo [bold]", [photo(world.GREEN, 6, quality=0.1)])
    told = recog("gallery", "check").out
    assert "Ada and Ada L look like one person" in told
    assert "recog gallery merge Ada 'Ada L'" in told
    assert "photo 2 of Bo [bold] is poor" in told
    assert "2 findings; nothing was changed" in told
    found = json.loads(recog("gallery", "check", "--json").out)
    assert [each["kind"] for each in found] == ["same", "poor"]


def test_the_stats_say_how_much_there_is(recog: Any, path: Path) -> None:
    recog("gallery", "merge", "Bo [bold]", "Ada")
    told = json.loads(recog("gallery", "stats", "--json").out)
    wanted = {"people": 1, "photos": 3, "crops": 3, "dimension": 8, "changes": 3, "detectors": {"": 3}}
    assert wanted.items() <= told.items()
    assert told["undo_bytes"] == 32
    shown = recog("gallery", "stats").out
    assert "1 person, 3 photos, 3 with a kept crop" in shown
    assert "detector: not recorded, 3 photos" in shown


def test_people_travel_in_an_encrypted_file(
    recog: Any, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, word = tmp_path / "people.recog", tmp_path / "passphrase"
    word.write_text("correct horse\nnot this")
    ended = recog("gallery", "export", file, "--encrypt", "--passphrase-file", word)
    assert ended.out.endswith("encrypted\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    other = tmp_path / "other.db"
    ended = recog("gallery", "import", file, "--gallery", other)
    assert (ended.code, "a passphrase is needed" in ended.err) == (1, True)
    assert not other.exists()
    monkeypatch.setenv(gallery_exchange.VARIABLE, "wrong")
    assert "passphrase is not the one" in recog("gallery", "import", file, "--gallery", other).err
    monkeypatch.setenv(gallery_exchange.VARIABLE, "correct horse")
    assert "3 photos of 2 people imported" in recog("gallery", "import", file, "--gallery", other).out
    assert names(other) == names(path)
    again = json.loads(recog("gallery", "import", file, "--gallery", other, "--json").out)
    assert again == {"people": 2, "stored": 0, "duplicates": 3, "calibrated": None}


def test_what_an_export_must_not_do_is_refused(recog: Any, path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    assert "is the gallery itself" in recog("gallery", "export", path).err
    assert path.read_bytes() == before
    assert "cannot write" in recog("gallery", "export", tmp_path / "no" / "x").err
    empty = tmp_path / "empty"
    empty.write_text("\n")
    ended = recog("gallery", "export", tmp_path / "x", "--passphrase-file", empty)
    assert "the passphrase is empty" in ended.err
    ended = recog("gallery", "export", tmp_path / "x", "--passphrase-file", tmp_path / "no")
    assert "cannot be read" in ended.err
    assert not (tmp_path / "x").exists()


def test_an_export_of_another_model_is_not_mixed_in(
    recog: Any, path: Path, tmp_path: Path, embedder: Any
) -> None:
    recog("gallery", "export", tmp_path / "old")
    embedder.digest = "2" * 64
    with build.gallery(tmp_path / "new.db", embedder, create=True):
        pass
    ended = recog("gallery", "import", tmp_path / "old", "--gallery", tmp_path / "new.db")
    assert (ended.code, "recog gallery migrate" in ended.err) == (1, True)


def test_a_gallery_goes_over_to_another_model(
    recog: Any, path: Path, embedder: Any, world: Any, photo: Photo
) -> None:
    assert "nothing to do" in recog("gallery", "migrate").out
    with build.gallery(None, embedder) as people:
        people.add("Cy", [photo(world.BLUE, 7, crop=False)])
    embedder.digest = "2" * 64
    before = path.read_bytes()
    ended = recog("run", "--source", path, "--gallery", path)
    assert f"recog gallery migrate --gallery {path}" in ended.err
    dry = recog("gallery", "migrate", "--dry-run").out
    assert "3 photos would be embedded again" in dry
    assert "1 photo without a kept crop would be in the way" in dry
    ended = recog("gallery", "migrate")
    assert (ended.code, "1 photo in" in ended.err, "--leave-out" in ended.err) == (1, True, True)
    assert path.read_bytes() == before
    told = json.loads(recog("gallery", "migrate", "--leave-out", "--json").out)
    assert (told["done"], told["embedded"], told["without_crop"]) == (True, 3, 1)
    with build.gallery(None, embedder) as people:
        assert people.people_count == 3
        red = embedder.embed(np.full((1, SIZE, SIZE, 3), world.RED, np.uint8))
        assert people.search(red, 1).names == (("Ada",),)
        assert len(people) == 3
    recog("gallery", "undo")
    with Gallery.open(path, None, None) as opened:
        assert "1111" in opened.fingerprint
        assert len(opened) == 4


def test_crops_of_another_alignment_are_of_no_use(
    recog: Any, path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.faces.align.VERSION", "7pt-224-v9")
    ended = recog("gallery", "migrate")
    assert (ended.code, "enroll the photographs again" in ended.err) == (1, True)


def test_a_backup_is_a_gallery_and_replaces_nothing(recog: Any, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "monday.db"
    with Gallery.open(path, None, None):  # as a run has it open
        made = recog("gallery", "backup", copy)
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith(f"written: {copy}, 2 people, 3 photos, ")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert names(copy) == names(path)
    before = copy.read_bytes()
    recog("gallery", "backup", copy).refused("is there already")
    recog("gallery", "backup", path).refused("is there already")
    assert copy.read_bytes() == before
    told = json.loads(recog("gallery", "backup", tmp_path / "tuesday.db", "--json").out)
    assert (told["people"], told["photos"], told["bytes"] > 1000) == (2, 3, True)


def test_one_person_with_one_photo_is_not_told_as_several(recog: Any, path: Path, tmp_path: Path) -> None:
    with Gallery.open(path, None, None) as people:
        people.remove("Ada")
    assert ", 1 person, 1 photo, " in recog("gallery", "backup", tmp_path / "monday.db").out
    assert "copied: 1 person, 1 photo, from" in recog("gallery", "copy", path, tmp_path / "copy.db").out


def test_who_was_called_unknown_by_an_earlier_version_can_be_renamed(recog: Any, path: Path) -> None:
    with Gallery.open(path, None, None) as opened, opened._store.writing() as db:
        db.execute("UPDATE people SET name = 'unknown' WHERE name = 'Ada'")
    recog("gallery", "rename", "Bo [bold]", "Unknown").refused("choose another name")
    assert recog("gallery", "rename", "unknown", "Ada").code == 0
    assert names(path) == {"Ada": 2, "Bo [bold]": 1}
    recog("enroll", "--name", "unknown", "--images", "nowhere").refused("choose another name")


def test_what_a_face_is_not_is_told_counted_and_goes_over_to_another_model(
    recog: Any, path: Path, embedder: Any, world: Any, photo: Photo
) -> None:
    with build.gallery(None, embedder) as people:
        people.deny("Ada", [photo(world.BLUE, 7)])
        people.deny("Ada", [photo(world.BLUE, 8, crop=False)])
    assert "said that somebody is not Ada, 1 look" in recog("gallery", "log").out
    assert "denied: 2 looks" in recog("gallery", "stats").out
    embedder.digest = "2" * 64
    assert (
        "1 look of whom somebody is not would be embedded again"
        in recog("gallery", "migrate", "--dry-run").out
    )
    recog("gallery", "migrate").refused("1 look that somebody was said not to be")
    recog("gallery", "migrate", "--leave-out")
    with build.gallery(None, embedder) as people:
        (left,) = people.denials("Ada")
        np.testing.assert_array_equal(left.look.embedding, photo(world.BLUE, 7).embedding)
        people.withdraw(left.face)
    assert "took back that somebody is not Ada" in recog("gallery", "log").out
    for _ in range(2):
        recog("gallery", "undo")
    with Gallery.open(path, None, None) as opened:
        assert len(opened.denials("Ada")) == 2
