"""Taking somebody out of what the service remembers, while no service runs on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from pipeline.service.store import Store, store_path

Track = tuple[str, int]  # the id of a run, and the number of a track in it


def forget_in_store(
    gallery: Path, person: str, names: Iterable[str], tracks: Iterable[Track], erase: bool
) -> Mapping[str, int]:
    """Erase somebody's events, pictures and all, from the service's file beside a gallery, if there is one.

    Args:
        person: the gallery's id; one that is gone has no events of that name either.
        names: all that the person has or had.
        tracks: those that count as the person's on tapes, whatever the events say.
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
            told = {
                what: connection.execute(f"SELECT count(*) FROM {where}", given).fetchone()[0]
                for what, where, given in _theirs(person)
            }
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


def put_aside(gallery: Path) -> int:
    """How many decisions ("nobody", "ignore") the service keeps: faces without a name, not searched.

    Raises:
        ServiceError: a service runs on it, or the file cannot be used.
    """
    path = store_path(gallery)
    if not path.exists():
        return 0
    with closing(Store(path)) as store, store.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM decisions").fetchone()[0])


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
