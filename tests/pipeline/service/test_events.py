"""Events over HTTP: visits of faces with verdicts, pictures and reasons; found, paged, erased."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest


@pytest.fixture
def seen(serve: Callable[..., Any], until: Callable[..., Any], tmp_path: Path, world: Any) -> Any:
    """A service that knows alice (red), and has seen a film of red and green to its end."""
    film = world.film(tmp_path / "street.mp4", world.RED, world.GREEN)
    running = serve()
    running.service.recog.enroll("alice", [world.picture(tmp_path / "red.png", world.RED)])
    running.service.people_changed()
    source = running.service.cameras.add(str(film), "the street", trusted=True)

    def over() -> bool:
        events = running.viewer.get("api/v1/events").json()["items"]
        return len(events) == 2 and not any(each["present"] for each in events)

    until(over)
    running.source = source.id
    running.alice = str(running.service.recog.people()[0].id)
    return running


def events(running: Any, **wanted: Any) -> list[dict[str, Any]]:
    answer = running.viewer.get("api/v1/events", params=wanted)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_each_visit_is_one_event_with_its_verdict_times_and_picture(seen: Any) -> None:
    found = {each["state"]: each for each in events(seen)}
    assert set(found) == {"named", "unknown"}
    named = found["named"]
    assert (named["name"], named["person"], named["source"]) == ("alice", seen.alice, seen.source)
    assert named["at"] < named["until"]
    assert named["looks"] >= 3
    assert named["confidence"] > 0.99
    assert not named["corrected"]
    picture = seen.viewer.get(named["thumbnail"])
    assert picture.headers["cache-control"] == "private, no-store"
    image = cv2.imdecode(np.frombuffer(picture.content, np.uint8), 1)
    assert max(image.shape[:2]) <= 160
    assert image.reshape(-1, 3).max(axis=0).argmax() == 2  # red
    assert seen.viewer.get(f"api/v1/events/{named['id']}").json() == named
    assert seen.stranger.get(named["thumbnail"]).status_code == 401


def test_events_are_found_by_person_source_state_and_time(seen: Any) -> None:
    _, oldest = events(seen)
    assert [each["name"] for each in events(seen, person=seen.alice)] == ["alice"]
    assert len(events(seen, source=seen.source)) == 2
    assert events(seen, source="another") == []
    assert [each["state"] for each in events(seen, state="unknown")] == ["unknown"]
    assert events(seen, before=oldest["at"]) == []
    assert len(events(seen, after=oldest["at"])) == 2
    assert events(seen, after="2100-01-01T00:00:00+02:00") == []
    for wrong in (
        {"after": "yesterday"},
        {"after": "2026-01-01T00:00:00"},
        {"state": "asleep"},
        {"limit": 0},
    ):
        assert seen.viewer.get("api/v1/events", params=wrong).status_code == 422


def test_pages_follow_each_other_without_a_gap(seen: Any) -> None:
    every = [each["id"] for each in events(seen)]
    first = seen.viewer.get("api/v1/events", params={"limit": 1}).json()
    second = seen.viewer.get("api/v1/events", params={"limit": 1, "cursor": first["next"]}).json()
    assert [each["id"] for each in first["items"] + second["items"]] == every
    assert second["next"] is None
    for wrong in ("x", "%%%", "QUJD"):
        answer = seen.viewer.get("api/v1/events", params={"cursor": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")


def test_an_event_can_be_explained_in_words_numbers_and_as_a_card(seen: Any) -> None:
    (named,) = events(seen, state="named")
    why = seen.viewer.get(f"api/v1/events/{named['id']}/explain").json()
    assert why["sentence"].startswith("alice: 99.")
    assert "a name needs 99.0%" in why["sentence"]
    assert [(each["name"], each["person"]) for each in why["candidates"]] == [("alice", seen.alice)]
    assert why["candidates"][0]["evidence"] > 0
    assert any("the street" in step for step in why["steps"])
    card = seen.viewer.get(f"api/v1/events/{named['id']}/card.png")
    assert cv2.imdecode(np.frombuffer(card.content, np.uint8), 1).shape[1] == 960
    (unknown,) = events(seen, state="unknown")
    assert (
        seen.viewer.get(f"api/v1/events/{unknown['id']}/explain")
        .json()["sentence"]
        .startswith("Nobody enrolled")
    )


def test_looks_are_on_the_tape_by_the_events_run_and_track(seen: Any) -> None:
    from pipeline.tapes.tape import Tape

    (named,) = events(seen, state="named")
    with seen.service.store.reading() as connection:
        run, track = connection.execute(
            "SELECT run, track FROM events WHERE id = ?", (named["id"],)
        ).fetchone()
    assert named["id"] == f"{run}-{track}"
    with Tape(seen.service.tape, seen.service.recog.model) as tape:
        assert tape.looks(run).tracks.count(track) >= named["looks"] - 1
    assert seen.service.tape.stat().st_mode & 0o777 == 0o600


def test_looks_are_kept_only_where_the_setting_says_so(
    serve: Callable[..., Any], until: Callable[..., Any], tmp_path: Path, world: Any
) -> None:
    running = serve()
    changed = running.admin.patch("api/v1/settings", json={"review_days": 0})
    assert changed.json()["review_days"] == 0
    assert changed.json()["first_start"] is False
    film = world.film(tmp_path / "street.mp4", world.RED)
    running.service.recog.enroll("bob", [world.picture(tmp_path / "blue.png", world.BLUE)])
    running.service.people_changed()
    source = running.service.cameras.add(str(film), None, trusted=True)
    until(lambda: running.service.cameras.status(source.id).state == "ended")
    assert not running.service.tape.exists()
    (event,) = until(lambda: events(running, state="unknown"))
    answer = running.viewer.get(f"api/v1/events/{event['id']}/explain")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_looks")


def test_a_person_renamed_has_the_new_name_in_the_old_events(seen: Any) -> None:
    with seen.service.recog.gallery() as gallery:
        gallery.rename("alice", "alina")
    seen.service.people_changed()
    assert events(seen, person=seen.alice)[0]["name"] == "alina"


def test_whoever_is_removed_is_gone_from_the_events_and_from_every_byte(seen: Any, tmp_path: Path) -> None:
    (named,) = events(seen, state="named")
    picture = seen.viewer.get(named["thumbnail"]).content
    seen.service.sightings.forget(seen.alice)
    assert [each["state"] for each in events(seen)] == ["unknown"]
    assert seen.viewer.get(named["thumbnail"]).status_code == 404
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("people.service.db*"))
    assert picture[-120:-20] not in kept  # tables in front are the same in every JPEG
    assert b"alice" not in kept


def test_what_a_run_had_decided_of_somebody_is_not_kept_after_they_were_removed(
    seen: Any, until: Callable[..., Any]
) -> None:
    from pipeline.service.visits import Visit

    def visit(track: int, name: str | None, person: str | None) -> Visit:
        at, until = "2026-11-30T10:00:00.000Z", "2026-11-30T10:00:01.000Z"
        state = "named" if name else "unknown"
        return Visit(
            f"late-{track}", seen.source, "late", track, at, until, 0.0, False, state, name, person,
            confidence=1.0, why="", looks=3, box=(0, 0, 9, 9), thumbnail=None,
        )  # fmt: skip

    seen.service.sightings.forget(seen.alice)
    seen.service.sightings.put([(visit(1, "alice", seen.alice), True), (visit(2, None, None), True)])
    late = until(lambda: [each for each in events(seen) if each["id"].startswith("late-")])
    assert [each["id"] for each in late] == ["late-2"]


def test_old_events_are_deleted_when_their_days_are_over(seen: Any) -> None:
    with seen.service.store.writing() as connection:
        connection.execute("UPDATE events SET until = '2026-01-01T00:00:00.000Z' WHERE state = 'named'")
    seen.service.sightings._prune()
    assert [each["state"] for each in events(seen)] == ["unknown"]
    seen.service.store.set_setting("events_days", 0)
    with seen.service.store.writing() as connection:
        connection.execute("UPDATE events SET until = '2026-01-01T00:00:00.000Z'")
    seen.service.sightings._prune()
    assert len(events(seen)) == 1


def test_what_somebody_has_corrected_is_not_overwritten_by_what_the_source_goes_on_to_say(
    serve: Callable[..., Any], until: Callable[..., Any], tmp_path: Path, world: Any
) -> None:
    running = serve()
    running.service.recog.enroll("alice", [world.picture(tmp_path / "red.png", world.RED)])
    film = world.film(tmp_path / "long.mp4", world.RED, count=80)
    source = running.service.cameras.add(str(film), None, trusted=True)
    (event,) = until(lambda: events(running, state="named"))
    with running.service.store.writing() as connection:
        connection.execute(
            "UPDATE events SET state = 'unknown', name = NULL, person = NULL, corrected = 1 WHERE id = ?",
            (event["id"],),
        )
    until(lambda: running.service.cameras.status(source.id).state == "ended")
    after = until(lambda: (found := events(running)[0]) and not found["present"] and found)
    assert (after["state"], after["name"], after["corrected"]) == ("unknown", None, True)
    assert after["until"] > event["until"]


def test_unknown_ids_are_problems_not_failures(seen: Any) -> None:
    for path in ("x", "x/thumbnail.jpg", "x/explain", "x/card.png"):
        answer = seen.viewer.get(f"api/v1/events/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_event")
