"""Taking somebody out of what the service remembers, while no service runs on it."""

from __future__ import annotations

import json
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
    model: str,
    dimension: int,
    likely: Callable[[Floats], Sequence[bool]],
    erase: bool,
) -> Mapping[str, int]:
    """Erase somebody's events, pictures and all, from the service's file beside a gallery, if there is one.

    Args:
        person: the gallery's id; one that is gone has no events of that name either.
        names: all that the person has or had.
        tracks: those that count as the person's on tapes, whatever the events say.
        model: that `likely` judges by; groups that another one made are left.
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
            connection.execute(
                "CREATE TEMP TABLE gone_tracks (run TEXT, track INTEGER, PRIMARY KEY (run, track))"
            )
            connection.execute(
                "INSERT INTO gone_tracks SELECT DISTINCT run, track FROM events "
                "WHERE id IN (SELECT id FROM gone)"
            )
            connection.executemany("INSERT OR IGNORE INTO gone_tracks VALUES (?, ?)", list(tracks))
            aside = _put_aside(connection, model, dimension, likely)
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
                # Whose they were, nobody knows: their events are deleted.
                connection.execute(
                    "DELETE FROM portraits WHERE (run, track) NOT IN (SELECT run, track FROM events)"
                )
                for each in _written(names):
                    connection.execute(
                        "DELETE FROM jobs WHERE instr(given, ?1) OR instr(coalesce(result, ''), ?1) "
                        "OR instr(what, ?1) OR instr(coalesce(problem, ''), ?1)", (each,)
                    )  # fmt: skip
            connection.execute("DROP TABLE gone")
            connection.execute("DROP TABLE gone_tracks")
        if erase:
            store.forget()
    return told


def unreadable(gallery: Path, model: str, dimension: int) -> int:
    """How many groups that were put aside are another model's, so that they are not searched.

    Raises:
        ServiceError: a service runs on it, or the file cannot be used.
    """
    path = store_path(gallery)
    if not path.exists():
        return 0
    with closing(Store(path)) as store, store.reading() as connection:
        asked = f"SELECT count(*) FROM decisions WHERE NOT ({_READABLE})"
        return int(connection.execute(asked, {"model": model, "size": 4 * dimension}).fetchone()[0])


# Groups of before it was kept which model made them are searched, too: too much goes, rather than too little.
_READABLE = "model IN (:model, '') AND length(faces) > 0 AND length(faces) % :size = 0"


def _written(names: Iterable[str]) -> set[str]:
    """Names as they stand in text and in JSON, which earlier versions wrote in ASCII."""
    return {
        form
        for each in names
        for form in (each, json.dumps(each)[1:-1], json.dumps(each, ensure_ascii=False)[1:-1])
    }


def _put_aside(
    connection: sqlite3.Connection, model: str, dimension: int, likely: Callable[[Floats], Sequence[bool]]
) -> list[str]:
    """The groups with somebody's face among theirs."""
    found = []
    asked = f"SELECT id, faces FROM decisions WHERE {_READABLE}"
    for number, faces in connection.execute(asked, {"model": model, "size": 4 * dimension}).fetchall():
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
            "portraits WHERE (run, track) IN (SELECT run, track FROM gone_tracks)",
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
