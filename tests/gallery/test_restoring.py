"""A backup goes into the gallery's own file: whoever has it open follows, and nothing of before is left."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gallery import Gallery, GalleryError, NewTemplate, database, restoring, sealed
from gallery.address import place
from gallery.errors import BusyError, MissingError

Templates = Callable[..., NewTemplate]
MADE = ("model", 16)


def names(path: Path) -> list[str]:
    with Gallery.open(path, None, None) as gallery:
        return [each.name for each in gallery.people()]


@pytest.fixture
def backup(path: Path, tmp_path: Path, template: Templates) -> Path:
    """Of a gallery of Ada and Grace, to which Edith has come since."""
    with Gallery.open(path, *MADE, create=True) as gallery:
        gallery.add("Ada", [template(1, with_crop=True), template(2)])
        gallery.add("Grace", [template(3)])
        gallery.back_up(tmp_path / "monday.db")
        gallery.add("Edith", [template(4, with_crop=True)])
    return tmp_path / "monday.db"


def test_the_gallery_is_what_the_backup_is_and_the_backup_stays(backup: Path, path: Path) -> None:
    before = path.stat().st_ino
    found = restoring.restore(backup, path)
    assert (found.people, found.templates, found.model, found.erased) == (2, 3, "model", True)
    assert names(path) == names(backup) == ["Ada", "Grace"]
    assert path.stat().st_ino == before, "the same file: its log is its own"
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_no_byte_of_what_was_there_is_left(backup: Path, path: Path, template: Templates) -> None:
    with Gallery.open(path, *MADE) as open_elsewhere:
        restoring.restore(backup, path)
        content = b"".join(each.read_bytes() for each in path.parent.iterdir())
        assert not any(each in content for each in (b"Edith", template(4).embedding.tobytes()))
        assert [each.name for each in open_elsewhere.people()] == ["Ada", "Grace"]


def test_whoever_searches_it_meanwhile_knows_those_of_the_backup_from_then_on(
    backup: Path, path: Path, template: Templates
) -> None:
    with Gallery.open(path, *MADE) as follower:
        probe = template(4).embedding[None]
        assert follower.search(probe, 1).names == (("Edith",),)
        restoring.restore(backup, path)
        follower.refresh()
        assert follower.search(probe, 1).names != (("Edith",),)
        follower.add("Edith", [template(4)])
        assert follower.search(probe, 1).names == (("Edith",),)
    assert names(path) == ["Ada", "Edith", "Grace"]


def test_after_a_removal_the_log_that_is_left_open_does_no_harm(backup: Path, path: Path) -> None:
    with Gallery.open(path, *MADE) as held:
        assert held.remove("Grace").erased
        restoring.restore(backup, path)
    assert names(path) == ["Ada", "Grace"]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_an_erasure_leaves_the_log_empty(backup: Path, path: Path) -> None:
    with Gallery.open(path, *MADE) as held:
        held.remove("Grace")
        assert path.with_name(f"{path.name}-wal").stat().st_size == 0


def test_where_there_is_no_gallery_it_is_made(backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "new folder" / "people.db"
    assert restoring.restore(backup, new).people == 2
    assert names(new) == ["Ada", "Grace"]
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert [each.name for each in new.parent.iterdir()] == ["people.db"]


def test_a_gallery_that_is_damaged_is_whole_again(backup: Path, path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 3)
    with pytest.raises(GalleryError, match="damaged"):
        names(path)
    restoring.restore(backup, path)
    assert names(path) == ["Ada", "Grace"]


def test_one_of_which_nothing_is_left_is_to_be_moved_away_first(backup: Path, path: Path) -> None:
    path.write_bytes(b"this was a gallery once" * 1000)
    with pytest.raises(GalleryError, match="move it and the -wal and -shm beside it away"):
        restoring.restore(backup, path)


@pytest.mark.parametrize("content", [b"", b"no gallery at all" * 500, None])
def test_what_is_no_backup_changes_nothing(
    backup: Path, path: Path, tmp_path: Path, content: bytes | None
) -> None:
    bad = tmp_path / "bad.db"
    bad.write_bytes(backup.read_bytes()[:8192] if content is None else content)
    with pytest.raises(GalleryError, match=r"bad\.db"):
        restoring.restore(bad, path)
    assert names(path) == ["Ada", "Edith", "Grace"]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_another_programs_database_is_not_written_over(backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE precious (x)")
    before = other.read_bytes()
    with pytest.raises(GalleryError, match="database of another program"):
        restoring.restore(backup, other)
    assert other.read_bytes() == before


def test_one_that_is_locked_is_waited_for_and_then_refused(
    backup: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(restoring, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError, match="locked by another program"):
            restoring.restore(backup, path)
        other.execute("ROLLBACK")
    assert names(path) == ["Ada", "Edith", "Grace"]


def test_bytes_that_somebody_still_reads_are_wiped_when_it_is_next_opened(
    backup: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM people").fetchone() == (3,)
        assert not restoring.restore(backup, path).erased
        assert reader.execute("SELECT count(*) FROM people").fetchone() == (3,), "one state, as it was"
        reader.execute("ROLLBACK")
    assert names(path) == ["Ada", "Grace"]
    assert b"Edith" not in b"".join(each.read_bytes() for each in path.parent.iterdir())


def test_what_cannot_be_meant_is_refused(backup: Path, path: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no backup at"):
        restoring.restore(tmp_path / "none.db", path)
    with pytest.raises(GalleryError, match="is the gallery itself"):
        restoring.restore(path, path)
    with pytest.raises(GalleryError, match=r"pg_dump.*recog gallery copy"):
        restoring.restore(backup, place("postgresql://host/faces"))
    with pytest.raises(GalleryError, match="no backup; copy it with"):
        restoring.restore(place("postgresql://host/faces"), path)


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sqlcipher3", reason="needs sqlcipher3: install recog[encrypted]")
    (tmp_path / "key").write_bytes(b"correct horse battery staple\n")
    monkeypatch.setenv(sealed.VARIABLE, str(tmp_path / "key"))


@pytest.mark.usefixtures("key")
def test_an_encrypted_backup_goes_into_an_encrypted_gallery(backup: Path, path: Path) -> None:
    sealed.seal(path)
    sealed.seal(backup)  # with a salt of its own
    restoring.restore(backup, path)
    assert names(path) == ["Ada", "Grace"]
    assert sealed.is_sealed(path)
    assert b"Grace" not in path.read_bytes()


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("which", ["backup", "path"])
def test_encrypted_and_plain_do_not_mix(backup: Path, path: Path, which: str) -> None:
    one, other = (backup, path) if which == "backup" else (path, backup)
    sealed.seal(one)
    with pytest.raises(GalleryError, match=f"first do: recog gallery encrypt --gallery {other}"):
        restoring.restore(backup, path)
    assert names(path) == ["Ada", "Edith", "Grace"]
