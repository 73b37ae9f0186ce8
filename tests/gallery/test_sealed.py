"""An encrypted gallery does what a plain one does, and its file tells nothing without the key."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, GalleryError, NewTemplate, sealed

pytest.importorskip("sqlcipher3", reason="needs sqlcipher3: install recog[encrypted]")

MADE = ("colours, v1", 4)


def template(value: float, digest: str) -> NewTemplate:
    crop = np.full((8, 8, 3), int(value), np.uint8)
    return NewTemplate(np.full(4, value, np.float32), crop, 0.9, f"{digest}.jpg", digest)


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "gallery.key"
    path.write_bytes(b"correct horse battery staple\n")
    monkeypatch.setenv(sealed.VARIABLE, str(path))
    return path


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A plain one with two people."""
    path = tmp_path / "people.db"
    with Gallery.open(path, *MADE, create=True) as made:
        made.add("Alexandrine", [template(1, "a"), template(2, "b")])
        made.add("Bartholomew", [template(9, "c")])
    return path


def test_the_file_tells_nothing_and_its_copies_neither(gallery: Path, key: Path, tmp_path: Path) -> None:
    embedding = np.full(4, 1, "<f4").tobytes()
    picture = b"\x89PNG\r\n"  # its three letters alone come up in noise of such a length by chance
    assert b"Alexandrine" in gallery.read_bytes()
    sealed.seal(gallery)
    with Gallery.open(gallery, *MADE) as opened:
        opened.add("Cornelius", [template(5, "d")])
        opened.back_up(tmp_path / "copy.db")
        files = [each for each in tmp_path.iterdir() if each.name.startswith(("people", "copy"))]
        assert len(files) >= 2
        for each in files:
            content = each.read_bytes()
            assert not any(
                word in content for word in (b"Alexandrine", b"Cornelius", picture, embedding, b"SQLite")
            )
            assert each.stat().st_mode & 0o777 == 0o600
    with Gallery.open(tmp_path / "copy.db", *MADE) as copied:
        assert [each.name for each in copied.people()] == ["Alexandrine", "Bartholomew", "Cornelius"]


def test_it_does_what_a_plain_one_does(gallery: Path, key: Path) -> None:
    with Gallery.open(gallery, *MADE) as plain:
        wanted = plain.search(np.full((1, 4), 8, np.float32), 2)
    sealed.seal(gallery)
    with Gallery.open(gallery, *MADE) as opened, Gallery.open(gallery, *MADE, live=True) as follower:
        found = opened.search(np.full((1, 4), 8, np.float32), 2)
        assert (found.names, found.distances.tolist()) == (wanted.names, wanted.distances.tolist())
        assert follower.search(np.full((1, 4), 8, np.float32), 1).names == (("Bartholomew",),)
        opened.rename("Bartholomew", "Bart")
        opened.add("Cornelius", [template(5, "d")])
        assert opened.undo() is not None
        assert follower.refresh()
        assert follower.search(np.full((1, 4), 8, np.float32), 1).names == (("Bart",),)
    with Gallery.open(gallery, *MADE) as opened:
        removed = opened.remove("Alexandrine")
        assert (removed.templates, removed.crops, removed.erased) == (2, 2, True)
        assert opened.log()[0].action == "remove"


def test_what_was_the_plain_file_is_overwritten(gallery: Path, key: Path, tmp_path: Path) -> None:
    kept = tmp_path / "the same blocks"
    kept.hardlink_to(gallery)
    sealed.seal(gallery)
    assert set(kept.read_bytes()) == {0}
    assert not [each for each in tmp_path.iterdir() if each.name.endswith(("-wal", "-shm", "-journal"))]


def test_it_can_be_undone(gallery: Path, key: Path) -> None:
    sealed.seal(gallery)
    with pytest.raises(GalleryError, match="encrypted already"):
        sealed.seal(gallery)
    sealed.unseal(gallery)
    assert gallery.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(gallery) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with Gallery.open(gallery, *MADE) as opened:
        assert [each.name for each in opened.people()] == ["Alexandrine", "Bartholomew"]
    with pytest.raises(GalleryError, match="is not encrypted"):
        sealed.unseal(gallery)


def test_without_the_key_it_is_refused_in_one_line(
    gallery: Path, key: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sealed.seal(gallery)
    key.write_bytes(b"another secret")
    with pytest.raises(GalleryError, match="the key does not fit"):
        Gallery.open(gallery, *MADE)
    key.write_bytes(b"short")
    with pytest.raises(GalleryError, match="less than 8 bytes"):
        Gallery.open(gallery, *MADE)
    key.unlink()
    with pytest.raises(GalleryError, match="cannot be read"):
        Gallery.open(gallery, *MADE)
    monkeypatch.delenv(sealed.VARIABLE)
    sealed._typed_in.cache_clear()
    with pytest.raises(GalleryError, match=sealed.VARIABLE):
        Gallery.open(gallery, *MADE)
    # A service manager hands over its credentials in a folder.
    (tmp_path / sealed.CREDENTIAL).write_bytes(b"correct horse battery staple")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    Gallery.open(gallery, *MADE).close()


def test_a_new_passphrase_is_typed_in_twice(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["a long passphrase", "a long pasphrase"]
    monkeypatch.delenv(sealed.VARIABLE, raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: typed.pop(0))
    sealed._typed_in.cache_clear()
    before = gallery.read_bytes()
    with pytest.raises(GalleryError, match="not the same; nothing was changed"):
        sealed.seal(gallery)
    assert gallery.read_bytes() == before
    typed += ["a long passphrase"] * 2
    sealed.seal(gallery)
    assert not typed
    with Gallery.open(gallery, *MADE) as opened:  # in one process it is asked for once
        assert len(opened.people()) == 2
    sealed._typed_in.cache_clear()


HOLDS = """
import sys
from pathlib import Path
from gallery import Gallery
with Gallery.open(Path(sys.argv[1]), "colours, v1", 4) as opened:
    opened.people()
    print("open", flush=True)
    sys.stdin.read()
"""


def test_nobody_who_has_it_open_is_overrun(gallery: Path, key: Path) -> None:
    words = [sys.executable, "-c", HOLDS, str(gallery)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(GalleryError, match="another program has"):
            sealed.seal(gallery)
        holder.communicate("")
    assert not sealed.is_sealed(gallery)
    with Gallery.open(gallery, *MADE) as opened:
        assert len(opened.people()) == 2
    sealed.seal(gallery)


def read_all(gallery: Path) -> None:
    with Gallery.open(gallery, *MADE) as opened:
        opened.people()
        opened.embeddings()


def test_damage_to_it_is_told_as_damage(gallery: Path, key: Path) -> None:
    sealed.seal(gallery)
    content = bytearray(gallery.read_bytes())
    content[5000:5100] = bytes(100)  # in the second page; pages carry a code of their content
    gallery.write_bytes(content)
    with pytest.raises(GalleryError, match="damaged"):
        read_all(gallery)


def test_no_shortlist_is_kept_beside_it(gallery: Path, key: Path) -> None:
    from gallery.kept import KeptShortlist

    sealed.seal(gallery)
    shortlist = KeptShortlist(gallery, MADE)
    shortlist.write(None)  # type: ignore[arg-type]
    assert shortlist.read() is None
