"""The server's index of what is searched, made with the memory that it needs.

pgvector builds its graph in `maintenance_work_mem`. What does not fit any more goes into the index on the
disk, which takes far longer. A server has 64 MB of it unless somebody said otherwise, so the setting is
raised for this one statement, as every user may: to what the graph takes, and to `MOST` at most.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from gallery.errors import FullError, GalleryError
from gallery.progress import Progress, Report, silent, unheard
from gallery.server.connection import Connection
from gallery.server.schema import INDEX, index, searchable

# Nobody can ask a server how much memory it has. But the index is searched in milliseconds only where it lies
# in memory, and that takes two thirds of what its graph does: a server that searches well can build it, too.
# Beyond this bound somebody should know what they do. It is also the most that PostgreSQL takes on Windows.
MOST = 2047 << 20
LONG = 20_000  # photos whose index takes so long that one wonders
_NODE = 720  # bytes of the graph for each photo, beside its embedding
_SPARE = 1.1
_PAUSE = 1.0  # seconds between two looks at how far it is
_READERS = "60s"  # to wait for those who search with the index of before: the work of minutes hangs on it
_OF_EVERYBODY = ("default", "configuration file", "command line", "environment variable", "override")


def needed(count: int, dimension: int) -> int:
    """Bytes that the graph of so many embeddings takes, with a little to spare (docs/scale.md)."""
    return int(_SPARE * count * (_NODE + 4 * dimension))


def build(db: Connection, dimension: int, say: Report = unheard, progress: Progress = silent) -> None:
    """Make the index for embeddings of this length, inside a transaction, in the place of the one before.

    Until the transaction ends others search with the one before, and cannot write.

    Args:
        say: is told in a line what takes long, and what makes it take longer.
        progress: is told every second how many photos are in.

    Raises GalleryError where the server cannot do it.
    """
    count = int(db.execute(f"SELECT count(*) FROM templates WHERE {searchable(dimension)}").fetchone()[0])
    memory = _memory(db, needed(count, dimension))

    def remark(line: str) -> None:
        if found := re.search(r"maintenance_work_mem after (\d+)", line):
            say(
                f"{int(found[1]):,} of {count:,} photos are in the index, and no more fit into the "
                f"{memory // 1024:,} MB that the server may take to build it: the others take far "
                "longer. Wait, or end it, which leaves nothing behind, and let it take more (docs/gallery.md)"
            )

    if count >= LONG:
        say(f"the server makes its index of {count:,} photos; a million of them take it minutes to an hour")
        progress("making the index", 0, count)
    name = f"{INDEX}_new"
    settings = {"maintenance_work_mem": f"{memory}kB", "statement_timeout": "0"}
    with db.remarked(remark), _watched(db, count, progress):
        db.execute("SAVEPOINT building")
        try:
            with _set(db, settings):
                db.execute(index(dimension, name))
        except FullError:
            # Several processes build in shared memory, which in a container is often bounded (Docker: 64 MB).
            db.execute("ROLLBACK TO SAVEPOINT building")
            with _set(db, settings | {"max_parallel_maintenance_workers": "0"}):
                db.execute(index(dimension, name))
        db.execute("RELEASE SAVEPOINT building")
    with _set(db, {"lock_timeout": _READERS}):
        db.execute(f"DROP INDEX IF EXISTS {INDEX}")
    db.execute(f"ALTER INDEX {name} RENAME TO {INDEX}")


def _memory(db: Connection, wanted: int) -> int:
    """Kilobytes that `maintenance_work_mem` should be: not less than it is; what this user has on purpose."""
    now, source = db.execute(
        "SELECT setting::bigint, source FROM pg_settings WHERE name = 'maintenance_work_mem'"
    ).fetchone()
    return max(now, min(wanted, MOST) // 1024) if source in _OF_EVERYBODY else int(now)


@contextmanager
def _set(db: Connection, wanted: dict[str, str]) -> Iterator[None]:
    """Settings for what is done inside. After an error the transaction is rolled back, and they with it."""
    before = {name: db.execute("SELECT current_setting(?)", (name,)).fetchone()[0] for name in wanted}
    for name, value in wanted.items():
        db.execute("SELECT set_config(?, ?, true)", (name, value))
    yield
    for name, value in before.items():
        db.execute("SELECT set_config(?, ?, true)", (name, value))


@contextmanager
def _watched(db: Connection, count: int, progress: Progress) -> Iterator[None]:
    """Have `progress` told how many of `count` photos the index has, by another connection."""
    if count < LONG or progress is silent:
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(db, count, progress, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(db: Connection, count: int, progress: Progress, done: threading.Event) -> None:
    sql = "SELECT tuples_done FROM pg_stat_progress_create_index WHERE pid = ?"
    try:
        with closing(Connection(db.path)) as beside:
            while not done.wait(_PAUSE):
                if row := beside.execute(sql, (db.pid,)).fetchone():
                    progress("making the index", int(row[0] or 0), count)
    except GalleryError:
        return  # it is made without being watched; if something is wrong, that connection says so
