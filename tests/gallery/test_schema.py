"""A gallery of every earlier version opens as one of this version, with everything that was in it."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, GalleryError, database, schema
from gallery.encoding import crop_to_bytes

EARLIER = sorted(schema.MIGRATIONS)
CROPS = "INSERT INTO crops VALUES (?1, ?2)"

# The layouts that earlier versions had, word for word.
FORMAT_1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE people (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        added TEXT NOT NULL)""",
    """CREATE TABLE templates (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
        embedding BLOB NOT NULL,
        quality REAL NOT NULL,
        origin TEXT NOT NULL,
        digest TEXT NOT NULL,
        added TEXT NOT NULL,
        crop BLOB,
        UNIQUE (person, digest))""",
    "PRAGMA application_id = 1919247215",
    "PRAGMA user_version = 1",
)

FORMAT_2 = (
    *FORMAT_1[:2],
    """CREATE TABLE templates (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
        embedding BLOB NOT NULL,
        quality REAL NOT NULL,
        origin TEXT NOT NULL,
        digest TEXT NOT NULL,
        added TEXT NOT NULL,
        detector TEXT NOT NULL DEFAULT '',
        details TEXT NOT NULL DEFAULT '{}',
        UNIQUE (person, digest))""",
    """CREATE TABLE crops (
        template INTEGER PRIMARY KEY REFERENCES templates (id) ON DELETE CASCADE,
        png BLOB NOT NULL)""",
    "CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE person_notes (
        person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (person, key))""",
    """CREATE TABLE changes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        action TEXT NOT NULL,
        person INTEGER,
        other INTEGER,
        count INTEGER NOT NULL,
        undone TEXT)""",
    "CREATE TABLE old_meta (change INTEGER, key TEXT, value TEXT, PRIMARY KEY (change, key))",
    "CREATE TABLE old_people (change INTEGER, id INTEGER, name TEXT, added TEXT, PRIMARY KEY (change, id))",
    """CREATE TABLE old_templates (
        change INTEGER, id INTEGER, person INTEGER, embedding BLOB, quality REAL, origin TEXT, digest TEXT,
        added TEXT, detector TEXT, details TEXT, PRIMARY KEY (change, id))""",
    "CREATE TABLE old_crops (change INTEGER, template INTEGER, png BLOB, PRIMARY KEY (change, template))",
    "CREATE TABLE old_notes (change INTEGER, key TEXT, value TEXT, PRIMARY KEY (change, key))",
    """CREATE TABLE old_person_notes (
        change INTEGER, person INTEGER, key TEXT, value TEXT, PRIMARY KEY (change, person, key))""",
    "CREATE INDEX old_templates_id ON old_templates (id)",
    "PRAGMA application_id = 1919247215",
    "PRAGMA user_version = 2",
)


def crop_of(template: int) -> np.ndarray:
    return np.random.default_rng(template).integers(0, 256, (112, 112, 3), np.uint8)


def embedding_of(template: int) -> np.ndarray:
    return np.random.default_rng(template).normal(size=16).astype(np.float32)


def make(path: Path, version: int) -> Path:
    """Ada has templates 1 (with a crop) and 2 (without), Grace 3 (with): of "model", 16 long."""
    statements = {1: FORMAT_1, 2: FORMAT_2}[version]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for statement in statements:
            db.execute(statement)
        db.executemany("INSERT INTO meta VALUES (?, ?)", [("fingerprint", "model"), ("dimension", "16")])
        at = "2026-01-02T03:04:05+00:00"
        db.executemany("INSERT INTO people (name, added) VALUES (?, ?)", [("Ada", at), ("Grace", at)])
        for i, person in [(1, 1), (2, 1), (3, 2)]:
            db.execute(
                """INSERT INTO templates (person, embedding, quality, origin, digest, added)
                VALUES (?, ?, 0.5, ?, ?, ?)""",
                (person, embedding_of(i).tobytes(), f"{i}.jpg", f"digest {i}", at),
            )
            if i != 2:
                into = "UPDATE templates SET crop = ?2 WHERE id = ?1" if version == 1 else CROPS
                db.execute(into, (i, crop_to_bytes(crop_of(i))))
        db.commit()
    return path


def layout(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The columns of every table: name, type, whether NULL is forbidden, default, place in the key."""
    with closing(sqlite3.connect(path)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: [row[1:] for row in db.execute(f"PRAGMA table_info({table})")] for table in tables}


def test_every_earlier_version_has_its_migration() -> None:
    assert list(range(1, schema.FORMAT)) == EARLIER


@pytest.mark.parametrize("version", EARLIER)
def test_an_earlier_gallery_keeps_everything(path: Path, version: int) -> None:
    make(path, version)
    with Gallery.open(path, "model", 16) as gallery:
        assert [(p.id, p.name, p.templates, p.added[:4]) for p in gallery.people()] == [
            (1, "Ada", 2, "2026"),
            (2, "Grace", 1, "2026"),
        ]
        first, second = gallery.templates("Ada")
        assert (first.id, first.quality, first.origin, first.digest) == (1, 0.5, "1.jpg", "digest 1")
        assert (first.detector, first.details) == ("", {})
        assert first.crop is not None
        np.testing.assert_array_equal(first.crop, crop_of(1))
        np.testing.assert_array_equal(first.embedding, embedding_of(1))
        assert second.crop is None
        assert gallery.search(embedding_of(3)[None], 1).names == (("Grace",),)
        assert gallery.log() == []
        assert gallery.undo() is None
        gallery.rename("Ada", "Ada Lovelace")
        assert gallery.remove("Grace").erased
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA user_version").fetchone() == (schema.FORMAT,)


@pytest.mark.parametrize("version", EARLIER)
def test_a_migrated_gallery_is_laid_out_as_a_new_one(path: Path, tmp_path: Path, version: int) -> None:
    make(path, version)
    Gallery.open(path, None, None).close()
    database.create(tmp_path / "new.db", "model", 16)
    assert layout(path) == layout(tmp_path / "new.db")


@pytest.mark.parametrize("version", EARLIER)
def test_a_migration_that_fails_leaves_the_old_gallery(
    path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(path, version)
    before = layout(path)
    broken = (*schema.MIGRATIONS[version], "INSERT INTO nowhere VALUES (1)")
    monkeypatch.setitem(schema.MIGRATIONS, version, broken)
    with pytest.raises(GalleryError):
        Gallery.open(path, "model", 16)
    assert layout(path) == before
    monkeypatch.undo()
    with Gallery.open(path, "model", 16) as gallery:
        assert len(gallery) == 3


def test_a_gallery_of_before_denials_that_can_only_be_read_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(path, 2)
    before = layout(path)
    monkeypatch.setattr(database, "_may_write", lambda path: False)
    with Gallery.open(path, "model", 16) as gallery:
        assert gallery.search(embedding_of(3)[None], 1).names == (("Grace",),)
        assert (gallery.denials(), gallery.stats().denials) == ([], 0)
        with pytest.raises(GalleryError, match="can only be read"):
            gallery.rename("Ada", "Anna")
    assert layout(path) == before
