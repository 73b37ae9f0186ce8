"""A backup is one state of the gallery, whole, private, without remains, and replaces nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gallery import Gallery, GalleryError, NewTemplate
from gallery import database as files

Templates = Callable[..., NewTemplate]


def content(path: Path) -> list[tuple[str, list[bytes]]]:
    with Gallery.open(path, None, None) as gallery:
        return [
            (each.name, [photo.embedding.tobytes() for photo in gallery.templates(each.name)])
            for each in gallery.people()
        ]


def test_a_backup_holds_what_the_gallery_does_and_only_its_owner_reads_it(
    path: Path, tmp_path: Path, template: Templates
) -> None:
    copy = tmp_path / "copy #1?.db"
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1, with_crop=True), template(2)])
        gallery.add("Grace", [template(3)])
        gallery.set_note("calibration", {"x": 1}, {"Ada": 2})
        assert path.with_name("faces.db-wal").stat().st_size, "what was written last is beside the file"
        assert gallery.back_up(copy) == (2, 3)
    assert content(copy) == content(path)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy #1?.db", "made"]
    with Gallery.open(copy, "model", 16) as copied:
        assert copied.note("calibration") == {"x": 1}
        assert copied.person_notes("calibration") == {"Ada": 2}
        assert copied.search(template(3).embedding[None], 1).names == (("Grace",),)
        assert (copied.undo(), copied.undo()) != (None, None), "its history goes on"
        copied.add("Edith", [template(4)])


def test_a_backup_is_one_state_while_others_write(path: Path, tmp_path: Path, template: Templates) -> None:
    done = threading.Event()

    def write() -> None:
        with Gallery.open(path, "model", 16) as writer:
            for seed in range(60):  # two people at a time, so that half a change would be seen
                writer.add_people({f"a{seed}": [template(seed)], f"b{seed}": [template(seed)]}, "enroll")
        done.set()

    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(99)])
        thread = threading.Thread(target=write)
        thread.start()
        counts = []
        while not done.is_set() or not counts:
            counts.append(gallery.back_up(tmp_path / f"{len(counts)}.db"))
        thread.join()
    for number, (people, templates) in enumerate(counts):
        assert people == templates == len(content(tmp_path / f"{number}.db"))
        assert people % 2 == 1


def test_no_byte_of_somebody_removed_is_in_a_backup(
    path: Path, tmp_path: Path, template: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.05)
    copy = tmp_path / "copy.db"
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
        gallery.add("Mallory", [template(2)])
        with Gallery.open(path, "model", 16) as other, other._store.snapshot():
            other.people()
            assert not gallery.remove("Mallory").erased, "somebody reads, so the file is not rewritten yet"
            gallery.back_up(copy)
    for secret in (b"Mallory", template(2).embedding.tobytes()):
        assert secret not in copy.read_bytes()
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT 1 FROM meta WHERE key = 'unerased'").fetchone() is None


@pytest.mark.parametrize("kind", ["the gallery", "a file", "a link to nothing", "a folder"])
def test_a_backup_replaces_nothing(path: Path, tmp_path: Path, template: Templates, kind: str) -> None:
    copy = tmp_path / "copy.db"
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
        match kind:
            case "the gallery":
                copy = path
            case "a file":
                copy.write_text("mine")
            case "a folder":
                copy.mkdir()
            case _:
                copy.symlink_to(tmp_path / "nothing")
        with pytest.raises(GalleryError, match="is there already"):
            gallery.back_up(copy)
    assert content(path)
    assert kind != "a file" or copy.read_text() == "mine"


def test_one_that_is_made_in_the_same_instant_stays(
    path: Path, tmp_path: Path, template: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, link = tmp_path / "copy.db", os.link

    def late(made: Path, to: Path) -> None:
        to.write_text("mine")
        link(made, to)

    with Gallery.open(path, "model", 16, create=True) as gallery:
        monkeypatch.setattr(os, "link", late)
        with pytest.raises(GalleryError, match="is there already"):
            gallery.back_up(copy)
    assert copy.read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy.db", "made"]


def test_a_place_that_does_not_exist_is_one_line(path: Path, tmp_path: Path) -> None:
    files.create(path, "model", 16)
    with Gallery.open(path, None, None) as gallery, pytest.raises(GalleryError, match="cannot be written"):
        gallery.back_up(tmp_path / "no" / "copy.db")


def test_a_damaged_gallery_gives_no_backup(path: Path, tmp_path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE templates SET embedding = x'00'")
        with pytest.raises(GalleryError, match=r"faces\.db is damaged"):
            gallery.back_up(tmp_path / "copy.db")
    assert [each.name for each in tmp_path.iterdir()] == ["made"]
