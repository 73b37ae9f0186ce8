"""What was said of events, as it is kept: a correction, and what each event was before and is by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.api import State
from pipeline.service.names import Names
from pipeline.service.problems import Problem
from pipeline.service.store import Store


@dataclass(frozen=True, slots=True)
class Said:
    """The verdict of an event."""

    state: str
    person: str | None  # the gallery's id
    confidence: float
    why: str

    @classmethod
    def of(cls, row: Any) -> Said:
        """That of a row of the table. Why it is undecided changes with every look, and is not kept."""
        undecided = row["state"] == State.UNDECIDED.value
        return cls(row["state"], row["person"], row["confidence"], "" if undecided else row["why"])

    def same(self, other: Said) -> bool:
        """Whether it says the same, as sure or not."""
        return (self.state, self.person) == (other.state, other.person)


@dataclass(frozen=True, slots=True)
class Change:
    """What a correction made of an event."""

    event: str
    said: bool  # of this event
    was: Said
    becomes: Said


@dataclass(frozen=True, slots=True)
class Correction:
    """Something that was said, and what it changed."""

    id: str
    at: str
    kind: str  # not, is
    person: str
    withdrawn: str | None
    changes: tuple[Change, ...]


def read(connection: Any, row: Any) -> Correction:
    """A correction, of a row of its table."""
    made = tuple(changes(connection, row["id"]))
    return Correction(row["id"], row["at"], row["kind"], row["person"], row["withdrawn"], made)


def changes(connection: Any, correction: str) -> list[Change]:
    """What a correction made of events: first those that it was said of."""
    rows = connection.execute(
        "SELECT event, said, was, becomes FROM corrected WHERE correction = ? ORDER BY said DESC, event DESC",
        (correction,),
    ).fetchall()
    return [
        Change(event, bool(said), Said(**json.loads(was)), Said(**json.loads(becomes)))
        for event, said, was, becomes in rows
    ]


def write(connection: Any, made: Correction, change: int, marks: Mapping[str, Any]) -> None:
    """Keep a correction.

    Args:
        change: in the gallery's log; 0 where it changed nothing there.
        marks: what it added to the gallery, to take just that back.
    """
    connection.execute(
        "INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, NULL)",
        (made.id, made.at, made.kind, made.person, change, json.dumps(dict(marks))),
    )
    connection.executemany(
        "INSERT INTO corrected VALUES (?, ?, ?, ?, ?)",
        [(made.id, each.event, each.said, _json(each.was), _json(each.becomes)) for each in made.changes],
    )


def set_event(connection: Any, event: str, said: Said, names: Names, *, corrected: bool) -> None:
    """Give an event a verdict.

    Args:
        corrected: somebody said it of this event; it is not decided again.
    """
    name = None if said.person is None else names.name_of(said.person)
    connection.execute(
        "UPDATE events SET state = ?, person = ?, name = ?, confidence = ?, why = ?, corrected = ? "
        "WHERE id = ?",
        (said.state, said.person, name, said.confidence, said.why, corrected, event),
    )


def known_name(names: Names, person: str) -> str:
    """The name of a person.

    Raises:
        Problem: nobody has that id.
    """
    name = names.name_of(person)
    if name is None:
        raise Problem(404, "no_such_person", f"there is no person {person[:40]}", "body.person")
    return name


def find_event(store: Store, event: str) -> Any:
    """The row of an event; None where there is none."""
    with store.reading() as connection:
        return connection.execute("SELECT * FROM events WHERE id = ?", (event,)).fetchone()


def _json(said: Said) -> str:
    return json.dumps(
        {"state": said.state, "person": said.person, "confidence": said.confidence, "why": said.why}
    )
