"""A gallery copied from one place to another: every table, row by row, and the ids that were given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from gallery.database import connect, lay_out
from gallery.encoding import EmbeddingBytes
from gallery.progress import Progress, silent
from gallery.records import Records
from gallery.sql import Database

_BATCH = 1000  # rows that are in memory at once: of crops, some 20 MB

_PHOTO = "embedding, quality, origin, digest, added, detector, details"
_LOOK = "person, said, embedding, png, quality, origin, digest, added, detector, details"
# Of each table its columns, those first that tell its rows apart; what others refer to comes before them.
TABLES: dict[str, tuple[int, str]] = {
    "meta": (1, "key, value"),
    "people": (1, "id, name, added"),
    "templates": (1, f"id, person, {_PHOTO}, aside"),
    "crops": (1, "template, png"),
    "notes": (1, "key, value"),
    "person_notes": (2, "person, key, value"),
    "denials": (1, f"id, {_LOOK}"),
    "changes": (1, "id, at, action, person, other, count, undone"),
    "old_meta": (2, "change, key, value"),
    "old_people": (2, "change, id, name, added"),
    "old_templates": (2, f"change, id, person, {_PHOTO}, aside"),
    "old_crops": (2, "change, template, png"),
    "old_notes": (2, "change, key, value"),
    "old_person_notes": (3, "change, person, key, value"),
    "old_denials": (2, f"change, id, {_LOOK}"),
}


def copy_rows(source: Records, target: Database, progress: Progress = silent) -> None:
    """Put all that a gallery holds into empty tables; `meta` of the target is replaced.

    Args:
        progress: is told how many rows of how many are copied.
    """
    target.execute("DELETE FROM meta")
    with source.snapshot():
        done, total = 0, sum(source.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES)
        for table, (keys, columns) in TABLES.items():
            names = columns.split(", ")
            vector = names.index("embedding") if "embedding" in names else None
            places = ", ".join("?" * len(names))
            for rows in _batches(source, table, keys, columns):
                given = rows if vector is None else [_with_vector(row, vector) for row in rows]
                target.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", given)
                done += len(rows)
                progress("copying", done, total)
    target.execute("DELETE FROM meta WHERE key = 'unerased'")  # nothing that was deleted is in it


def to_file(source: Records, path: Path, progress: Progress = silent) -> None:
    """Write what a gallery holds at this moment to an empty file, as a gallery of SQLite; as `copy_rows`."""
    with closing(connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN")
        lay_out(db)
        copy_rows(source, db, progress)
        for table, last in source.ids_given().items():
            db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))
        db.execute("COMMIT")


def _batches(source: Records, table: str, keys: int, columns: str) -> Iterator[list[tuple[Any, ...]]]:
    key = ", ".join(columns.split(", ")[:keys])
    places = ", ".join("?" * keys)
    rows = source.rows(f"SELECT {columns} FROM {table} ORDER BY {key} LIMIT {_BATCH}")
    while rows:
        yield rows
        rows = source.rows(
            f"SELECT {columns} FROM {table} WHERE ({key}) > ({places}) ORDER BY {key} LIMIT {_BATCH}",
            rows[-1][:keys],
        )


def _with_vector(row: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    if row[place] is None:
        return row
    return (*row[:place], EmbeddingBytes(row[place]), *row[place + 1 :])
