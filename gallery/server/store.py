"""A gallery on a server that is the truth about who is enrolled, for every machine that asks it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gallery import encoding
from gallery.copying import TABLES as TABLES_OF_ROWS
from gallery.copying import copy_rows, to_file
from gallery.database import Signature
from gallery.errors import GalleryError, LostError, MissingError, UnusableError
from gallery.failures import damaged
from gallery.large import LARGE
from gallery.progress import Progress, Report, silent, unheard
from gallery.records import Records
from gallery.schema import FORMAT
from gallery.server.building import build
from gallery.server.connection import CHANNEL, SCHEMA, Connection
from gallery.server.schema import COUNTED, INDEX, searchable
from gallery.server.schema import SCHEMA as TABLES
from gallery.sql import Database
from gallery.types import Floats, Ints

_ALWAYS = Signature(0, 0, 0, 0, 0)  # nothing can be put in the place of a database unseen
_ONE_WRITER = 0x7265636F  # the advisory lock of whoever writes
_STANDBY_PAUSE = 0.5  # seconds between two looks at a server that tells nothing by itself
_OF_MODEL = "(SELECT value FROM meta WHERE key = 'fingerprint') = ?"  # asked in the same moment
_EF_SEARCH = 400  # neighbours that the index keeps in sight, at least; see benchmarks/postgres.py
MOST = 1000  # of them, for pgvector


# Tables that hold something of people.
_OF_PEOPLE = ("people", "person_notes", "templates", "crops", "denials")
CLEARED = (*_OF_PEOPLE, *(f"old_{table}" for table in _OF_PEOPLE))


class ServerStore(Records):
    """An open gallery on a server. Not safe between threads: `Gallery` holds the lock.

    Raises GalleryError for a database that cannot be used, and for all that the server refuses.
    """

    _db: Connection
    remains = (
        "the server may hold the bytes until its pages are written over (VACUUM FULL does that), its log is "
        "recycled, and its standbys and backups have expired: recog cannot see into those"
    )

    def __init__(self, path: Path) -> None:
        self.path, self.signature = path, _ALWAYS
        self._wide = 0  # what the index's sight is set to
        self._looked, self._counted = 0.0, 0  # of a standby: when, and how many changes there were
        self._db = Connection(path)
        try:
            self.read_only = self._db.writable
            if self._db.execute(f"SELECT to_regnamespace('{SCHEMA}') IS NULL").fetchone()[0]:
                raise MissingError(f"there is no gallery in {path}")
            self._db.know_vectors()
            self._check_format()
            self._standby = self.read_only.startswith("the server is a standby")
            if not self._standby:  # which can tell nothing
                self._db.listen()
            self.read_only = self.read_only or self._lacks()
            super().__init__(self.made_with())
        except (KeyError, ValueError) as error:
            self._db.close()
            raise damaged(path, "it does not say which model made it") from error
        except BaseException:
            self._db.close()
            raise

    @property
    def lost(self) -> bool:
        """Whether the server is not heard of any more."""
        return self._db.lost

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self._db.close()

    def looks(self) -> Signature:
        """Always the same."""
        return _ALWAYS

    def version(self, ask: bool = False) -> int:
        """How often others have said that they wrote.

        Without `ask` it asks nothing of the server, who tells it in a moment; of a standby, a short question.
        """
        if not self._standby:
            if ask:
                self._db.execute("SELECT")  # what was told before comes before the answer
            return self._db.listened()
        if ask or time.monotonic() - self._looked > _STANDBY_PAUSE:
            self._looked = time.monotonic()
            self._counted = int(self._value("SELECT coalesce(max(id), 0) + count(undone) FROM changes"))
        return self._counted

    def size(self) -> int:
        """How many bytes its tables and indexes take on the server."""
        return int(
            self._value(
                "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class "
                f"WHERE relnamespace = '{SCHEMA}'::regnamespace AND relkind = 'r'"
            )
        )

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads that see one state of it."""
        self._db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            if not self._db.lost:
                self._db.execute("ROLLBACK")

    @contextmanager
    def writing(self, say: Report = unheard) -> Iterator[Database]:
        """One transaction, for the functions of `edits` and `history`: all of it or nothing.

        Writers take turns, as with a file: ids are seen in the order in which they are given. Whoever listens
        is told when it is done.

        Raises GalleryError where it can only be read.
        """
        self.must_write()
        self._db.execute("BEGIN")
        try:
            self._db.execute(f"SELECT pg_advisory_xact_lock({_ONE_WRITER})")
            yield self._db
            self._index_again(say)
            self._db.execute(f"SELECT pg_notify('{CHANNEL}', '')")
            self._db.execute("COMMIT")
        except LostError as error:
            raise LostError(
                f"{error}; the change was made wholly or not at all: see recog gallery log once it is back"
            ) from error
        except BaseException:
            if self._db.in_transaction and not self._db.lost:
                self._db.execute("ROLLBACK")
            raise

    def erase(self) -> bool:
        """Have the server clear away what was deleted; False, for what else it keeps nobody here can say.

        Its log, its standbys and its backups hold the bytes until they run out.
        """
        if self.read_only:
            return False
        try:
            small = self.counts()[1] <= LARGE
            if small:  # else it takes minutes, and the server does it by itself in its time
                for table in CLEARED:
                    self._db.execute(f"VACUUM {table}")
            with self.writing() as db:
                db.execute("DELETE FROM meta WHERE key = 'unerased'")
        except UnusableError:
            return False
        return False

    def copy_into(self, path: Path, progress: Progress = silent) -> None:
        """Write one state of it to `path`, an empty file: a gallery of SQLite."""
        to_file(self, path, progress)

    def ids_given(self) -> dict[str, int]:
        """The last id that each table has given."""
        return {
            table: int(
                self._value(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq")
            )
            for table in COUNTED
        }

    def searched(
        self, wanted: Ints | None = None, after: int = 0
    ) -> Iterator[tuple[Ints, Ints, Floats | None]]:
        """As `embeddings`; of more than a memory should hold, None in place of them."""
        if wanted is not None and not len(wanted):
            return
        if self.counts()[1] <= LARGE:
            yield from self.embeddings(wanted, after)
            return
        ids, people = self.owners(after)
        if wanted is not None:
            keep = np.isin(ids, wanted)
            ids, people = ids[keep], people[keep]
        yield ids, people, None

    def nearest(self, embeddings: Floats, k: int, made_with: tuple[str, int]) -> list[tuple[Ints, Floats]]:
        """For each of `embeddings` (m, d) ids (n,) and embeddings (n, d) of about the k nearest.

        n is 0 where the gallery is not `made_with` this fingerprint and dimension any more: embeddings of
        another model cannot be compared with these.

        Raises:
            LostError: the server is not heard of any more.
        """
        if self._wide < (wide := min(MOST, max(_EF_SEARCH, k))):
            self._db.execute(f"SET hnsw.ef_search = {wide}")
            if self._db.extension >= (0, 8):  # goes on looking where too few are found
                self._db.execute("SET hnsw.iterative_scan = relaxed_order")
            self._wide = wide
        fingerprint, d = made_with
        sql = (
            f"SELECT id, embedding FROM templates WHERE {searchable(d)} AND {_OF_MODEL} "
            f"ORDER BY embedding::vector({d}) <+> ?::vector({d}) LIMIT {int(k)}"
        )
        found = []
        for row in embeddings:
            parameters = (fingerprint, encoding.embedding_to_bytes(row))
            found.append(self._told(self._db.execute(sql, parameters).fetchall(), d))
        return found

    def under(self, ids: Ints, made_with: tuple[str, int]) -> tuple[Ints, Floats]:
        """Of templates `ids` (w,) those that are searched, ascending (n,), and their embeddings (n, d).

        n is 0 where the gallery is not `made_with` this fingerprint and dimension any more.

        Raises:
            LostError: the server is not heard of any more.
        """
        fingerprint, d = made_with
        rows = self._db.execute(
            "SELECT id, embedding FROM templates WHERE id IN (SELECT value FROM json_each(?)) "
            f"AND {searchable(d)} AND {_OF_MODEL} ORDER BY id",
            (json.dumps(ids.tolist()), fingerprint),
        ).fetchall()
        return self._told(rows, d)

    def _told(self, rows: list[tuple[int, bytes]], dimension: int) -> tuple[Ints, Floats]:
        ids = np.array([each[0] for each in rows], np.int64)
        return ids, encoding.embeddings_from_bytes([each[1] for each in rows], dimension)

    def _lacks(self) -> str:
        """Why its user may only read, "" where they may write."""
        may = self._value(
            "SELECT bool_and(has_table_privilege(t, 'INSERT') AND has_table_privilege(t, 'UPDATE') AND "
            "has_table_privilege(t, 'DELETE')) "
            "FROM unnest(array['people', 'templates', 'changes', 'meta']) AS t"
        )
        return "" if may else "its user may not write (GRANT SELECT, INSERT, UPDATE, DELETE would let them)"

    def _check_format(self) -> None:
        found = int(self._value("SELECT format FROM about"))
        if found > FORMAT:
            raise GalleryError(f"the gallery {self.path} was made by a newer version of recog; update recog")
        if found != FORMAT:  # the first that there was on servers
            raise damaged(self.path, f"format {found}")

    def _index_again(self, say: Report) -> None:
        """Have the index fit the model, where that has changed in this transaction.

        Embeddings of another model that are as long came into it one by one, while others searched with it.
        """
        dimension = self.made_with()[1]
        if dimension != self.dimension:
            build(self._db, dimension, say)


def create(path: Path, fingerprint: str, dimension: int) -> None:
    """Make an empty gallery in a database; one that another process makes meanwhile stays.

    Raises GalleryError where the server refuses it; then nothing was made.
    """
    with _making(path) as (db, there):
        if not there:
            _lay_out(db)
            meta = [("fingerprint", fingerprint), ("dimension", str(dimension))]
            db.executemany("INSERT INTO meta VALUES (?, ?)", meta)
            build(db, dimension)


def fill(path: Path, source: Records, say: Report = unheard, progress: Progress = silent) -> None:
    """Put all of another gallery into a database that has none, or an empty one: wholly or not at all.

    Args:
        say: is told in a line what takes long.
        progress: is told how many rows are copied, and how many photos are in the index.

    Raises GalleryError where there is something already, and where the server refuses it.
    """
    with _making(path) as (db, there):
        if not there:
            _lay_out(db)
        else:
            db.know_vectors()
            for table in TABLES_OF_ROWS:
                if table != "meta" and db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
                    raise GalleryError(
                        f"there is something in the gallery {path} already; copy into an empty database"
                    )
            db.execute(f"DROP INDEX IF EXISTS {INDEX}")  # quicker made at once, below
        copy_rows(source, db, progress)
        for table, last in source.ids_given().items():
            if last and table in COUNTED:
                db.execute(f"SELECT setval('{table}_id_seq', ?)", (last,))
        db.execute("ANALYZE templates")
        build(db, source.dimension, say, progress)
        db.execute(f"SELECT pg_notify('{CHANNEL}', '')")


@contextmanager
def _making(path: Path) -> Iterator[tuple[Connection, bool]]:
    """A transaction in which a gallery can be made; and whether there is one already."""
    db = Connection(path)
    try:
        if db.writable:
            raise UnusableError(f"a gallery cannot be made in {path}: {db.writable}")
        db.execute("BEGIN")
        db.execute(f"SELECT pg_advisory_xact_lock({_ONE_WRITER})")
        yield db, not db.execute(f"SELECT to_regnamespace('{SCHEMA}') IS NULL").fetchone()[0]
        db.execute("COMMIT")
    finally:
        db.close()  # which takes back what was not committed


def _lay_out(db: Connection) -> None:
    if db.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone():
        db.execute("CREATE EXTENSION IF NOT EXISTS vector")
    db.know_vectors()
    db.execute(f"CREATE SCHEMA {SCHEMA}")
    for statement in TABLES:
        db.execute(statement)
