from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gallery import Gallery, NewTemplate, database


@pytest.fixture
def no_umask() -> Iterator[None]:
    """The most careless surroundings: whatever a program does not restrict is open to all."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir()}


@pytest.mark.usefixtures("no_umask")
def test_nobody_else_may_read_the_gallery_or_the_files_beside_it(
    path: Path, template: Callable[..., NewTemplate]
) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
        assert modes(path.parent) == {"faces.db": 0o600, "faces.db-wal": 0o600, "faces.db-shm": 0o600}
        gallery.remove("Ada")
        assert set(modes(path.parent).values()) == {0o600}
    assert modes(path.parent) == {"faces.db": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.usefixtures("no_umask")
def test_the_gallery_is_closed_to_others_from_its_first_instant(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    connect = database.connect

    def watched(file: Path) -> sqlite3.Connection:
        seen.extend(modes(path.parent).values())
        return connect(file)

    monkeypatch.setattr(database, "connect", watched)
    database.create(path, "model", 16)
    assert seen == [0o600]


def test_making_a_gallery_that_is_there_leaves_it_alone(path: Path) -> None:
    database.create(path, "first", 16)
    before = path.read_bytes()
    database.create(path, "second", 32)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_file_system_without_links_will_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(made: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with Gallery.open(path, "model", 16, create=True) as gallery:
        assert gallery.fingerprint == "model"
    before = path.read_bytes()
    database.create(path, "second", 32)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a?mode=memory", "a#b", "a%20b", "ä b", "-wal"])
def test_odd_file_names_are_taken_literally(tmp_path: Path, name: str) -> None:
    with Gallery.open(tmp_path / name, "model", 16, create=True):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
