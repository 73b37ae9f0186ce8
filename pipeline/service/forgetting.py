"""Taking somebody out of what the service remembers, while no service runs on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from pipeline.service.store import Store, store_path
from pipeline.types import Floats

Track = tuple[str, int]  # the id of a run, and the number of a track in it


def forget_in_store(
    gallery: Path,
    person: str,
    names: Iterable[str],
    tracks: Iterable[Track],
    dimension: int,
    likely: Callable[[Floats], Sequence[bool]],
    erase: bool,
) -> Mapping[str, int]:
    """Erase somebody's events, pictures and all, from the service's file beside a gallery, if there is one.

    Args:
        person: the gallery's id; one that is gone has no events of that name either.
        names: all that the person has or had.
        tracks: those that count as the person's on tapes, whatever the events say.
        dimension: of an embedding.
        likely: tells of embeddings (n, d) which are likelier the person's than anybody else's. A group that
            was put aside as "nobody" or "ignore" bears no name: it goes if one of its faces is.
        erase: else they are only counted.

    Returns:
        How much there was, by what it is.

    Raises:
        ServiceError: a service runs on it, which has to be ended first, or the file cannot be used.
    """
    path = store_path(gallery)
    if not path.exists():
        return {}
    with closing(Store(path)) as store:
        with store.writing() as connection:
            connection.execute("CREATE TEMP TABLE gone (id TEXT PRIMARY KEY)")
            connection.execute("INSERT OR IGNORE INTO gone SELECT id FROM events WHERE person = ?", (person,))
            connection.executemany(
                "INSERT OR IGNORE INTO gone SELECT id FROM events WHERE name = ?", [(each,) for each in names]
            )
            connection.executemany(
                "INSERT OR IGNORE INTO gone SELECT id FROM events WHERE run = ? AND track = ?", list(tracks)
            )
            aside = _put_aside(connection, dimension, likely)
            told = {
                what: connection.execute(f"SELECT count(*) FROM {where}", given).fetchone()[0]
                for what, where, given in _theirs(person)
            }
            told["groups put aside"] = len(aside)
            if erase and aside:
                connection.executemany("DELETE FROM decisions WHERE id = ?", [(each,) for each in aside])
                # The service marks again what belongs to the groups that are left.
                connection.execute("UPDATE events SET ignored = 0 WHERE ignored")
            if erase:
                for _, where, given in _theirs(person):
                    if "thumbnail" not in where:  # gone with its event
                        connection.execute(f"DELETE FROM {where}", given)
                connection.execute(
                    "DELETE FROM corrections WHERE id NOT IN (SELECT correction FROM corrected)"
                )
                connection.execute("DELETE FROM idempotency")  # answers may name them
                for each in names:
                    connection.execute(
                        "DELETE FROM jobs WHERE instr(given, ?1) OR instr(coalesce(result, ''), ?1)", (each,)
                    )
            connection.execute("DROP TABLE gone")
        if erase:
            store.forget()
    return told


def unreadable(gallery: Path, dimension: int) -> int:
    """How many groups that were put aside hold no embeddings of this size: another model's, not searched.

    Raises:
        ServiceError: a service runs on it, or the file cannot be used.
    """
    path = store_path(gallery)
    if not path.exists():
        return 0
    with closing(Store(path)) as store, store.reading() as connection:
        asked = "SELECT count(*) FROM decisions WHERE length(faces) = 0 OR length(faces) % ?"
        return int(connection.execute(asked, (4 * dimension,)).fetchone()[0])


def _put_aside(
    connection: sqlite3.Connection, dimension: int, likely: Callable[[Floats], Sequence[bool]]
) -> list[str]:
    """The groups with somebody's face among theirs."""
    found = []
    for number, faces in connection.execute("SELECT id, faces FROM decisions").fetchall():
        if faces and len(faces) % (4 * dimension) == 0:
            embeddings = np.frombuffer(faces, "<f4").reshape(-1, dimension).astype(np.float32)
            if any(likely(embeddings)):
                found.append(str(number))
    return found


def _theirs(person: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """What there is of somebody: what it is, where it is, with what. Events last: others hang on them."""
    gone = "IN (SELECT id FROM gone)"
    return [
        ("thumbnails of events", f"events WHERE thumbnail IS NOT NULL AND id {gone}", ()),
        (
            "portraits of the review queue",
            f"portraits WHERE (run, track) IN (SELECT run, track FROM events WHERE id {gone})",
            (),
        ),
        ("places in the review queue", f"clusters WHERE event {gone}", ()),
        (
            "corrected events",
            f"corrected WHERE event {gone} "
            "OR ?1 IN (json_extract(was, '$.person'), json_extract(becomes, '$.person'))",
            (person,),
        ),
        ("corrections", "corrections WHERE person = ?", (person,)),
        ("merged events", f"merged WHERE person = ? OR event {gone}", (person,)),
        ("events", f"events WHERE id {gone}", ()),
    ]
