"""Somebody who is removed is erased everywhere, in the end: whatever cannot be written at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.api import Recog
from pipeline.errors import ServiceError, SourceError

RED = (40, 40, 220)
NAMED = (
    "INSERT INTO events VALUES ('r-1', 's', 'r', 1, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z', "
    "0, 0, 'named', 'Rosa', ?, 1, '', 3, '[0,0,1,1]', x'00', 0, 0)"
)
PORTRAIT = "INSERT INTO portraits VALUES ('r', 1, 0, '2026-01-01T00:00:00.000Z', 0, 1, '', x'00', x'00', '')"


class Enrolled:
    """A service that has seen Rosa, who is enrolled."""

    def __init__(self, running: Any, person: str) -> None:
        self.running, self.service, self.person = running, running.service, person

    def remove(self) -> Any:
        return self.running.admin.delete(f"api/v1/people/{self.person}", headers={"if-match": "*"})

    def left(self) -> dict[str, int]:
        with self.service.store.reading() as connection:
            return {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("events", "portraits", "removals", "removed_tracks")
            }

    def trouble(self) -> list[str]:
        return list(self.running.stranger.get("api/v1/health/ready").json()["trouble"])


@pytest.fixture
def enrolled(serve: Callable[..., Any], world: Any, tmp_path: Path) -> Enrolled:
    with Recog.open(tmp_path / "people.db") as recog:
        recog.enroll("Rosa", [world.picture(tmp_path / "rosa.png", RED)])
    running = serve()
    person = running.viewer.get("api/v1/people").json()["items"][0]["id"]
    with running.service.store.writing() as connection:
        connection.execute(NAMED, (person,))
        connection.execute(PORTRAIT)
    return Enrolled(running, person)


def test_a_tape_that_cannot_be_written_is_left_for_later_and_the_rest_is_done(
    enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    erased: list[set[tuple[str, int]]] = []

    class InUse:
        def erase(self, tracks: set[tuple[str, int]]) -> int:
            erased.append(tracks)
            if len(erased) < 3:
                raise SourceError("cannot use the tape: another program has it open")
            return 0

    monkeypatch.setattr(enrolled.service.removals, "_past", InUse)
    answer = enrolled.remove()
    assert (answer.status_code, answer.json()["finished"]) == (200, False)
    assert enrolled.left() == {"events": 0, "portraits": 0, "removals": 1, "removed_tracks": 1}
    assert enrolled.trouble() == ["not all of somebody who was removed is erased yet; it is tried again"]
    (entry,) = enrolled.running.admin.get("api/v1/audit").json()["items"]
    assert (entry["action"], entry["details"]) == ("remove_person", {"person": enrolled.person})

    again = enrolled.remove()
    assert again.json()["code"] == "no_such_person"
    assert enrolled.left()["removals"] == 1, "what is left is not forgotten by that"
    enrolled.service.sweeper.sweep()
    assert enrolled.left()["removals"] == 1
    enrolled.service.sweeper.sweep()
    assert erased == [{("r", 1)}] * 3
    assert enrolled.left() == {"events": 0, "portraits": 0, "removals": 0, "removed_tracks": 0}
    assert enrolled.trouble() == []


def test_a_disk_that_is_full_leaves_a_person_as_they_were(
    enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def full() -> Iterator[Any]:
        raise ServiceError("cannot use people.service.db: database or disk is full")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(enrolled.service.store, "writing", full)
        answer = enrolled.remove()
    assert (answer.status_code, answer.json()["code"]) == (503, "store")
    assert [each.name for each in enrolled.service.recog.people()] == ["Rosa"]
    assert enrolled.left()["events"] == 1
    assert enrolled.remove().json()["finished"] is True
    assert enrolled.left() == {"events": 0, "portraits": 0, "removals": 0, "removed_tracks": 0}


def test_a_service_that_ended_between_two_steps_goes_on_where_it_was(enrolled: Enrolled) -> None:
    service = enrolled.service
    with service.store.writing() as connection:
        connection.execute("INSERT INTO removals VALUES (?, 't')", (enrolled.person,))
    service.sweeper.sweep()
    assert enrolled.left()["events"] == 1, "the gallery has her still, so she was not removed"
    assert enrolled.left()["removals"] == 0
    with service.store.writing() as connection:
        connection.execute("INSERT INTO removals VALUES (?, 't')", (enrolled.person,))
    with service.recog.gallery() as gallery:
        gallery.remove("Rosa")
    service.sweeper.sweep()
    assert enrolled.left() == {"events": 0, "portraits": 0, "removals": 0, "removed_tracks": 0}


def test_one_thing_that_cannot_be_deleted_does_not_keep_the_rest(
    enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Any:
        raise SourceError("the tape is damaged")

    monkeypatch.setattr(enrolled.service.recog, "expire", refuse)
    with pytest.raises(SourceError, match="damaged"):
        enrolled.service.sweeper.sweep()
    assert enrolled.left()["portraits"] == 0, "those of last winter"
