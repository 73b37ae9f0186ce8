"""Faces of nobody enrolled, to be looked through: put together by person, named, or put aside for good.

"Nobody" (a statue, a poster) and "ignore" (a neighbour) hold for later faces like those, until they are taken
back. What is kept to look through goes when the setting says (`sweeping`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.api import Candidate, Past, Recog
from pipeline.errors import SourceError
from pipeline.service.ids import new_id, now
from pipeline.service.problems import Problem
from pipeline.service.store import Store
from pipeline.types import Floats

AT_ONCE, REST = 0.25, 10.0  # what takes longer, in seconds, stands for so many times as long
MOST = 2_000  # events, the newest, that are put together: the work grows with the square of their number
PICTURES = 8  # of a cluster
MOST_FACES = 64  # of a decision

Kind = Literal["nobody", "ignore"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Events with faces of, as it seems, one person."""

    id: str  # stays while most members stay
    events: tuple[str, ...]  # best first
    first: str  # UTC
    last: str
    sources: tuple[str, ...]
    pictured: tuple[str, ...]  # events with a picture, best first
    looks_like: Candidate | None


@dataclass(frozen=True, slots=True)
class Decision:
    """A cluster that was put aside."""

    id: str
    kind: str
    at: str
    size: int
    picture: bool


class Review:
    """The queue of unknown faces. Any thread may use it."""

    def __init__(
        self,
        recog: Recog,
        store: Store,
        past: Callable[[], Past],
        told: Callable[[Iterable[str]], None],
    ) -> None:
        """
        Args:
            past: gives the service's tape.
            told: is told of events that were changed in the table.
        """
        self._recog, self._store, self._past = recog, store, past
        self._told = told
        self._turn = threading.RLock()
        self._faces: dict[str, tuple[int, Floats]] = {}  # by event: how many looks, and all of them as one
        self._answer: list[Cluster] | None = None
        self._stands = 0.0  # until when, by the monotonic clock

    def clusters(self) -> list[Cluster]:
        """What is to be looked through: the largest first. Events that were decided on are marked by it.

        Where there is so much that it takes a while, the answer stands for some seconds, unless something was
        decided: a page asks again whenever somebody has left.

        Raises:
            GalleryError, ServiceError: gallery or service cannot be read.
        """
        with self._turn:
            if self._answer is None or time.monotonic() >= self._stands:
                began = time.monotonic()
                self._answer = self._put_together()
                took = time.monotonic() - began
                self._stands = time.monotonic() + (REST * took if took > AT_ONCE else 0.0)
            return self._answer

    def changed(self) -> None:
        """Something was decided, here or of single events: what is to be looked through is another."""
        with self._turn:
            self._answer = None

    def _put_together(self) -> list[Cluster]:
        with self._turn:
            rows = {row["id"]: row for row in self._unknown()}
            faces = self._faces_of(list(rows.values()))
            self._mark_decided(faces)
            if not faces:
                self._remember({})
                return []
            events = list(faces)
            numbers = self._past().clusters(np.stack([faces[each] for each in events]))
            found = [
                frozenset(events[row] for row in np.flatnonzero(numbers == number).tolist())
                for number in range(int(numbers.max()) + 1)
            ]
            named = self._past().keep_names(found, self._remembered(), new_id)
            self._remember(named)
            like = self._past().looks_like(
                [np.stack([faces[each] for each in sorted(m)]) for m in named.values()]
            )
            made = [
                _cluster(name, [rows[each] for each in members], whom)
                for (name, members), whom in zip(named.items(), like, strict=True)
            ]
            newest = sorted(made, key=lambda each: each.last, reverse=True)
            return sorted(newest, key=lambda each: -len(each.events))

    def events_of(self, clusters: Sequence[str]) -> list[str]:
        """The events of some clusters, best first.

        Raises:
            Problem: one of them is no more.
        """
        by_name = {each.id: each for each in self.clusters()}
        for each in clusters:
            if each not in by_name:
                raise Problem(
                    409,
                    "cluster_gone",
                    "these faces have changed meanwhile; look at them again",
                    "body.clusters",
                )
        return [event for each in dict.fromkeys(clusters) for event in by_name[each].events]

    def decide(self, clusters: Sequence[str], kind: Kind) -> Decision:
        """Put clusters aside, and later faces like theirs.

        Raises:
            Problem: one of them is no more.
            ServiceError: the file cannot be written.
        """
        with self._turn:
            events = self.events_of(clusters)
            faces = [self._faces[each][1] for each in events[:MOST_FACES]]
            with self._store.writing() as connection:
                picture = connection.execute(
                    f"SELECT thumbnail FROM events WHERE id IN ({_marks(events)}) AND thumbnail IS NOT NULL "  # noqa: S608
                    "ORDER BY looks DESC LIMIT 1", events
                ).fetchone()  # fmt: skip
                made = Decision(new_id(), kind, now(), len(events), picture is not None)
                connection.execute(
                    "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (made.id, kind, made.at, made.size, np.stack(faces).astype("<f4").tobytes(),
                     None if picture is None else picture[0], self._recog.model),
                )  # fmt: skip
                connection.executemany(
                    "UPDATE events SET ignored = 1 WHERE id = ?", [(each,) for each in events]
                )
            self.changed()
            self._told(events)
            return made

    def decisions(self) -> list[Decision]:
        """What was put aside, newest first."""
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT id, kind, at, size, picture IS NOT NULL FROM decisions ORDER BY id DESC"
            ).fetchall()
        return [Decision(str(row[0]), row[1], row[2], row[3], bool(row[4])) for row in rows]

    def picture(self, decision: str) -> bytes | None:
        """A picture (JPEG) of what was put aside; None where there is none, or no such decision."""
        with self._store.reading() as connection:
            row = connection.execute("SELECT picture FROM decisions WHERE id = ?", (decision,)).fetchone()
        return None if row is None else row[0]

    def take_back(self, decision: str) -> int:
        """Take back that something was put aside: it comes to be looked through again; how many events.

        What was kept for it is deleted for good.

        Raises:
            Problem: there is no such decision.
            ServiceError: the file cannot be written.
        """
        with self._turn:
            with self._store.writing() as connection:
                gone = connection.execute("DELETE FROM decisions WHERE id = ?", (decision,)).rowcount
                if not gone:
                    raise Problem(
                        404, "no_such_decision", f"there is no decision {decision[:40]}", "path.decision"
                    )
                rows = connection.execute(
                    "UPDATE events SET ignored = 0 WHERE ignored RETURNING id, run, track, looks"
                ).fetchall()
            self._store.forget()
            still = self._mark_decided(self._faces_of(rows))
            back = [row["id"] for row in rows if row["id"] not in still]
            self.changed()
            self._told(back)
            return len(back)

    def add_strangers(self, clusters: Sequence[str]) -> int:
        """Keep these people as strangers to calibrate by, one face each; how many strangers there are now.

        Raises:
            Problem: one of the clusters is no more.
            GalleryError: the gallery cannot be written.
        """
        with self._turn:
            faces = []
            for each in dict.fromkeys(clusters):
                best = self.events_of([each])[0]
                faces.append(self._faces[best][1])
            return self._recog.add_strangers(faces)

    def forget(self) -> None:
        """After looks were deleted: no face stays in memory."""
        with self._turn:
            self._faces.clear()
            self.changed()

    def _unknown(self) -> list[Any]:
        """The events to look through, newest first."""
        with self._store.reading() as connection:
            return connection.execute(
                "SELECT id, run, track, source, at, until, looks, thumbnail IS NOT NULL AS pictured "
                "FROM events WHERE state != 'named' AND NOT ignored AND looks ORDER BY until DESC LIMIT ?",
                (MOST,),
            ).fetchall()

    def _faces_of(self, rows: Sequence[Any]) -> dict[str, Floats]:
        """The face of each event; those of which no look is kept are left out."""
        wanted: dict[str, set[int]] = {}
        for row in rows:
            known = self._faces.get(row["id"])
            if known is None or known[0] != row["looks"]:
                wanted.setdefault(row["run"], set()).add(row["track"])
        if wanted:
            with suppress(SourceError):  # there is no tape yet
                counts = {row["id"]: row["looks"] for row in rows}
                for (run, track), face in self._past().faces(wanted).items():
                    event = f"{run}-{track}"
                    if event in counts:
                        self._faces[event] = counts[event], face
        return {row["id"]: self._faces[row["id"]][1] for row in rows if row["id"] in self._faces}

    def _mark_decided(self, faces: dict[str, Floats]) -> set[str]:
        """Mark the events with faces like what was put aside, and take them out of `faces`; which."""
        marked: set[str] = set()
        with self._store.reading() as connection:
            kept = [  # faces of another model are like nobody's
                row[0]
                for row in connection.execute(
                    "SELECT faces FROM decisions WHERE model = ?", (self._recog.model,)
                ).fetchall()
            ]
        for each in kept:
            events = [event for event in faces if event not in marked]
            if not events:
                break
            stacked = np.stack([faces[event] for event in events])
            members = np.frombuffer(each, "<f4").reshape(-1, stacked.shape[1]).astype(np.float32)
            belongs = self._past().belongs(stacked, members)
            marked |= {event for event, theirs in zip(events, belongs.tolist(), strict=True) if theirs}
        if marked:
            with self._store.writing() as connection:
                connection.executemany(
                    "UPDATE events SET ignored = 1 WHERE id = ?", [(each,) for each in marked]
                )
            self._told(marked)
            for each in marked:
                del faces[each]
        return marked

    def _remembered(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        with self._store.reading() as connection:
            for event, cluster in connection.execute("SELECT event, cluster FROM clusters").fetchall():
                found.setdefault(cluster, set()).add(event)
        return found

    def _remember(self, named: dict[str, frozenset[str]]) -> None:
        rows = sorted((event, name) for name, members in named.items() for event in members)
        with self._store.reading() as connection:
            before = sorted(map(tuple, connection.execute("SELECT event, cluster FROM clusters").fetchall()))
        if rows != before:
            with self._store.writing() as connection:
                connection.execute("DELETE FROM clusters")
                connection.executemany("INSERT INTO clusters VALUES (?, ?)", rows)


def _cluster(name: str, rows: Sequence[Any], whom: Candidate | None) -> Cluster:
    best = sorted(rows, key=lambda row: (-row["looks"], row["id"]))
    return Cluster(
        name,
        tuple(row["id"] for row in best),
        min(row["at"] for row in rows),
        max(row["until"] for row in rows),
        tuple(sorted({row["source"] for row in rows})),
        tuple(row["id"] for row in best if row["pictured"])[:PICTURES],
        whom,
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
