"""How the file is laid out, and how a file of an earlier layout becomes one of this.

Version 1 had people, templates (each with its crop in the same row) and meta. Version 2 keeps crops in a
table of their own, so that scanning and changing templates never touches pictures, and adds notes
(calibration), the detector and details of each template, and the history that `undo` reads. Version 3 adds
denials (looks of which somebody said whose they are not), and knows templates that are set aside: kept, but
not searched.
"""

from __future__ import annotations

import sqlite3

FORMAT = 3
# How a file of an earlier version that can only be read is read as one of this.
AS_READ: dict[int, tuple[str, ...]] = {
    2: (
        "CREATE TEMP VIEW templates AS SELECT *, 0 AS aside FROM main.templates",
        """CREATE TEMP VIEW denials AS SELECT 0 AS id, 0 AS person, 0 AS said, NULL AS embedding, NULL AS png,
            0 AS quality, '' AS origin, '' AS digest, '' AS added, '' AS detector, '' AS details WHERE 0""",
        "CREATE TEMP VIEW old_denials AS SELECT NULL AS embedding, NULL AS png WHERE 0",
    ),
}

# AUTOINCREMENT: an id is never given twice, so an index that is a moment old cannot mistake one for another.
_ADDED_IN_2 = (
    """CREATE TABLE crops (
        template INTEGER PRIMARY KEY REFERENCES templates (id) ON DELETE CASCADE,
        png BLOB NOT NULL)""",
    "CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE person_notes (
        person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (person, key))""",
    # What was done. No names: they are looked up, so that a removed person leaves none.
    """CREATE TABLE changes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        action TEXT NOT NULL,
        person INTEGER,
        other INTEGER,
        count INTEGER NOT NULL,
        undone TEXT)""",
    # What rows were before a change; NULL beyond the id where there was no row.
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
    "PRAGMA user_version = 2",
)

_ADDED_IN_3 = (
    # Looks with the same `said` are looks at one face.
    """CREATE TABLE denials (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
        said INTEGER NOT NULL,
        embedding BLOB NOT NULL,
        png BLOB,
        quality REAL NOT NULL,
        origin TEXT NOT NULL,
        digest TEXT NOT NULL,
        added TEXT NOT NULL,
        detector TEXT NOT NULL,
        details TEXT NOT NULL,
        UNIQUE (person, digest))""",
    """CREATE TABLE old_denials (
        change INTEGER, id INTEGER, person INTEGER, said INTEGER, embedding BLOB, png BLOB, quality REAL,
        origin TEXT, digest TEXT, added TEXT, detector TEXT, details TEXT, PRIMARY KEY (change, id))""",
    "CREATE INDEX old_denials_id ON old_denials (id)",
    # The last column of both, as where it was added to an earlier file: history copies whole rows.
    "ALTER TABLE templates ADD COLUMN aside INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE old_templates ADD COLUMN aside INTEGER NOT NULL DEFAULT 0",
    "PRAGMA user_version = 3",
)

SCHEMA = (
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
        detector TEXT NOT NULL DEFAULT '',
        details TEXT NOT NULL DEFAULT '{}',
        UNIQUE (person, digest))""",
    *_ADDED_IN_2,
    *_ADDED_IN_3,
)

# From each earlier version to the next.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        *_ADDED_IN_2,
        "INSERT INTO crops SELECT id, crop FROM templates WHERE crop IS NOT NULL",
        "ALTER TABLE templates DROP COLUMN crop",
        "ALTER TABLE templates ADD COLUMN detector TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE templates ADD COLUMN details TEXT NOT NULL DEFAULT '{}'",
    ),
    2: _ADDED_IN_3,
}


def migrate(db: sqlite3.Connection) -> None:
    """Bring an open file of an earlier version to this one, in one transaction: wholly or not at all.

    Raises sqlite3.Error; KeyError for a version that never was.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        # Asked again under the lock: another process may have done it meanwhile.
        while (found := int(db.execute("PRAGMA user_version").fetchone()[0])) < FORMAT:
            for statement in MIGRATIONS[found]:
                db.execute(statement)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
