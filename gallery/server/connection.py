"""The adapter of psycopg, and the only file that names it: a connection as `gallery.sql` wants it.

What the server refuses is said in one line with the way out; the messages of the server itself may hold data,
so only their first line without details is quoted. Bugs (`ProgrammingError`, `IntegrityError`) stay bugs.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gallery.address import secrets, unreadable
from gallery.encoding import EmbeddingBytes
from gallery.errors import BusyError, FullError, GalleryError, LostError, UnusableError

PATIENCE = 5  # seconds to wait for a server to answer, and for other writers
SILENCE = 3000  # milliseconds after which a connection is given up on which nothing is acknowledged
CHANNEL = "recog_gallery"
SCHEMA = "recog"  # where the tables are, so that a database may hold other things as well
OLDEST = (0, 7)  # pgvector, from which on it has an index for L1

_WORDS = (
    (
        "SELECT value FROM json_each(?)",
        "SELECT value::bigint FROM jsonb_array_elements_text(?::jsonb) AS _ (value)",
    ),
    ("name COLLATE NOCASE", 'lower(name COLLATE "C")'),
)


class Connection:
    """An open connection to the database of one gallery. One thread at a time.

    Attributes:
        path: what stands for the server.
        pid: of the server's process for this connection.
        heard: how often other connections have said that they wrote.
        extension: the version of pgvector in this database, () without it.
        writable: why nothing can be written, "" where it can be.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            GalleryError: psycopg is not installed; no server, no such database or user, a wrong password.
        """
        self.path, self.heard = path, 0
        self.extension: tuple[int, ...] = ()
        psycopg = _psycopg()
        parameters = _parameters(path)
        try:
            self._raw = psycopg.connect(**parameters, autocommit=True)
        except psycopg.Error as error:
            raise _refused(path, error) from error
        try:
            self.pid = self._raw.info.backend_pid
            self._raw.add_notify_handler(lambda told: self._hear(told.pid))
            with self._explained():
                self._begin()
        except BaseException:
            self._raw.close()
            raise

    @property
    def lost(self) -> bool:
        """Whether the server is not heard of any more."""
        return bool(self._raw.closed)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and is not ended."""
        return bool(self._raw.info.transaction_status)

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        """Run one statement; as `gallery.sql.Database`."""
        with self._explained():
            return self._raw.execute(_translated(sql), parameters or None, binary=True)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> None:
        """Run one statement for each row of values, all of them sent at once."""
        rows = list(parameters)
        if rows:
            with self._explained(), self._raw.cursor() as cursor:
                cursor.executemany(_translated(sql), rows)

    def listen(self) -> None:
        """Be told from now on when others have written."""
        self.execute(f"LISTEN {CHANNEL}")

    def listened(self) -> int:
        """Take in what others have told; how often they have in all. Asks nothing of the server."""
        with self._explained():
            connection = self._raw.pgconn
            connection.consume_input()
            while (told := connection.notifies()) is not None:
                self._hear(told.be_pid)
        return self.heard

    @contextmanager
    def remarked(self, say: Callable[[str], None]) -> Iterator[None]:
        """Have `say` told in a line what the server remarks meanwhile, as soon as it does."""

        def remark(diagnostic: Any) -> None:
            say(_printable(diagnostic.message_primary or ""))

        self._raw.add_notice_handler(remark)
        try:
            yield
        finally:
            self._raw.remove_notice_handler(remark)

    def know_vectors(self) -> None:
        """Have embeddings go in and out as vectors of pgvector.

        Raises:
            GalleryError: the database has no pgvector, or one that is too old.
        """
        found = self.execute(
            "SELECT extversion, nspname, t.oid FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace "
            "JOIN pg_type t ON t.typnamespace = n.oid AND typname = 'vector' WHERE extname = 'vector'"
        ).fetchone()
        if found is None:
            raise GalleryError(
                f"the database {self.path} lacks the extension pgvector; install it on the server, then, as "
                "its superuser in this database: CREATE EXTENSION vector"
            )
        version, schema, number = found
        self.extension = tuple(int(part) for part in version.split(".")[:2])
        if self.extension < OLDEST:
            raise GalleryError(
                f"pgvector {version} of {self.path} has no index for L1; update it to 0.7 or later, then: "
                "ALTER EXTENSION vector UPDATE"
            )
        self.execute(f'SET search_path TO {SCHEMA}, "{schema}"')
        _register(self._raw, number)

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self._raw.close()

    def _begin(self) -> None:
        # No statement here is worth compiling.
        self.execute("SET jit = off")
        self.execute(f"SET lock_timeout = '{PATIENCE}s'")
        if (encoding := self.execute("SHOW server_encoding").fetchone()[0]) != "UTF8":
            raise GalleryError(
                f"the database {self.path} keeps text as {encoding}; make one for the gallery with: "
                "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )
        self.writable = self._why_not()

    def _why_not(self) -> str:
        standby, only = self.execute(
            "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')"
        ).fetchone()
        if standby:
            return "the server is a standby; name its primary"
        return "its user is given read-only transactions" if only == "on" else ""

    def _hear(self, pid: int) -> None:
        self.heard += pid != self.pid

    @contextmanager
    def _explained(self) -> Iterator[None]:
        psycopg = _psycopg()
        try:
            yield
        except psycopg.Error as error:
            known = _explain(self.path, error, self.lost)
            if known is None:
                raise
            raise known from error


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise GalleryError(
            "a gallery on a server needs psycopg: in a checkout uv sync --inexact --extra postgres, "
            "elsewhere pip install 'recog[postgres]'"
        ) from error
    return psycopg


def _parameters(path: Path) -> dict[str, Any]:
    """What libpq is given. What the address leaves out comes from PGHOST, PGPASSWORD, ~/.pgpass and so on."""
    from psycopg.conninfo import conninfo_to_dict

    usual: dict[str, Any] = {
        "connect_timeout": PATIENCE,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": SILENCE,
        "application_name": "recog",
    }
    try:
        given: dict[str, Any] = conninfo_to_dict(str(path))
    except _psycopg().Error as error:
        raise unreadable() from error
    return usual | given | secrets(path) | {"client_encoding": "UTF8"}


@functools.lru_cache(maxsize=512)
def _translated(sql: str) -> str:
    """A statement in PostgreSQL's words."""
    for ours, theirs in _WORDS:
        sql = sql.replace(ours, theirs)
    return sql.replace("?", "%s")


def _register(raw: Any, number: int) -> None:
    """Embeddings as pgvector's binary form: the dimension, two bytes of nothing, big-endian float32."""
    from psycopg.adapt import Dumper, Loader
    from psycopg.pq import Format

    class EmbeddingDumper(Dumper):
        format = Format.BINARY
        oid = number

        def dump(self, obj: bytes) -> bytes:
            return struct.pack(">HH", len(obj) // 4, 0) + np.frombuffer(obj, "<f4").astype(">f4").tobytes()

    class EmbeddingLoader(Loader):
        format = Format.BINARY

        def load(self, data: Any) -> bytes:
            return EmbeddingBytes(np.frombuffer(data, ">f4", offset=4).astype("<f4").tobytes())

    raw.adapters.register_dumper(EmbeddingBytes, EmbeddingDumper)
    raw.adapters.register_loader(number, EmbeddingLoader)


def _first_line(error: Any) -> str:
    said = (error.diag.message_primary or str(error)).strip().splitlines() or [type(error).__name__]
    return _printable(said[0])


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in line)


def _refused(path: Path, error: Any) -> GalleryError:
    """Why there is no connection. There are no codes for that: libpq keeps them to itself."""
    said = " ".join(str(error).split())
    if "password" in said and "authentication" in said:
        return UnusableError(
            f"{path} refuses the password; give the right one in PGPASSWORD or ~/.pgpass (mode 0600)"
        )
    if "no password supplied" in said:
        return UnusableError(
            f"{path} asks for a password; give it in PGPASSWORD, in ~/.pgpass (0600) or in a service file"
        )
    if "does not exist" in said and "database" in said:
        return UnusableError(f"there is no such database as {path}; make it on the server with: createdb")
    if "does not exist" in said or "no pg_hba.conf entry" in said or "Peer authentication" in said:
        return UnusableError(
            f"{path} does not let this user in; name another as postgresql://USER@HOST/DATABASE"
        )
    if "too many clients" in said or "connection slots" in said:
        return BusyError(f"{path} has no connection left; raise its max_connections, or try again later")
    reason = _first_line(error).rpartition("failed: ")[2] or "no answer"
    return LostError(f"there is no server at {path} ({reason}); see that it runs and can be reached")


def _explain(path: Path, error: Any, lost: bool) -> Exception | None:
    """What to say of an error; None for a bug."""
    code = getattr(error, "sqlstate", None) or ""
    if lost or code.startswith("08") or code in ("57P01", "57P02", "57P03"):
        return LostError(f"the server of the gallery {path} is not heard of any more")
    match code:
        case "55P03" | "40P01" | "40001" | "57014":
            return BusyError(f"the gallery {path} is locked by another program; try again later")
        case "42501":
            return UnusableError(
                f"the user of {path} lacks a right ({_first_line(error)}); have the owner GRANT it"
            )
        case "42P01":  # PostgreSQL passes over a schema to which the user has no right
            return UnusableError(
                f"no tables of a gallery are to be seen in {path}; have the owner GRANT USAGE ON SCHEMA "
                f"{SCHEMA}, or, where they are gone, copy a backup into an empty database"
            )
        case "25006":
            return UnusableError(f"the gallery {path} can only be read here; name its primary server")
        case "53100":
            return FullError(
                f"the server's disk is full ({_first_line(error)}), so the gallery {path} stays as it was; "
                "free some space there"
            )
        case "53200":
            return FullError(
                f"the server's memory is full ({_first_line(error)}), so the gallery {path} stays as it was; "
                "try again when less is done there"
            )
        case _ if code[:2] in ("53", "58", "XX", "57"):
            return UnusableError(f"the server of the gallery {path} cannot do it ({_first_line(error)})")
    return None
