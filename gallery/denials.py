"""Looks of which somebody said whose they are not: what speaks against a name.

Looks that are denied together are looks at one face. They are kept as templates are, with a crop where there
is one, and like them they go with their person: through every renaming, into whom the person is merged, and
out of the file for good. Everything here runs inside a transaction of `Store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gallery import history
from gallery.history import DENIALS as _COLUMNS
from gallery.rows import Row
from gallery.sql import Database, inserted


def add(db: Database, change: int, person: int, faces: Iterable[Sequence[Row]]) -> int:
    """Store looks that are not of a person, those at one face together; how many were new.

    A look whose digest was denied of the person before is left out.
    """
    at, ids = history.now(), list[int]()
    for looks in faces:
        said: int | None = None
        for look in looks:
            number = inserted(
                db,
                f"""INSERT INTO denials ({_COLUMNS.removeprefix("id, ")})
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, digest) DO NOTHING""",  # noqa: S608
                (person, said or 0, look.embedding, look.crop, look.quality, look.origin, look.digest,
                 look.added or at, look.detector, look.details),
            )  # fmt: skip
            if number is None:
                continue
            ids.append(number)
            if said is None:  # the face is known by the first look at it
                said = number
                db.execute("UPDATE denials SET said = id WHERE id = ?", (said,))
    history.keep_absent_denials(db, change, ids)
    return len(ids)


def of_face(db: Database, said: int) -> list[int]:
    """The looks at a face, oldest first."""
    return [int(row[0]) for row in db.execute("SELECT id FROM denials WHERE said = ? ORDER BY id", (said,))]


def withdraw(db: Database, change: int, ids: Sequence[int]) -> None:
    """Forget denials; the history remembers them."""
    history.keep_denials(db, change, ids)
    db.executemany("DELETE FROM denials WHERE id = ?", [(each,) for each in ids])


def settle(db: Database, change: int, person: int) -> int:
    """Withdraw what is denied of a person and enrolled as theirs; how many: what was said last holds."""
    found = db.execute(
        """SELECT id FROM denials WHERE person = ? AND digest IN
        (SELECT digest FROM templates WHERE person = ?)""",
        (person, person),
    )
    both = [int(row[0]) for row in found]
    withdraw(db, change, both)
    return len(both)


def move(db: Database, change: int, person: int, into: int) -> None:
    """Hand on what is denied of a person to whom they become one with: if they are one, it is neither's."""
    theirs = [int(row[0]) for row in db.execute("SELECT id FROM denials WHERE person = ?", (person,))]
    history.keep_denials(db, change, theirs)
    db.execute(
        "DELETE FROM denials WHERE person = ? AND digest IN (SELECT digest FROM denials WHERE person = ?)",
        (person, into),
    )
    db.execute("UPDATE denials SET person = ? WHERE person = ?", (into, person))
