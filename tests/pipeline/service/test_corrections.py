"""What is said of events over HTTP: the gallery learns it, the past follows, all of it can be taken back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RED, GREEN, BLUE = (40, 40, 220), (40, 200, 40), (220, 60, 40)
Events = dict[str, dict[str, Any]]  # by "red", "green": what the service tells of the visit


def until(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Wait for something that comes by itself."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found


class Watched:
    """A service that has watched two films of a red and a green face; Rosa is enrolled with the red one."""

    def __init__(self, running: Any, world: Any) -> None:
        self.running, self.world = running, world
        self.http = running.admin

    def events(self) -> list[dict[str, Any]]:
        answer = self.http.get("api/v1/events")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    def states(self) -> dict[str, tuple[str, str | None]]:
        return {each["id"]: (each["state"], each["name"]) for each in self.events()}

    def of(self, name: str | None) -> list[dict[str, Any]]:
        return [each for each in self.events() if each["name"] == name]

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(f"api/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def log(self) -> list[tuple[str, bool]]:
        with self.running.service.recog.gallery() as gallery:
            return [(each.action, each.undone is not None) for each in gallery.log()]


@pytest.fixture
def watched(serve: Callable[..., Any], world: Any, tmp_path: Path) -> Watched:
    from pipeline.api import Recog

    with Recog.open(tmp_path / "people.db") as recog:
        recog.enroll("Rosa", [world.picture(tmp_path / "rosa.png", RED)])
    film = world.film(tmp_path / "film.avi", RED, GREEN, count=30)
    again = world.film(tmp_path / "again.avi", RED, GREEN, count=30)
    made = Watched(serve(sources=(str(film), str(again))), world)

    def over() -> bool:
        events = made.events()
        return len(events) == 4 and not any(each["present"] for each in events)

    until(over, "both films are watched")
    return made


def test_who_is_not_rosa_loses_the_name_everywhere_and_undo_brings_all_of_it_back(watched: Watched) -> None:
    before = watched.states()
    rosa = watched.of("Rosa")
    assert len(rosa) == 2
    told = watched.post(f"events/{rosa[0]['id']}/not", person=rosa[0]["person"])

    assert {each["event"]: each["said"] for each in told["changed"]} == {
        rosa[0]["id"]: True,
        rosa[1]["id"]: False,
    }
    assert {(each["was"]["name"], each["becomes"]["name"]) for each in told["changed"]} == {("Rosa", None)}
    assert watched.of("Rosa") == []
    assert [each["corrected"] for each in watched.events() if each["id"] == rosa[0]["id"]] == [True]
    assert watched.log[0] == ("deny", False)

    with watched.running.service.recog.gallery() as gallery:
        assert gallery.undo().action == "deny"
    watched.running.service.people_changed()
    until(lambda: watched.states() == before, "the events are what they were")
    assert not any(each["corrected"] for each in watched.events())
    assert watched.http.get("api/v1/corrections").json()["items"] == []
    (kept,) = watched.http.get("api/v1/corrections", params={"withdrawn": True}).json()["items"]
    assert (kept["withdrawn"] is not None, kept["size"]) == (True, 1)
    assert watched.http.get(kept["thumbnail"]).status_code == 200


def test_a_correction_is_taken_back_by_itself_where_more_came_since(watched: Watched, tmp_path: Path) -> None:
    before, rosa = watched.states(), watched.of("Rosa")[0]
    told = watched.post(f"events/{rosa['id']}/not", person=rosa["person"])
    watched.running.service.recog.enroll("Gil", [watched.world.picture(tmp_path / "gil.png", BLUE)])
    answer = watched.http.delete(f"api/v1/corrections/{told['correction']}")
    assert (answer.status_code, answer.json()["withdrawn"] is None) == (200, False)
    assert watched.states() == before
    assert [action for action, _ in watched.log[:3]] == ["withdraw", "enroll", "deny"]
    again = watched.http.delete(f"api/v1/corrections/{told['correction']}")
    assert (again.status_code, again.json()["code"]) == (409, "withdrawn_already")


def test_whose_face_it_is_can_be_said_and_the_best_looks_are_enrolled(watched: Watched) -> None:
    before, (stranger, other) = watched.states(), watched.of(None)
    told = watched.post(f"events/{stranger['id']}/is", name="Gil")
    assert {each["event"] for each in told["changed"]} == {stranger["id"], other["id"]}
    assert {each["becomes"]["name"] for each in told["changed"]} == {"Gil"}
    assert "accepted" in {each["verdict"] for each in told["outcomes"]}
    assert {each["name"] for each in watched.events()} == {"Rosa", "Gil"}
    assert [person.name for person in watched.running.service.recog.people()] == ["Gil", "Rosa"]
    assert watched.log[0] == ("enroll", False)

    assert watched.http.delete(f"api/v1/corrections/{told['correction']}").status_code == 200
    assert watched.states() == before
    assert [person.name for person in watched.running.service.recog.people()] == ["Rosa"]


def test_what_is_said_last_holds(watched: Watched, tmp_path: Path) -> None:
    stranger = watched.of(None)[0]
    person = watched.post(f"events/{stranger['id']}/is", name="Gil")["person"]
    told = watched.post(f"events/{stranger['id']}/not", person=person)
    assert {(each["was"]["person"], each["becomes"]["name"]) for each in told["changed"]} == {(person, None)}
    assert [each.name for each in watched.running.service.recog.people()] == ["Rosa"], (
        "nothing of Gil is left"
    )

    watched.running.service.recog.enroll("Gil", [watched.world.picture(tmp_path / "gil.png", BLUE)])
    watched.running.service.people_changed()
    person = watched.post(f"events/{stranger['id']}/is", name="Gil")["person"]
    watched.post(f"events/{stranger['id']}/not", person=person)
    assert watched.states()[stranger["id"]][1] is None
    said = watched.http.get("api/v1/corrections", params={"withdrawn": True}).json()["items"]
    assert [(each["kind"], each["withdrawn"] is None) for each in said] == [
        ("not", True),
        ("is", False),
        ("is", False),
    ]
    with watched.running.service.recog.gallery() as gallery:
        assert len(gallery.denials("Gil")) > 0


def test_what_was_enrolled_is_set_aside_where_more_came_since_and_under_whatever_name(
    watched: Watched, tmp_path: Path
) -> None:
    before, stranger = watched.states(), watched.of(None)[0]
    service = watched.running.service
    service.recog.enroll("Gil", [watched.world.picture(tmp_path / "gil.png", BLUE)])
    service.people_changed()
    told = watched.post(f"events/{stranger['id']}/is", name="Gil")
    service.recog.enroll("Fay", [watched.world.picture(tmp_path / "fay.png", (200, 200, 20))])
    with service.recog.gallery() as gallery:
        gallery.merge("Gil", "Fay")
    service.people_changed()
    answer = watched.http.delete(f"api/v1/corrections/{told['correction']}")
    assert answer.status_code == 200, answer.text
    assert [action for action, _ in watched.log[:2]] == ["set aside", "merge"]
    (fay,) = [each for each in service.recog.people() if each.name == "Fay"]
    assert (fay.templates, fay.aside) == (3, 1)
    assert watched.states()[stranger["id"]] == before[stranger["id"]]


def test_where_no_picture_was_kept_the_tape_says_what_the_face_is(watched: Watched) -> None:
    rosa, service = watched.of("Rosa")[0], watched.running.service
    service.portraits.flush()
    with service.store.writing() as connection:
        connection.execute("DELETE FROM portraits")
    watched.post(f"events/{rosa['id']}/not", person=rosa["person"])
    assert watched.of("Rosa") == []
    with service.recog.gallery() as gallery:
        (denial,) = gallery.denials("Rosa")
        assert denial.look.crop is None
        gallery.undo()
    service.people_changed()
    stranger = watched.of(None)[0]
    answer = watched.http.post(f"api/v1/events/{stranger['id']}/is", json={"name": "Gil"})
    assert (answer.status_code, answer.json()["code"]) == (422, "nothing_to_enroll")
    assert "no picture of it was kept" in answer.json()["detail"]

    service.tape.unlink()
    answer = watched.http.post(f"api/v1/events/{rosa['id']}/not", json={"person": rosa["person"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_looks")
    assert len(watched.of("Rosa")) == 2


def test_an_event_that_has_become_something_else_is_left_alone(watched: Watched) -> None:
    rosa = watched.of("Rosa")
    first = watched.post(f"events/{rosa[0]['id']}/not", person=rosa[0]["person"])
    watched.post(f"events/{rosa[1]['id']}/is", name="Gil")
    watched.http.delete(f"api/v1/corrections/{first['correction']}")
    names = {each["id"]: each["name"] for each in watched.events()}
    assert names[rosa[1]["id"]] == "Gil"
    assert names[rosa[0]["id"]] in ("Rosa", "Gil")


def test_what_cannot_be_said_is_refused(watched: Watched) -> None:
    rosa = watched.of("Rosa")[0]
    for path, body, status, code in (
        ("events/nothing/not", {"person": rosa["person"]}, 404, "no_such_event"),
        (f"events/{rosa['id']}/not", {"person": "99"}, 404, "no_such_person"),
        (f"events/{rosa['id']}/is", {"person": "99"}, 404, "no_such_person"),
        (f"events/{rosa['id']}/is", {}, 422, "invalid_request"),
        (f"events/{rosa['id']}/is", {"name": "a/b"}, 422, "refused"),
    ):
        answer = watched.http.post(f"api/v1/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path
    assert watched.http.delete("api/v1/corrections/none").json()["code"] == "no_such_correction"
    answer = watched.running.viewer.post(f"api/v1/events/{rosa['id']}/not", json={"person": rosa["person"]})
    assert answer.status_code == 403
    assert len(watched.of("Rosa")) == 2


def test_a_removed_person_leaves_nothing_of_themselves(watched: Watched, tmp_path: Path) -> None:
    rosa, service = watched.of("Rosa"), watched.running.service
    watched.post(f"events/{rosa[0]['id']}/not", person=rosa[0]["person"])
    watched.http.delete(
        f"api/v1/corrections/{watched.http.get('api/v1/corrections').json()['items'][0]['id']}"
    )
    keys = [(each["id"].rpartition("-")[0], each["track"]) for each in rosa]
    kept = service.portraits.of(keys)
    assert set(kept) == set(keys)
    face = kept[keys[0]][0].embedding.astype("<f4").tobytes()
    etag = watched.http.get(f"api/v1/people/{rosa[0]['person']}").headers["etag"]

    answer = watched.http.delete(f"api/v1/people/{rosa[0]['person']}", headers={"if-match": etag})

    assert answer.status_code == 200, answer.text
    assert {each["name"] for each in watched.events()} == {None}
    assert watched.http.get("api/v1/corrections", params={"withdrawn": True}).json()["items"] == []
    assert service.portraits.of(keys) == {}
    assert service.past().faces({run: {track} for run, track in keys}) == {}
    for path in tmp_path.glob("people.*"):
        assert face not in path.read_bytes(), path.name
