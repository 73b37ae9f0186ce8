"""Every change to the file, each inside one transaction of `Store` and entered into its history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gallery import denials, history
from gallery.rows import Row
from gallery.sql import Database, inserted


def add(
    db: Database,
    people: Mapping[str, Sequence[Row]],
    action: str,
    denied: Mapping[str, Sequence[Sequence[Row]]],
) -> tuple[int, int]:
    """Store rows for each person, who is made if new; how many were new, and the change (0 for none).

    A row whose digest the person already has is left out.

    Args:
        denied: of these people, looks that are not theirs; those at one face together.
    """
    at = history.now()
    change = history.begin(db, action)
    stored, last, news = 0, None, 0
    for name, rows in people.items():
        found = person_id(db, name)
        last = found or inserted(db, "INSERT INTO people (name, added) VALUES (?, ?)", (name, at))
        assert last is not None
        ids = []
        for row in rows:
            number = inserted(
                db,
                """INSERT INTO templates
                    (person, embedding, quality, origin, digest, added, detector, details, aside)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, digest) DO NOTHING""",
                (last, row.embedding, row.quality, row.origin, row.digest, row.added or at, row.detector,
                 row.details, int(row.aside)),
            )  # fmt: skip
            if number is not None:
                ids.append(number)
                if row.crop is not None:
                    db.execute("INSERT INTO crops VALUES (?, ?)", (number, row.crop))
        history.keep_absent(db, change, None if found else last, ids)
        news += denials.add(db, change, last, denied.get(name, ()))
        news += denials.settle(db, change, last)
        stored += len(ids)
    if not stored and not news:
        history.cancel(db, change)
    single = last if len(people) == 1 else None
    db.execute("UPDATE changes SET person = ?, count = ? WHERE id = ?", (single, stored, change))
    return stored, change if stored or news else 0


def rename(db: Database, person: int, name: str) -> None:
    """Give a person another name, which nobody has."""
    history.keep_person(db, history.begin(db, "rename", person), person)
    db.execute("UPDATE people SET name = ? WHERE id = ?", (name, person))


def merge(db: Database, person: int, into: int) -> tuple[int, int]:
    """Make one person of two: how many templates moved, how many the other had already."""
    double = _column(
        db,
        """SELECT id FROM templates WHERE person = ? AND digest IN
        (SELECT digest FROM templates WHERE person = ?)""",
        (person, into),
    )
    everything = _column(db, "SELECT id FROM templates WHERE person = ?", (person,))
    moved = sorted(set(everything) - set(double))
    change = history.begin(db, "merge", person, into, len(moved))
    history.keep_person(db, change, person)
    history.keep_templates(db, change, moved)
    history.keep_templates(db, change, double, crops=True)
    db.executemany("DELETE FROM templates WHERE id = ?", [(template,) for template in double])
    db.execute("UPDATE templates SET person = ? WHERE person = ?", (into, person))
    denials.move(db, change, person, into)
    denials.settle(db, change, into)
    db.execute("DELETE FROM people WHERE id = ?", (person,))
    return len(moved), len(double)


def deny(db: Database, person: int, looks: Sequence[Row]) -> int:
    """Keep that looks at one face are not of a person; the change, 0 where all of it was known."""
    change = history.begin(db, "deny", person)
    stored = denials.add(db, change, person, [looks])
    if not stored:
        history.cancel(db, change)
        return 0
    db.execute("UPDATE changes SET count = ? WHERE id = ?", (stored, change))
    return change


def withdraw(db: Database, ids: Sequence[int]) -> int:
    """Take back that looks, all of one person, are not theirs; the change."""
    person = int(db.execute("SELECT person FROM denials WHERE id = ?", (ids[0],)).fetchone()[0])
    change = history.begin(db, "withdraw", person, count=len(ids))
    denials.withdraw(db, change, ids)
    return change


def set_aside(db: Database, person: int, templates: Sequence[int], aside: bool) -> int:
    """Have templates of a person not searched any more, or again; how many that changed."""
    others = _column(db, "SELECT id FROM templates WHERE person = ? AND aside != ?", (person, int(aside)))
    changed = sorted(set(others) & set(templates))
    if changed:
        change = history.begin(db, "set aside" if aside else "bring back", person, count=len(changed))
        history.keep_templates(db, change, changed)
        values = [(int(aside), each) for each in changed]
        db.executemany("UPDATE templates SET aside = ? WHERE id = ?", values)
    return len(changed)


def remove(db: Database, person: int) -> tuple[int, int]:
    """Delete a person, and what the history holds of them: how many templates and crops.

    Call `Store.erase` next. The file remembers that it must be done, even if the process dies in between.
    """
    templates = _count(db, "SELECT count(*) FROM templates WHERE person = ?", (person,))
    crops = _count(
        db, "SELECT count(*) FROM crops JOIN templates ON id = template WHERE person = ?", (person,)
    )
    history.begin(db, "remove", person, count=templates)
    history.forget_person(db, person)
    db.execute("DELETE FROM people WHERE id = ?", (person,))
    _unerased(db)
    return templates, crops


def remove_templates(db: Database, person: int, templates: Sequence[int]) -> tuple[int, int]:
    """Delete single templates of a person likewise: how many, and how many of them had crops."""
    each = [(template,) for template in templates]
    crops = sum(
        _count(db, "SELECT count(*) FROM crops WHERE template = ?", (template,)) for template in templates
    )
    history.begin(db, "remove photos", person, count=len(templates))
    history.forget_templates(db, templates)
    db.executemany("DELETE FROM templates WHERE id = ?", each)
    _unerased(db)
    return len(templates), crops


def set_note(db: Database, key: str, value: Any, people: Mapping[int, Any], undoable: bool) -> None:
    """Replace a note of the gallery (None: take it away), and that of every person under the same key."""
    if undoable:
        history.keep_note(db, history.begin(db, "note"), key)
    db.execute("DELETE FROM notes WHERE key = ?", (key,))
    db.execute("DELETE FROM person_notes WHERE key = ?", (key,))
    if value is not None:
        db.execute("INSERT INTO notes VALUES (?, ?)", (key, _json(value)))
    db.executemany(
        "INSERT INTO person_notes VALUES (?, ?, ?)",
        [(person, key, _json(note)) for person, note in people.items()],
    )


def migrate(
    db: Database,
    embeddings: Mapping[int, bytes],
    left_out: Sequence[int],
    denied: Mapping[int, bytes],
    fingerprint: str,
    dimension: int,
) -> None:
    """Give templates and denials embeddings of another model, and delete those that have no crop to embed."""
    change = history.begin(db, "migrate", count=len(embeddings))
    history.keep_meta(db, change, ("fingerprint", "dimension"))
    history.keep_templates(db, change, [*embeddings, *left_out])
    db.executemany("DELETE FROM templates WHERE id = ?", [(template,) for template in left_out])
    db.executemany(
        "UPDATE templates SET embedding = ? WHERE id = ?",
        [(embedding, template) for template, embedding in embeddings.items()],
    )
    every = _column(db, "SELECT id FROM denials", ())
    history.keep_denials(db, change, every)
    db.executemany("DELETE FROM denials WHERE id = ?", [(each,) for each in every if each not in denied])
    db.executemany(
        "UPDATE denials SET embedding = ? WHERE id = ?",
        [(embedding, denial) for denial, embedding in denied.items()],
    )
    db.executemany(
        "UPDATE meta SET value = ? WHERE key = ?",
        [(fingerprint, "fingerprint"), (str(dimension), "dimension")],
    )


def person_id(db: Database, name: str) -> int | None:
    """Whose name it is."""
    found = db.execute("SELECT id FROM people WHERE name = ?", (name,)).fetchone()
    return None if found is None else int(found[0])


def _unerased(db: Database) -> None:
    db.execute("INSERT INTO meta VALUES ('unerased', 'yes') ON CONFLICT (key) DO NOTHING")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _column(db: Database, sql: str, parameters: tuple[object, ...]) -> list[int]:
    return [int(row[0]) for row in db.execute(sql, parameters)]


def _count(db: Database, sql: str, parameters: tuple[object, ...]) -> int:
    return int(db.execute(sql, parameters).fetchone()[0])
