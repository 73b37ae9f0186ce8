"""Cursors: what a list gave is understood again, and anything else is refused by every list."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pipeline.service.paging import cursor, place


def test_a_place_is_read_as_it_was_written() -> None:
    assert place(cursor("zoë", 7), str, int) == ("zoë", 7)


@pytest.mark.parametrize("path", ["audit", "jobs", "events"])
def test_half_a_character_is_no_place_in_any_list(running: Any, path: str) -> None:
    half = '"\\ud800"'  # JSON can say it, no file can hold it
    places = f"[{half}, {half}]" if path == "events" else f"[{half}]"
    given = base64.urlsafe_b64encode(places.encode()).decode()
    answer = running.admin.get(f"/api/v1/{path}", params={"cursor": given})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")
