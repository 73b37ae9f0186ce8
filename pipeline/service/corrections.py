"""What somebody says of events: "this is not alice", "this is bob". The gallery learns it, the past follows.

What is said becomes a change of the gallery, in its log like every other. Then the tracks that it may bear on
are decided again from the tape, and what that changes is written to the events and remembered, so that it can
be taken back: here, or by undoing the change in the gallery.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gallery.errors import GalleryError
from pipeline.api import Past, Portrait, Recog, State
from pipeline.service.again import Again, by_run
from pipeline.service.ids import new_id, now
from pipeline.service.names import Names
from pipeline.service.portraits import Keeper, Key
from pipeline.service.problems import Problem
from pipeline.service.said import Change, Correction, Said, find_event, known_name, read, set_event, write
from pipeline.service.store import Store
from pipeline.service.taking_back import TakingBack

MOST_AGAIN = 2_000  # events, the newest, that are decided again
SAID = "somebody said so"


class Corrections:
    """Everything that was said of events. Any thread may use it; one correction is made at a time."""

    def __init__(
        self,
        recog: Recog,
        store: Store,
        past: Callable[[], Past],
        names: Names,
        keeper: Keeper,
        told: Callable[[Iterable[str]], None],
        source_name: Callable[[str], str],
    ) -> None:
        """
        Args:
            past: gives the service's tape.
            told: is told of events that were changed in the table.
            source_name: what a source is called, by id.
        """
        self._recog, self._store, self._names = recog, store, names
        self._again = Again(store, past, names)
        self._taking_back = TakingBack(recog, store, names, told)
        self._keeper, self._told, self._source_name = keeper, told, source_name
        self._turn = threading.RLock()

    def deny(self, event: str, person: str) -> Correction:
        """Say that the face of an event is not a person: it is never called so again.

        Raises:
            Problem: there is no such event or person, or no look at the face is kept.
            GalleryError, ServiceError: gallery or service cannot be written.
        """
        with self._turn:
            row, name = self._event(event), known_name(self._names, person)
            for each in self.said(event=event):
                if each.kind == "is" and each.person == person and each.withdrawn is None:
                    gone = self.withdraw(each.id)  # what was said last holds
                    if self._names.name_of(person) is None:  # they were made by it, and so are no more
                        back = [replace(one, was=one.becomes, becomes=one.was) for one in gone.changes]
                        return replace(gone, changes=tuple(back))
                    row = self._event(event)
            key = row["run"], row["track"]
            looks = self._looks([key])
            if not looks:
                raise Problem(409, "no_looks", "the looks at this face are not kept any more")
            beside = self._of_person(person)
            tracks = by_run([key, *((each["run"], each["track"]) for each in beside)])
            before = self._again.decided(tracks)
            change = self._recog.deny(name, looks, self._seen(row))
            marks = {}
            if change:
                with self._recog.gallery() as gallery:
                    marks["face"] = max(each.face for each in gallery.denials(name))
            after = self._again.decided(tracks)
            now_is = self._again.said(after.get(key)) or Said(State.UNDECIDED.value, None, 0.0, "")
            if now_is.person == person:  # of another model's tape, say: what was said holds all the same
                now_is = Said(State.UNDECIDED.value, None, 0.0, "")
            changes = [Change(event, True, Said.of(row), now_is)]
            changes += self._again.followed(before, after, {event})
            return self._keep("not", person, change, marks, changes)

    def name(self, events: Sequence[str], person: str | None, name: str | None) -> tuple[Correction, Any]:
        """Say whose the faces of some events are, all of one person: the best looks at them are enrolled.

        Args:
            person: the id of somebody enrolled, or
            name: that of somebody enrolled or new.

        Returns:
            the correction, and what became of each look (`Enrolment`).

        Raises:
            Problem: there is no such event or person, or no look is good enough to enroll somebody new.
            GalleryError, ServiceError: gallery or service cannot be written.
        """
        with self._turn:
            rows = [self._event(each) for each in events]
            called = known_name(self._names, person) if person is not None else str(name)
            looks = self._looks([(row["run"], row["track"]) for row in rows])
            candidates = self._newest()
            with_faces = self._again.faces([(row["run"], row["track"]) for row in candidates])
            newest = self._newest_template()
            enrolled = self._recog.enroll_looks(called, looks, self._seen(rows[0]), force=True)
            self._names.refresh()
            known = self._names.id_of(enrolled.name)
            if known is None:
                why = {each.reason for each in enrolled.outcomes} or {"no look at it is kept any more"}
                raise Problem(
                    422, "nothing_to_enroll", f"nobody can be enrolled from this: {', '.join(sorted(why))}"
                )
            marks: dict[str, Any] = {}
            if enrolled.change:
                with self._recog.gallery() as gallery:
                    ids = [each.id for each in gallery.templates(enrolled.name) if each.id > newest]
                marks["templates"] = ids
            said = set(events)
            becomes = Said(State.NAMED.value, known, 1.0, SAID)
            changes = [Change(row["id"], True, Said.of(row), becomes) for row in rows]
            if enrolled.change:
                changes += self._again.named_now(with_faces, enrolled.name, known, said)
            return self._keep("is", known, enrolled.change, marks, changes), enrolled

    def said(self, event: str | None = None, most: int = 200, withdrawn: bool = True) -> list[Correction]:
        """What was said, newest first; of one event only, if one is given.

        Args:
            withdrawn: also what was taken back.

        Raises:
            ServiceError: the file cannot be read.
        """
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM corrections WHERE (?1 IS NULL OR id IN "
                "(SELECT correction FROM corrected WHERE event = ?1 AND said)) "
                "AND (?3 OR withdrawn IS NULL) ORDER BY id DESC LIMIT ?2",
                (event, most, withdrawn),
            ).fetchall()
            return [read(connection, row) for row in rows]

    def times(self, events: Sequence[str]) -> dict[str, str]:
        """When events were, by id; those that are deleted are left out."""
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT id, at FROM events WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(events)),),
            ).fetchall()
        return {row["id"]: row["at"] for row in rows}

    def withdraw(self, correction: str) -> Correction:
        """Take back something that was said: the gallery forgets it, and the events are what they were.

        Raises:
            Problem: there is no such correction, or it was taken back.
            GalleryError, ServiceError: gallery or service cannot be written.
        """
        with self._turn:
            with self._store.reading() as connection:
                row = connection.execute("SELECT * FROM corrections WHERE id = ?", (correction,)).fetchone()
            if row is None:
                raise Problem(404, "no_such_correction", f"there is no correction {correction[:40]}")
            if row["withdrawn"] is not None:
                said = "this was taken back already"
                if not row["change"] and not row["person"]:
                    said = "this was said with another gallery, which was replaced since; say it again"
                raise Problem(409, "withdrawn_already", said)
            self._taking_back.take_back(row)
            self._names.refresh()
            with self._store.reading() as connection:
                row = connection.execute("SELECT * FROM corrections WHERE id = ?", (correction,)).fetchone()
                return read(connection, row)

    def reconcile(self) -> int:
        """Give events back what they were, where corrections were undone in the gallery; how many of these.

        To be called when the gallery may have changed, by `undo` here or by another program. Costs
        microseconds if it has not.
        """
        with self._turn:
            return self._taking_back.undone()

    def forget(self) -> None:
        """Delete corrections of events that are no more.

        Raises:
            ServiceError: the file cannot be written.
        """
        with self._turn, self._store.writing() as connection:
            connection.execute("DELETE FROM corrected WHERE event NOT IN (SELECT id FROM events)")
            connection.execute("DELETE FROM corrections WHERE id NOT IN (SELECT correction FROM corrected)")

    def forget_person(self, person: str) -> None:
        """Delete what was said of somebody who was removed.

        Raises:
            ServiceError: the file cannot be written.
        """
        with self._turn, self._store.writing() as connection:
            connection.execute("DELETE FROM corrections WHERE person = ?", (person,))
            connection.execute(
                "DELETE FROM corrected "
                "WHERE ? IN (json_extract(was, '$.person'), json_extract(becomes, '$.person'))",
                (person,),
            )

    def _keep(
        self, kind: str, person: str, change: int, marks: Mapping[str, Any], changes: Sequence[Change]
    ) -> Correction:
        """Write a correction and what it makes of events; tell of them."""
        made = Correction(new_id(), now(), kind, person, None, tuple(changes))
        if change:  # numbers alone would mean another change once an older gallery is restored
            with self._recog.gallery() as gallery:
                marks = {**marks, "logged": next(iter(gallery.entries(change - 1)), None)}
        with self._store.writing() as connection:
            write(connection, made, change, marks)
            for each in changes:
                set_event(connection, each.event, each.becomes, self._names, corrected=each.said)
        self._told([each.event for each in changes])
        return made

    def _looks(self, keys: Sequence[Key]) -> list[Portrait]:
        """The looks at some tracks, all of one person: with pictures, or else what the tape holds of them."""
        kept = self._keeper.of(keys)
        looks = [each for portraits in kept.values() for each in portraits]
        if looks:
            return looks
        flaw = "no picture of it was kept"
        return [Portrait(0.0, face, 1.0, None, flaw) for face in self._again.faces(keys).values()]

    def _seen(self, row: Any) -> str:
        """Where and when an event was, as templates tell it."""
        return f"{self._source_name(row['source'])}, {row['at'][:10]}"

    def _newest_template(self) -> int:
        try:
            with self._recog.gallery() as gallery:
                return gallery.newest()
        except GalleryError:
            if self._recog.present():
                raise
            return 0

    def _event(self, event: str) -> Any:
        row = find_event(self._store, event)
        if row is None:
            raise Problem(404, "no_such_event", f"there is no event {event[:40]}", "path.event")
        return row

    def _of_person(self, person: str) -> list[Any]:
        with self._store.reading() as connection:
            return connection.execute(
                "SELECT * FROM events WHERE person = ? ORDER BY at DESC LIMIT ?", (person, MOST_AGAIN)
            ).fetchall()

    def _newest(self) -> list[Any]:
        with self._store.reading() as connection:
            return connection.execute(
                "SELECT * FROM events WHERE NOT corrected ORDER BY at DESC LIMIT ?", (MOST_AGAIN,)
            ).fetchall()
