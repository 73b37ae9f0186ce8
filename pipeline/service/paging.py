"""Lists in pages: an opaque cursor says where the next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any

from fastapi import Query

from pipeline.service.problems import Problem

LimitParam = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
CursorParam = Annotated[
    str | None, Query(max_length=500, description="`next` of the page before; none for the first.")
]


def cursor(*place: Any) -> str:
    """A place in a list, as clients give it back: values of JSON's types."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place(given: str, *kinds: type) -> tuple[Any, ...]:
    """What `cursor` was made from.

    Raises:
        Problem: it is no cursor of this list.
    """
    try:
        found = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        json.dumps(found, ensure_ascii=False).encode()  # JSON may escape half a character; SQLite takes none
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or [type(each) for each in found] != list(kinds):
        raise Problem(422, "bad_cursor", "the cursor is none of this list; begin without one", "query.cursor")
    return tuple(found)
