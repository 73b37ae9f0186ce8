"""What the gallery asks of a database: so little that SQLite and PostgreSQL both have it.

Statements are written in the SQL that both understand, with `?` for values. Where they differ (the types of
columns, `json_each`, how names are sorted), `gallery.server.connection` says it in PostgreSQL's words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol


class Rows(Protocol):
    """What a statement answered, as a cursor of Python's database interface."""

    @property
    def rowcount(self) -> int:
        """How many rows a DELETE or UPDATE changed."""
        ...

    def fetchone(self) -> Any:
        """The next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """The other rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Database(Protocol):
    """An open connection, or an open transaction on it."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Rows:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        """Run one statement for each row of values."""
        ...


def inserted(db: Database, sql: str, parameters: tuple[object, ...]) -> int | None:
    """Insert one row; its id. None where it was there already, and the statement leaves it so."""
    rows = db.execute(f"{sql} RETURNING id", parameters).fetchall()
    return int(rows[0][0]) if rows else None
