"""Sessions and tokens: how they are given out, proved and taken back."""

from __future__ import annotations

import hmac
import logging
import secrets
import sqlite3
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pipeline.errors import ConfigError, ServiceError
from pipeline.service.access import secret
from pipeline.service.access.bind import Bind
from pipeline.service.access.patience import BackOff, Limit
from pipeline.service.access.roles import Caller, Role
from pipeline.service.ids import now, utc

_log = logging.getLogger(__name__)
SESSION_DAYS = 30
MOST_SESSIONS = 1000  # of those that hold; the oldest end first
NAME_MOST = 80  # characters of a token's name


class Rows(Protocol):
    """Where sessions and tokens are kept: `pipeline.service.store.Store`."""

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Several reads of one state."""
        ...

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """One transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is listed: never the token itself."""

    id: str
    name: str
    role: Role
    made: str
    used: str | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made. `text` is told once."""

    token: Token
    text: str


class Access:
    """Who may call the service. Any thread may use it.

    Attributes:
        bind: where the service listens.
        failures: log-ins that failed, by address.
        calls, strangers: how often callers, and addresses that are not logged in, may call.
    """

    def __init__(self, store: Rows, bind: Bind) -> None:
        """
        Raises:
            ConfigError: others could call than those on this machine, but nobody has a token, or what is said
                could be overheard.
        """
        self.bind = bind
        self.failures = BackOff()
        self.calls = Limit(rate=100, burst=400)
        self.strangers = Limit(rate=20, burst=200)
        self._store = store
        self._key: bytes | None = None  # digest of the one-time key that is out
        self._lock = threading.Lock()
        if bind.is_loopback:
            return
        if not (bind.tls or bind.behind_proxy):
            raise ConfigError(
                f"{bind.host} can be reached from other machines: give --tls-cert and --tls-key, or "
                "--behind-proxy where a reverse proxy speaks TLS, or keep to 127.0.0.1"
            )
        if not self.tokens():
            raise ConfigError(
                f"{bind.host} can be reached from other machines, and nobody has a token; make one first: "
                "recog serve token create NAME --role admin"
            )

    def first_key(self) -> str | None:
        """A one-time key for the first log-in; None where somebody can log in as an admin already."""
        with self._store.reading() as db:
            found = db.execute(
                """SELECT 1 FROM tokens WHERE role = 'admin' UNION ALL
                SELECT 1 FROM sessions WHERE role = 'admin' AND ends > ? LIMIT 1""",
                (now(),),
            ).fetchone()
        return None if found else self.new_key()

    def new_key(self) -> str:
        """A one-time key, which logs in one admin while this process lives. The one before ends."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._key = secret.digest(key)
        return key

    def log_in_by_key(self, key: str) -> str | None:
        """A new session of an admin, by the one-time key, which ends with that; None for a wrong key."""
        given = secret.digest(key)
        with self._lock:
            if self._key is None or not hmac.compare_digest(given, self._key):
                return None
            self._key = None
        return self._session(Role.ADMIN, "first key", None)

    def log_in_by_token(self, text: str) -> str | None:
        """A new session with the role of a token, which ends with that; None for a wrong one."""
        caller = self.by_token(text)
        return None if caller is None else self._session(caller.role, caller.name, caller.id)

    def log_out(self, caller: Caller) -> None:
        """End a session. A token stays as it is."""
        if caller.kind == "session":
            with self._store.writing() as db:
                db.execute("DELETE FROM sessions WHERE id = ?", (caller.id,))

    def by_session(self, text: str) -> Caller | None:
        """Whose session this is."""
        number = secret.id_of(text)
        with self._store.reading() as db:
            row = db.execute(
                "SELECT digest, name, role FROM sessions WHERE id = ? AND ends > ?", (number or "", now())
            ).fetchone()
        if number is None or row is None or not secret.proves(text, row[0]):
            return None
        return Caller(number, "session", row[1], Role(row[2]))

    def by_token(self, text: str) -> Caller | None:
        """Whose token this is; that it was used is kept, to the hour."""
        number, at = secret.id_of(text), now()
        with self._store.reading() as db:
            row = db.execute(
                "SELECT digest, name, role, used FROM tokens WHERE id = ?", (number or "",)
            ).fetchone()
        if number is None or row is None or not secret.proves(text, row[0]):
            return None
        if (row[3] or "")[:13] != at[:13]:
            try:
                with self._store.writing() as db:
                    db.execute("UPDATE tokens SET used = ? WHERE id = ?", (at, number))
            except ServiceError as error:  # the disk is full, say: whoever may look still may
                _log.warning("when a token was used cannot be kept: %s", error)
        return Caller(number, "token", row[1], Role(row[2]))

    def holds(self, caller: Caller) -> bool:
        """Whether somebody who was let in may still be here: not logged out, not revoked."""
        with self._store.reading() as db:
            if caller.kind == "token":
                found = db.execute("SELECT 1 FROM tokens WHERE id = ?", (caller.id,)).fetchone()
            else:
                found = db.execute(
                    "SELECT 1 FROM sessions WHERE id = ? AND ends > ?", (caller.id, now())
                ).fetchone()
        return found is not None

    def tokens(self) -> list[Token]:
        """All that are not revoked, oldest first."""
        with self._store.reading() as db:
            rows = db.execute("SELECT id, name, role, made, used FROM tokens ORDER BY made, id").fetchall()
        return [Token(number, name, Role(role), made, used) for number, name, role, made, used in rows]

    def create_token(self, name: str, role: Role) -> NewToken:
        """A new token.

        Raises:
            ConfigError: a name that cannot be, or that another token has.
        """
        name = " ".join(name.split())
        if not name or len(name) > NAME_MOST or not name.isprintable():
            raise ConfigError(f"a token needs a name of 1 to {NAME_MOST} characters that print")
        made = secret.new()
        token = Token(made.id, name, role, now(), None)
        try:
            with self._store.writing() as db:
                db.execute(
                    "INSERT INTO tokens (id, digest, name, role, made) VALUES (?, ?, ?, ?, ?)",
                    (token.id, made.digest, token.name, token.role.value, token.made),
                )
        except sqlite3.IntegrityError as error:
            raise ConfigError(f"there is a token named {name}; revoke it, or choose another name") from error
        return NewToken(token, made.text)

    def revoke_token(self, number: str) -> bool:
        """Take a token back, with every session that it opened; whether there was one. By id or by name."""
        with self._store.writing() as db:
            found = db.execute("SELECT id FROM tokens WHERE id = ? OR name = ?", (number, number)).fetchone()
            if found is None:
                return False
            db.execute("DELETE FROM sessions WHERE token = ?", (found[0],))
            db.execute("DELETE FROM tokens WHERE id = ?", (found[0],))
        return True

    def _session(self, role: Role, name: str, token: str | None) -> str | None:
        """A new session; None where the token that opens it was revoked meanwhile."""
        made, at = secret.new(), now()
        ends = utc(datetime.now(UTC) + timedelta(days=SESSION_DAYS))
        with self._store.writing() as db:
            if token and not db.execute("SELECT 1 FROM tokens WHERE id = ?", (token,)).fetchone():
                return None
            db.execute("DELETE FROM sessions WHERE ends <= ?", (at,))
            db.execute(
                """DELETE FROM sessions WHERE id IN
                (SELECT id FROM sessions ORDER BY made DESC, rowid DESC LIMIT -1 OFFSET ?)""",
                (MOST_SESSIONS - 1,),
            )
            db.execute(
                """INSERT INTO sessions (id, digest, name, role, token, made, ends)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
                (made.id, made.digest, name, role.value, token, at, ends),
            )
        return made.text
