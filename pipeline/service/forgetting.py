"""Taking somebody out of what the service remembers, while no service runs on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from pipeline.service.store import Store, store_path

_PORTRAITS = """FROM portraits WHERE (run, track) IN
    (SELECT run, track FROM events WHERE id IN (SELECT id FROM gone))"""
Track = tuple[str, int]  # the id of a run, and the number of a track in it


def forget_in_store(
    gallery: Path, person: str, names: Iterable[str], tracks: Iterable[Track], erase: bool
) -> Mapping[str, int]:
    """Erase somebody's events, pictures and all, from the service's file beside a gallery, if there is one.

    Args:
        person: the gallery's id; one that is gone has no events of that name either.
        names: theirs, now and before.
        tracks: taken for theirs on tapes, whatever the events say.
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
            events, pictures = connection.execute(
                "SELECT count(*), count(thumbnail) FROM events WHERE id IN (SELECT id FROM gone)"
            ).fetchone()
            portraits = connection.execute(f"SELECT count(*) {_PORTRAITS}").fetchone()[0]
            if erase:
                connection.execute(f"DELETE {_PORTRAITS}")
                connection.execute("DELETE FROM corrections WHERE person = ?", (person,))
                for table in ("corrected", "clusters"):
                    connection.execute(f"DELETE FROM {table} WHERE event IN (SELECT id FROM gone)")  # noqa: S608
                connection.execute("DELETE FROM events WHERE id IN (SELECT id FROM gone)")
            connection.execute("DROP TABLE gone")
        if erase:
            store.forget()
    return {"events of the service": events, "their thumbnails": pictures, "looks with pictures": portraits}
