"""What was changed, and what it was like before: the log, and the way back.

A change writes one row to `changes` and, beforehand, an image of every row that it will touch. Undoing puts
the images back, last change first; a removal keeps none and deletes those of earlier changes, so it is final.
Everything here runs inside the transaction of `Store`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from gallery.sql import Database, inserted
from gallery.types import Change

_TEMPLATES = "id, person, embedding, quality, origin, digest, added, detector, details, aside"
DENIALS = "id, person, said, embedding, png, quality, origin, digest, added, detector, details"
_ALL = 2**62  # as a limit
_IMAGES = (
    "old_meta", "old_people", "old_templates", "old_crops", "old_notes", "old_person_notes", "old_denials"
)  # fmt: skip


def now() -> str:
    """The present time as the file keeps it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def begin(
    db: Database, action: str, person: int | None = None, other: int | None = None, count: int = 0
) -> int:
    """Enter a change into the log; its id."""
    number = inserted(
        db,
        "INSERT INTO changes (at, action, person, other, count) VALUES (?, ?, ?, ?, ?)",
        (now(), action, person, other, count),
    )
    assert number is not None
    return number


def cancel(db: Database, change: int) -> None:
    """Take out of the log a change by which nothing happened."""
    forget(db, change)
    db.execute("DELETE FROM changes WHERE id = ?", (change,))


def keep_person(db: Database, change: int, person: int) -> None:
    """Remember a person's row and notes as they are."""
    db.execute("INSERT INTO old_people SELECT ?, id, name, added FROM people WHERE id = ?", (change, person))
    db.execute(
        "INSERT INTO old_person_notes SELECT ?, person, key, value FROM person_notes WHERE person = ?",
        (change, person),
    )


def keep_templates(db: Database, change: int, ids: Iterable[int], crops: bool = False) -> None:
    """Remember templates as they are, with their crops where those will be deleted."""
    each = [(change, template) for template in ids]
    db.executemany(f"INSERT INTO old_templates SELECT ?, {_TEMPLATES} FROM templates WHERE id = ?", each)
    if crops:
        db.executemany("INSERT INTO old_crops SELECT ?, template, png FROM crops WHERE template = ?", each)


def keep_absent(db: Database, change: int, person: int | None, templates: Iterable[int]) -> None:
    """Remember that a person (None: they were there) and templates did not exist."""
    if person is not None:
        db.execute("INSERT INTO old_people (change, id) VALUES (?, ?)", (change, person))
    db.executemany(
        "INSERT INTO old_templates (change, id) VALUES (?, ?)", [(change, template) for template in templates]
    )


def keep_denials(db: Database, change: int, ids: Iterable[int]) -> None:
    """Remember denials as they are."""
    db.executemany(
        f"INSERT INTO old_denials SELECT ?, {DENIALS} FROM denials WHERE id = ? ON CONFLICT DO NOTHING",
        [(change, denial) for denial in ids],
    )


def keep_absent_denials(db: Database, change: int, ids: Iterable[int]) -> None:
    """Remember that denials did not exist."""
    db.executemany("INSERT INTO old_denials (change, id) VALUES (?, ?)", [(change, denial) for denial in ids])


def keep_note(db: Database, change: int, key: str) -> None:
    """Remember a note, of the gallery and of every person, as it is; or that there is none."""
    db.execute(
        "INSERT INTO old_notes SELECT ?, ?, (SELECT value FROM notes WHERE key = ?)", (change, key, key)
    )
    db.execute(
        "INSERT INTO old_person_notes SELECT ?, person, key, value FROM person_notes WHERE key = ?",
        (change, key),
    )


def keep_meta(db: Database, change: int, keys: Iterable[str]) -> None:
    """Remember entries of the file's description."""
    db.executemany(
        "INSERT INTO old_meta SELECT ?, key, value FROM meta WHERE key = ?", [(change, key) for key in keys]
    )


def log(db: Database, most: int | None) -> list[Change]:
    """The latest changes, newest first, with the names of that time where they are known."""
    former = {
        (change, person): name
        for change, person, name in db.execute(
            "SELECT change, id, name FROM old_people WHERE name IS NOT NULL ORDER BY change"
        )
    }
    names = {person: name for (_, person), name in former.items()}
    names |= dict(db.execute("SELECT id, name FROM people"))
    rows = db.execute(
        "SELECT id, at, action, person, other, count, undone FROM changes ORDER BY id DESC LIMIT ?",
        (_ALL if most is None else most,),
    )
    changes = []
    for number, at, action, person, other, count, undone in rows.fetchall():
        after = names.get(person)
        if action == "rename":  # walking back in time, they now have the name of before
            names[person] = former.get((number, person), after)
        renamed_to = after if action == "rename" else names.get(other)
        changes.append(Change(number, at, action, names.get(person), renamed_to, count, undone))
    return changes


def last_undoable(db: Database) -> int | None:
    """The change that `undo` takes back next: the last of which there are images. None if there is none."""
    with_images = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE change = changes.id)" for table in _IMAGES
    )
    found = db.execute(f"SELECT id FROM changes WHERE {with_images} ORDER BY id DESC LIMIT 1").fetchone()
    return None if found is None else int(found[0])


def undo(db: Database, change: int) -> bool:
    """Put back what was before a change; True where that deleted looks at somebody.

    Removals may have come since. They took their people out of the images, so the rest still fits.
    """
    gone = "SELECT id FROM old_templates WHERE change = ? AND person IS NULL"
    deleted = db.execute(f"DELETE FROM templates WHERE id IN ({gone})", (change,)).rowcount
    gone = "SELECT id FROM old_denials WHERE change = ? AND person IS NULL"
    deleted += db.execute(f"DELETE FROM denials WHERE id IN ({gone})", (change,)).rowcount
    people = db.execute("SELECT id, name, added FROM old_people WHERE change = ?", (change,)).fetchall()
    for person, name, added in people:
        if name is not None:
            db.execute(
                """INSERT INTO people (id, name, added) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET name = excluded.name, added = excluded.added""",
                (person, name, added),
            )
    # Whoever the change made is gone only when nothing is left of them.
    db.executemany(
        "DELETE FROM people WHERE id = ? AND NOT EXISTS (SELECT 1 FROM templates WHERE person = people.id)",
        [(person,) for person, name, _ in people if name is None],
    )
    columns = ", ".join(f"{name} = excluded.{name}" for name in _TEMPLATES.split(", ")[1:])
    db.execute(
        f"""INSERT INTO templates ({_TEMPLATES}) SELECT {_TEMPLATES} FROM old_templates
        WHERE change = ? AND person IS NOT NULL ON CONFLICT (id) DO UPDATE SET {columns}""",
        (change,),
    )
    db.execute("INSERT INTO crops SELECT template, png FROM old_crops WHERE change = ?", (change,))
    columns = ", ".join(f"{name} = excluded.{name}" for name in DENIALS.split(", ")[1:])
    db.execute(
        f"""INSERT INTO denials ({DENIALS}) SELECT {DENIALS} FROM old_denials
        WHERE change = ? AND person IS NOT NULL ON CONFLICT (id) DO UPDATE SET {columns}""",
        (change,),
    )
    db.execute(
        """INSERT INTO meta SELECT key, value FROM old_meta WHERE change = ?
        ON CONFLICT (key) DO UPDATE SET value = excluded.value""",
        (change,),
    )
    for (key,) in db.execute("SELECT key FROM old_notes WHERE change = ?", (change,)).fetchall():
        db.execute("DELETE FROM notes WHERE key = ?", (key,))
        db.execute("DELETE FROM person_notes WHERE key = ?", (key,))
    db.execute(
        "INSERT INTO notes SELECT key, value FROM old_notes WHERE change = ? AND value IS NOT NULL", (change,)
    )
    db.execute(
        """INSERT INTO person_notes SELECT person, key, value FROM old_person_notes WHERE change = ?
        ON CONFLICT (person, key) DO UPDATE SET value = excluded.value""",
        (change,),
    )
    forget(db, change)
    db.execute("UPDATE changes SET undone = ? WHERE id = ?", (now(), change))
    return deleted > 0


def forget(db: Database, change: int) -> None:
    """Delete the images of a change."""
    for table in _IMAGES:
        db.execute(f"DELETE FROM {table} WHERE change = ?", (change,))


def forget_person(db: Database, person: int) -> None:
    """Delete every image of a person, of their templates, and of whoever was merged into them."""
    everybody, waiting = {person}, [person]
    while waiting:
        merged = db.execute(
            "SELECT person FROM changes WHERE action = 'merge' AND other = ? AND undone IS NULL",
            (waiting.pop(),),
        ).fetchall()
        new = {int(row[0]) for row in merged} - everybody
        everybody |= new
        waiting += new
    theirs = db.execute("SELECT id FROM templates WHERE person = ?", (person,)).fetchall()
    for each in everybody:
        theirs += db.execute("SELECT id FROM old_templates WHERE person = ?", (each,)).fetchall()
        db.execute("DELETE FROM old_people WHERE id = ?", (each,))
        db.execute("DELETE FROM old_person_notes WHERE person = ?", (each,))
        # Images of "there was none" have no person: they name looks that are there now, and so do theirs.
        db.execute(
            """DELETE FROM old_denials WHERE id IN (SELECT id FROM denials WHERE person = ?
            UNION SELECT id FROM old_denials WHERE person = ?)""",
            (each, each),
        )
    forget_templates(db, [int(row[0]) for row in theirs])


def forget_templates(db: Database, templates: Iterable[int]) -> None:
    """Delete every image of templates."""
    each = [(template,) for template in templates]
    db.executemany("DELETE FROM old_templates WHERE id = ?", each)
    db.executemany("DELETE FROM old_crops WHERE template = ?", each)
