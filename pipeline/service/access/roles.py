"""What callers may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Role(StrEnum):
    """What somebody may do: a viewer looks, an admin also changes."""

    VIEWER = "viewer"
    ADMIN = "admin"

    def allows(self, needed: Role) -> bool:
        """Whether this role may do what needs another."""
        return self is Role.ADMIN or needed is Role.VIEWER


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from, once that is proved."""

    id: str  # of the session or the token
    kind: Literal["session", "token"]
    name: str  # what the token is called
    role: Role
