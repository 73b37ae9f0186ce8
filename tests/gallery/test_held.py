"""What this process has open stays locked: other programs must see that somebody is there."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gallery import Gallery, GalleryError, NewTemplate, database, held, sealed

COMES_AND_GOES = """
import sys
from pathlib import Path
from gallery import Gallery
with Gallery.open(Path(sys.argv[1]), "model", 16) as opened:
    opened.rename("Ada", "Ada Lovelace")
"""


@pytest.fixture(params=["plain", "encrypted"])
def made(
    request: pytest.FixtureRequest,
    path: Path,
    template: Callable[..., NewTemplate],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A gallery with one person in a file."""
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
    if request.param == "encrypted":
        pytest.importorskip("sqlcipher3", reason="needs sqlcipher3: install recog[encrypted]")
        key = path.parent / "gallery.key"
        key.write_bytes(b"correct horse battery staple")
        monkeypatch.setenv(sealed.VARIABLE, str(key))
        sealed.seal(path)
    return path


def test_who_opens_it_again_and_who_comes_from_outside_take_no_log_from_who_has_it(
    made: Path, template: Callable[..., NewTemplate]
) -> None:
    log = made.with_name(f"{made.name}-wal")
    with Gallery.open(made, "model", 16) as first:
        with Gallery.open(made, "model", 16) as second:  # looks at the file first, and closes it in the end
            assert len(second.people()) == 1
        sealed.is_sealed(made)
        subprocess.run([sys.executable, "-c", COMES_AND_GOES, str(made)], check=True, timeout=60)
        assert log.exists(), "the other program took itself for the last one"
        first.add("Grace", [template(2)])
    with Gallery.open(made, "model", 16) as again:
        assert [each.name for each in again.people()] == ["Ada Lovelace", "Grace"]


def test_a_file_is_let_go_of_when_its_last_connection_is_closed_or_collected(path: Path) -> None:
    database.create(path, "model", 16)
    first, second = database.connect(path), database.connect(path)
    first.close()
    first.close()
    assert held._identity(path) in held._open, "the second one has it still"
    del second
    gc.collect()
    assert held._identity(path) not in held._open


def test_what_cannot_be_opened_is_not_held(path: Path) -> None:
    before = dict(held._open)
    with pytest.raises(sqlite3.OperationalError):
        database.connect(path)
    path.parent.mkdir()
    path.write_bytes(b"rcg1 and no more")
    with pytest.raises(GalleryError):
        database.connect(path)
    assert held._open == before


def test_a_new_file_in_the_place_of_an_old_one_is_looked_at_anew(path: Path) -> None:
    database.create(path, "model", 16)
    with closing(database.connect(path)):
        path.unlink()
        path.write_bytes(b"rcg1 and more than that")
        assert held.head(path) == b"rcg1 and more th"
        assert sealed.is_sealed(path)


def test_a_file_is_claimed_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    database.claim(path)
    assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o600, 0)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE things (one)")
        db.execute("BEGIN EXCLUSIVE")
        database.claim(path)
        locked = [sys.executable, "-c", LOCKED, str(path)]
        assert (
            subprocess.run(locked, capture_output=True, text=True, timeout=60, check=True).stdout
            == "locked\n"
        )
    assert list(tmp_path.iterdir()) == [path]


LOCKED = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("SELECT count(*) FROM things")
except sqlite3.OperationalError as error:
    print("locked" if "locked" in str(error) else error)
"""
