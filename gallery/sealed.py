"""A gallery whose file is encrypted as a whole: people, names, embeddings, crops, history, log.

SQLCipher does it (AES-256 in CBC mode, HMAC-SHA512 on each page), through the package `sqlcipher3`, which the
extra `encrypted` brings; docs/decisions/0016-encryption-at-rest.md says why. The key is derived with scrypt
from a secret that never stands in a command line: it is in a file that `RECOG_KEY_FILE` or the service
manager's credentials name, or is typed in.
"""

from __future__ import annotations

import functools
import getpass
import hashlib
import os
import secrets
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from gallery.errors import GalleryError
from gallery.held import HEAD, Connection, Hold, head

VARIABLE = "RECOG_KEY_FILE"
CREDENTIAL = "recog-gallery-key"  # of systemd, in the folder that $CREDENTIALS_DIRECTORY names
_MARK = b"rcg1"  # what the salt begins with, and so the file: 12 random bytes of it are left
_COST = 2**15  # scrypt's n, with r = 8: 32 MiB and about a tenth of a second


def is_sealed(path: Path) -> bool:
    """Whether the file of a gallery is encrypted. False where there is none."""
    try:
        return marked(head(path))
    except OSError:
        return False


def marked(beginning: bytes) -> bool:
    """Whether a file that begins so is an encrypted gallery."""
    return beginning.startswith(_MARK)


def connect(path: Path, how: str, salt: bytes, **options: Any) -> Connection:
    """Open an encrypted file, as `sqlite3.connect` opens a plain one.

    What it raises are sqlite3's own errors, so that nobody has to know which of both it is.

    Args:
        how: options of the address, such as `mode=rw`.
        salt: the head of the file.

    Raises:
        GalleryError: there is no key, it does not fit, or the extra is not installed.
        sqlite3.Error: the file cannot be opened.
    """
    db = _connection(f"{path.absolute().as_uri()}?{how}", options)
    try:
        db.execute(f"PRAGMA key = \"x'{_key(salt)}'\"")
        try:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
                raise GalleryError(
                    f"the gallery {path} is encrypted, and the key does not fit; check {VARIABLE}"
                ) from error
            raise
    except BaseException:
        db.close()
        raise
    return db


def seal(path: Path) -> None:
    """Encrypt a plain gallery in its place; the plain file is overwritten with zeros.

    Raises:
        GalleryError: it is encrypted already, another program has it open, there is no key.
        sqlite3.Error, OSError: it cannot be read or written; then it is as it was.
    """
    if is_sealed(path):
        raise GalleryError(f"the gallery {path} is encrypted already")
    _confirm()
    salt = _MARK + secrets.token_bytes(HEAD - len(_MARK))
    _rewrite(path, None, _key(salt))


def unseal(path: Path) -> None:
    """Write an encrypted gallery as a plain file in its place. Raises as `seal` does."""
    if not is_sealed(path):
        raise GalleryError(f"the gallery {path} is not encrypted")
    _rewrite(path, _key(head(path)), None)


def _rewrite(path: Path, before: str | None, after: str | None) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
    os.close(handle)
    made = Path(name)
    try:
        with closing(_connection(f"{path.absolute().as_uri()}?mode=rw", {"isolation_level": None})) as db:
            if before is not None:
                db.execute(f"PRAGMA key = \"x'{before}'\"")
            # Out of write-ahead mode only gets who is alone; then nobody else comes in until this is closed.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            try:
                alone = db.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete"
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                alone = False
            if not alone:
                raise GalleryError(f"another program has the gallery {path} open; end that one first")
            db.execute("PRAGMA temp_store = MEMORY")
            key = "''" if after is None else f"\"x'{after}'\""
            db.execute(f"ATTACH DATABASE ? AS made KEY {key}", (str(made),))
            db.execute("SELECT sqlcipher_export('made')")
            for pragma in ("application_id", "user_version"):
                value = int(db.execute(f"PRAGMA main.{pragma}").fetchone()[0])
                db.execute(f"PRAGMA made.{pragma} = {value}")
            db.execute("PRAGMA made.journal_mode = WAL")
            db.execute("DETACH DATABASE made")
            _to_disk(made)
            with path.open("r+b") as old:
                made.replace(path)
                _wipe(old.fileno())
    except BaseException:
        if path.exists() and is_sealed(path) is (before is not None):  # as it was, but for its journal
            with closing(_connection(f"{path.absolute().as_uri()}?mode=rw", {})) as db:
                if before is not None:
                    db.execute(f"PRAGMA key = \"x'{before}'\"")
                db.execute("PRAGMA journal_mode = WAL")
        raise
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            made.with_name(f"{made.name}{suffix}").unlink(missing_ok=True)


def _wipe(file: int) -> None:
    for start in range(0, os.fstat(file).st_size, 1 << 20):
        os.pwrite(file, bytes(min(1 << 20, os.fstat(file).st_size - start)), start)
    os.fsync(file)


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _key(salt: bytes) -> str:
    """Key and salt as SQLCipher takes them raw, in hexadecimal."""
    return _derived(_secret(), salt).hex() + salt.hex()


@functools.lru_cache(maxsize=8)
def _derived(secret: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(secret, salt=salt, n=_COST, r=8, p=1, maxmem=1 << 26, dklen=32)


def _key_file() -> str | None:
    """The file that holds the secret; None where it is to be typed in."""
    named = os.environ.get(VARIABLE)
    if named is None and (folder := os.environ.get("CREDENTIALS_DIRECTORY")):
        given = Path(folder) / CREDENTIAL
        named = str(given) if given.exists() else None
    return named


def _confirm() -> None:
    """Have a new passphrase typed in twice: with one that was mistyped the gallery would be lost.

    Raises:
        GalleryError: the two are not the same, or there is no secret.
    """
    if _key_file() is None and _typed_in() != getpass.getpass("once more: ").encode():
        _typed_in.cache_clear()
        raise GalleryError("the two passphrases are not the same; nothing was changed")


def _secret() -> bytes:
    """The secret from the file that was named, else as it is typed in, once.

    Raises:
        GalleryError: there is none.
    """
    named = _key_file()
    if named is None:
        return _typed_in()
    try:
        secret = Path(named).read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise GalleryError(f"the key file {named} cannot be read ({error.strerror})") from error
    if len(secret) < 8:
        raise GalleryError(f"the key file {named} holds less than 8 bytes; make one that cannot be guessed")
    return secret


@functools.lru_cache(maxsize=1)
def _typed_in() -> bytes:
    if not sys.stdin.isatty():
        raise GalleryError(f"there is no key: name the file that holds the gallery's in {VARIABLE}")
    typed = getpass.getpass("passphrase of the gallery: ").encode()
    if len(typed) < 8:
        raise GalleryError("the passphrase of a gallery has at least 8 characters")
    return typed


def _connection(address: str, options: dict[str, Any]) -> Connection:
    try:
        from sqlcipher3 import dbapi2
    except ImportError as error:
        raise GalleryError(
            "an encrypted gallery needs sqlcipher3: in a checkout uv sync --inexact --extra encrypted, "
            "elsewhere pip install 'recog[encrypted]'"
        ) from error
    kinds = _translating(dbapi2)
    try:
        opened = dbapi2.connect(address, uri=True, factory=kinds, **options)
    except dbapi2.Error as error:
        raise _as_sqlite(error) from error
    return cast(Connection, opened)


@functools.cache
def _translating(dbapi2: Any) -> Any:
    """A connection of sqlcipher3 that raises sqlite3's errors."""

    def translated(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*given: Any, **named: Any) -> Any:
            try:
                return method(*given, **named)
            except dbapi2.Error as error:
                raise _as_sqlite(error) from error

        return call

    class Cursor(dbapi2.Cursor):  # type: ignore[misc]
        pass

    for name in ("execute", "executemany", "executescript", "fetchone", "fetchmany", "fetchall", "__next__"):
        setattr(Cursor, name, translated(getattr(dbapi2.Cursor, name)))

    class Sealed(dbapi2.Connection):  # type: ignore[misc]
        hold: Hold | None = None

        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, sql: str, parameters: Any = ()) -> Any:
            return self.cursor().execute(sql, parameters)

        def executemany(self, sql: str, parameters: Any) -> Any:
            return self.cursor().executemany(sql, parameters)

        def executescript(self, script: str) -> Any:
            return self.cursor().executescript(script)

        def close(self) -> None:
            translated(dbapi2.Connection.close)(self)
            if self.hold is not None:
                self.hold.release()

    for name in ("commit", "rollback", "backup"):
        setattr(Sealed, name, translated(getattr(dbapi2.Connection, name)))
    return Sealed


def _as_sqlite(error: Any) -> sqlite3.Error:
    made: Any = getattr(sqlite3, type(error).__name__, sqlite3.DatabaseError)(*error.args)
    for name in ("sqlite_errorcode", "sqlite_errorname"):
        if hasattr(error, name):
            setattr(made, name, getattr(error, name))
    return cast(sqlite3.Error, made)
