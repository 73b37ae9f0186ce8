"""A gallery that is restored gives its ids again: nothing that was kept of those before goes to others."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gallery import Gallery, restoring
from pipeline.api import Recog

RED, GREEN, BLUE = (40, 40, 220), (40, 200, 40), (220, 60, 40)


class Life:
    """A service whose gallery had Rosa, then a backup was made, then the green face was said to be Joey."""

    def __init__(self, running: Any, gallery: Path, backup: Path, world: Any) -> None:
        self.running, self.gallery, self.backup, self.world = running, gallery, backup, world
        self.http = running.admin

    def events(self, name: str | None) -> list[dict[str, Any]]:
        items = self.http.get("api/v1/events").json()["items"]
        return [each for each in items if each["name"] == name]

    def restore(self, until: Callable[..., Any]) -> None:
        """As the command does, beside the service; and wait until that has noticed."""
        time.sleep(1.1)  # the gallery tells changes apart by the second
        restoring.restore(self.backup, self.gallery)
        until(lambda: self.running.service.names.id_of("Joey") is None)
        until(lambda: all(each["person"] is None for each in self.events("Joey")))

    def enroll(self, name: str, colour: tuple[int, int, int]) -> str:
        photo = self.world.picture(self.gallery.with_name(f"{name}.png"), colour)
        with photo.open("rb") as file:
            answer = self.http.post("api/v1/people", data={"name": name}, files={"photos": file})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["person"]["id"])

    @property
    def people(self) -> dict[str, str]:
        return {each["name"]: each["id"] for each in self.http.get("api/v1/people").json()["items"]}


@pytest.fixture
def life(serve: Callable[..., Any], world: Any, tmp_path: Path, until: Callable[..., Any]) -> Life:
    with Recog.open(tmp_path / "people.db") as recog:
        recog.enroll("Rosa", [world.picture(tmp_path / "rosa.png", RED)])
    with Gallery.open(tmp_path / "people.db", None, None) as opened:
        opened.back_up(tmp_path / "monday.db")
    film = world.film(tmp_path / "film.avi", RED, GREEN, count=30)
    made = Life(serve(sources=(str(film),)), tmp_path / "people.db", tmp_path / "monday.db", world)

    def over() -> bool:
        items = made.http.get("api/v1/events").json()["items"]
        return len(items) == 2 and not any(each["present"] for each in items)

    until(over)
    return made


def said(life: Life) -> dict[str, Any]:
    """Say that the green face is Joey."""
    (stranger,) = life.events(None)
    answer = life.http.post(f"api/v1/events/{stranger['id']}/is", json={"name": "Joey"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_correction_of_before_cannot_be_taken_back_from_somebody_else(
    life: Life, until: Callable[..., Any]
) -> None:
    made = said(life)
    life.restore(until)
    assert life.enroll("Phoebe", BLUE) == made["person"], "the id is given again"
    (event,) = life.events("Joey")
    assert (event["person"], event["state"], event["corrected"]) == (None, "named", True)
    assert life.events("Phoebe") == []
    answer = life.http.delete(f"api/v1/corrections/{made['correction']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "withdrawn_already")
    assert "another gallery" in answer.json()["detail"]
    assert set(life.people) == {"Rosa", "Phoebe"}
    (told,) = life.http.get("api/v1/corrections", params={"withdrawn": True}).json()["items"]
    assert (told["person"], told["name"]) == ("", None)


def test_whom_both_galleries_have_keeps_the_events(life: Life, until: Callable[..., Any]) -> None:
    said(life)
    (before,) = life.events("Rosa")
    life.restore(until)
    assert life.events("Rosa") == [before]
    assert life.http.delete(f"api/v1/people/{before['person']}", headers={"If-Match": "*"}).status_code == 200
    assert life.events("Rosa") == []


def test_removing_somebody_leaves_alone_the_events_of_whoever_had_the_id_before(
    life: Life, until: Callable[..., Any]
) -> None:
    said(life)
    life.restore(until)
    person = life.enroll("Phoebe", BLUE)
    assert life.http.delete(f"api/v1/people/{person}", headers={"If-Match": "*"}).status_code == 200
    assert len(life.events("Joey")) == 1


def test_a_gallery_that_is_restored_while_the_service_is_off_is_noticed_at_the_start(
    life: Life, serve: Callable[..., Any], until: Callable[..., Any]
) -> None:
    made = said(life)
    life.running.end()
    time.sleep(1.1)
    restoring.restore(life.backup, life.gallery)
    with Recog.open(life.gallery) as recog:
        recog.enroll("Phoebe", [life.world.picture(life.gallery.with_name("blue.png"), BLUE)])
    again = Life(serve(), life.gallery, life.backup, life.world)
    assert again.people["Phoebe"] == made["person"]
    (event,) = again.events("Joey")
    assert event["person"] is None
    assert again.http.delete(f"api/v1/corrections/{made['correction']}").status_code == 409
    assert set(again.people) == {"Rosa", "Phoebe"}


def test_a_merger_of_before_is_none_any_more(life: Life, until: Callable[..., Any], tmp_path: Path) -> None:
    made = said(life)
    with life.running.service.recog.gallery() as gallery:
        gallery.back_up(tmp_path / "tuesday.db")
    life.http.post(
        f"api/v1/people/{made['person']}/merge", json={"into": life.people["Rosa"]}, headers={"If-Match": "*"}
    ).raise_for_status()
    until(lambda: len(life.events("Rosa")) == 2)
    time.sleep(1.1)
    restoring.restore(tmp_path / "tuesday.db", life.gallery)
    (event,) = until(lambda: life.events("Joey"))
    assert event["person"] == made["person"]
    assert life.http.delete(f"api/v1/corrections/{made['correction']}").status_code == 200
    assert set(life.people) == {"Rosa"}


def test_whoever_was_removed_and_is_back_is_seen_again(
    life: Life, until: Callable[..., Any], tmp_path: Path
) -> None:
    rosa = life.people["Rosa"]
    assert life.http.delete(f"api/v1/people/{rosa}", headers={"If-Match": "*"}).status_code == 200
    assert life.events("Rosa") == []
    time.sleep(1.1)
    restoring.restore(life.backup, life.gallery)
    until(lambda: life.people.get("Rosa") == rosa)
    film = life.world.film(tmp_path / "later.avi", RED, count=30)
    life.running.service.cameras.add(str(film), None, trusted=True)
    until(lambda: life.events("Rosa"))
    assert life.events("Rosa")[0]["person"] == rosa


def test_a_gallery_that_is_deleted_and_made_anew_is_another(
    life: Life, until: Callable[..., Any], tmp_path: Path
) -> None:
    for each in life.gallery.parent.glob("people.db*"):
        each.unlink()
    until(lambda: life.people == {})
    time.sleep(1.1)
    assert life.enroll("Zoe", BLUE) == "1", "Rosa's id"
    (event,) = until(lambda: life.events("Rosa"))
    assert event["person"] is None
    assert life.events("Zoe") == []


def test_changes_that_go_on_take_nothing_away(life: Life, until: Callable[..., Any]) -> None:
    made = said(life)
    life.enroll("Phoebe", BLUE)
    life.running.service.people_changed()
    (event,) = life.events("Joey")
    assert event["person"] == made["person"]
    assert life.http.delete(f"api/v1/corrections/{made['correction']}").status_code == 200


def test_an_undo_is_of_the_very_change_that_the_correction_made(
    life: Life, until: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the second in which nobody has noticed yet that the gallery is another."""
    made = said(life)
    monkeypatch.setattr(life.running.service.lineage, "see", lambda people: None)
    time.sleep(1.1)
    restoring.restore(life.backup, life.gallery)
    assert life.enroll("Phoebe", BLUE) == made["person"]
    assert life.http.delete(f"api/v1/corrections/{made['correction']}").status_code == 200
    assert set(life.people) == {"Rosa", "Phoebe"}
