"""Unknown faces over HTTP: put together, named, put aside, and gone when the setting says."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.service import review
from pipeline.service.ids import utc
from tests.pipeline.service.test_corrections import BLUE, GREEN, RED, Watched, until


@pytest.fixture
def queue(serve: Callable[..., Any], world: Any, tmp_path: Path) -> Watched:
    """A service that has watched green and blue twice, and red once; nobody is enrolled."""
    films = [
        world.film(tmp_path / f"{name}.avi", *colours, count=30)
        for name, colours in (("one", (GREEN, BLUE)), ("two", (GREEN, BLUE)), ("three", (RED,)))
    ]
    made = Watched(serve(sources=tuple(map(str, films))), world)
    until(lambda: len(made.events()) == 5 and not any(e["present"] for e in made.events()), "all is watched")
    return made


def clusters(queue: Watched) -> list[dict[str, Any]]:
    answer = queue.http.get("api/v1/review")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["clusters"])


def by_size(queue: Watched) -> list[int]:
    return [each["size"] for each in clusters(queue)]


def test_unknown_faces_are_put_together_by_person(queue: Watched) -> None:
    told = queue.http.get("api/v1/review").json()
    assert [each["size"] for each in told["clusters"]] == [2, 2, 1]
    assert (told["total"], told["kept_days"]) == (3, 7)
    assert "times as likely of one person as of two" in told["threshold"]
    first = told["clusters"][0]
    assert first["looks_like"] is None
    assert len(first["sources"]) == 2
    assert queue.http.get(first["thumbnails"][0]).headers["content-type"] == "image/jpeg"
    assert [each["id"] for each in clusters(queue)] == [each["id"] for each in told["clusters"]], "ids stay"
    assert len(queue.http.get("api/v1/review", params={"limit": 1}).json()["clusters"]) == 1


def test_a_cluster_keeps_its_id_while_its_members_stay(queue: Watched) -> None:
    before = {each["id"]: set(each["events"]) for each in clusters(queue)}
    gone = sorted(before[next(iter(before))])[0]
    with queue.running.service.store.writing() as connection:
        connection.execute("DELETE FROM events WHERE id = ?", (gone,))
    after = {each["id"]: set(each["events"]) for each in clusters(queue)}
    assert after == {name: events - {gone} for name, events in before.items()}


def test_a_cluster_is_named_in_one_call_and_undone_in_one(queue: Watched) -> None:
    before, chosen = queue.states(), clusters(queue)[0]
    told = queue.post("review/name", clusters=[chosen["id"]], name="Gil")
    assert {each["event"] for each in told["changed"]} == set(chosen["events"])
    assert all(each["said"] for each in told["changed"])
    assert {each["id"] for each in queue.of("Gil")} == set(chosen["events"])
    assert by_size(queue) == [2, 1]
    (person,) = queue.running.service.recog.people()
    assert (person.name, person.templates >= 1) == ("Gil", True)
    assert queue.log == [("enroll", False)]
    queue.http.delete(f"api/v1/corrections/{told['correction']}")
    assert queue.states() == before
    assert by_size(queue) == [2, 2, 1]


def test_a_cluster_is_added_to_somebody_whom_it_looks_like(queue: Watched, tmp_path: Path) -> None:
    service = queue.running.service
    first = clusters(queue)[0]
    colour = GREEN if _colour(queue, first) == "green" else BLUE
    service.recog.enroll("Gil", [queue.world.picture(tmp_path / "gil.png", colour)])
    service.people_changed()
    like = next(each for each in clusters(queue) if each["id"] == first["id"])["looks_like"]
    assert (like["name"], like["probability"] > 0.9) == ("Gil", True)
    told = queue.post("review/name", clusters=[first["id"]], person=like["person"])
    assert {each["becomes"]["name"] for each in told["changed"]} == {"Gil"}
    assert len(queue.of("Gil")) == 2


def _colour(queue: Watched, cluster: dict[str, Any]) -> str:
    import cv2

    data = queue.http.get(cluster["thumbnails"][0]).content
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    middle = image[image.shape[0] // 4 : -image.shape[0] // 4, image.shape[1] // 4 : -image.shape[1] // 4]
    return ("blue", "green", "red")[int(middle.reshape(-1, 3).mean(axis=0).argmax())]


@pytest.mark.parametrize("kind", ["nobody", "ignore"])
def test_what_is_put_aside_stays_so_for_later_faces_and_can_be_taken_back(
    queue: Watched, tmp_path: Path, kind: str
) -> None:
    first = clusters(queue)[0]
    told = queue.post(f"review/{kind}", clusters=[first["id"]])
    assert (told["kind"], told["size"]) == (kind, 2)
    assert by_size(queue) == [2, 1]
    assert {each["id"] for each in queue.events() if each["ignored"]} == set(first["events"])
    picture = queue.http.get(told["thumbnail"])
    assert (picture.status_code, picture.headers["cache-control"]) == (200, "private, no-store")

    # The same faces come by again.
    source = queue.running.service.cameras.add(str(tmp_path / "one.avi"), None, trusted=True)
    until(lambda: len(queue.events()) == 7 and not any(e["present"] for e in queue.events()), source.name)
    assert by_size(queue) == [3, 1]
    assert sum(each["ignored"] for each in queue.events()) == 3

    (kept,) = queue.http.get("api/v1/review/decisions").json()["items"]
    assert kept == told
    assert queue.http.delete(f"api/v1/review/decisions/{told['id']}").json() == {"events": 3}
    assert by_size(queue) == [3, 3, 1]
    assert queue.http.get("api/v1/review/decisions").json()["items"] == []
    assert queue.http.delete(f"api/v1/review/decisions/{told['id']}").status_code == 404


def test_two_decisions_do_not_undo_each_other(queue: Watched) -> None:
    first, second, _ = clusters(queue)
    one = queue.post("review/nobody", clusters=[first["id"]])
    queue.post("review/ignore", clusters=[second["id"]])
    assert by_size(queue) == [1]
    queue.http.delete(f"api/v1/review/decisions/{one['id']}")
    assert by_size(queue) == [2, 1]
    assert {each["id"] for each in queue.events() if each["ignored"]} == set(second["events"])


def test_clusters_are_taken_as_strangers_to_calibrate_by(queue: Watched) -> None:
    chosen = [each["id"] for each in clusters(queue)]
    answer = queue.http.post("api/v1/review/strangers", json={"clusters": chosen})
    assert (answer.status_code, answer.json()["code"]) == (422, "refused"), "there is no gallery yet"
    queue.post("review/name", clusters=[chosen[0]], name="Gil")
    chosen = [each["id"] for each in clusters(queue)]
    assert queue.post("review/strangers", clusters=chosen) == {"strangers": 2}
    assert queue.post("review/strangers", clusters=chosen) == {"strangers": 2}, "one person counts once"


def test_what_is_gone_meanwhile_and_who_may_not_is_refused(queue: Watched) -> None:
    first = clusters(queue)[0]
    answer = queue.http.post("api/v1/review/nobody", json={"clusters": ["none"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "cluster_gone")
    assert queue.http.post("api/v1/review/nobody", json={"clusters": []}).status_code == 422
    body = {"clusters": [first["id"]], "name": "Gil"}
    assert queue.running.viewer.post("api/v1/review/name", json=body).status_code == 403
    assert queue.running.viewer.get("api/v1/review").status_code == 200
    assert queue.running.stranger.get("api/v1/review").status_code == 401
    assert by_size(queue) == [2, 2, 1]


def test_what_takes_long_stands_for_a_while_unless_something_is_decided(
    queue: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "AT_ONCE", 0.0)
    monkeypatch.setattr(review, "REST", 1e6)
    first = clusters(queue)[0]
    with queue.running.service.store.writing() as connection:
        connection.execute("UPDATE events SET ignored = 1")
    assert by_size(queue) == [2, 2, 1]
    queue.post("review/nobody", clusters=[first["id"]])
    assert by_size(queue) == []


def test_what_is_too_old_is_deleted_for_good(queue: Watched, tmp_path: Path) -> None:
    service = queue.running.service
    assert by_size(queue) == [2, 2, 1]
    old = utc(datetime.now(UTC) - timedelta(days=8))
    service.portraits.flush()
    with service.store.reading() as connection:
        jpeg, face = connection.execute("SELECT jpeg, embedding FROM portraits LIMIT 1").fetchone()
        thumbnail = connection.execute("SELECT thumbnail FROM events LIMIT 1").fetchone()[0]
    service.sweeper.sweep()
    assert by_size(queue) == [2, 2, 1], "nothing is too old yet"
    with service.store.writing() as connection:
        connection.execute("UPDATE portraits SET at = ?", (old,))
        connection.execute("UPDATE events SET at = ?, until = ?", (old, old))
    tape = sqlite3.connect(service.tape)
    tape.execute("UPDATE runs SET started = ?", (old[:10],))
    tape.commit()
    tape.close()

    service.sweeper.sweep()

    assert by_size(queue) == []
    assert len(queue.events()) == 5, "the events themselves are kept by another setting"
    assert not any(each["thumbnail"] for each in queue.events())
    service.store.forget()
    for path in tmp_path.glob("people.service.*"):
        content = path.read_bytes()
        assert not any(part in content for part in (jpeg, face, thumbnail)), path.name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_nothing_is_to_be_kept_nothing_is(
    serve: Callable[..., Any], world: Any, tmp_path: Path
) -> None:
    made = Watched(serve(), world)
    assert made.http.patch("api/v1/settings", json={"review_days": 0}).status_code == 200
    film = world.film(tmp_path / "film.avi", GREEN, count=30)
    made.running.service.cameras.add(str(film), None, trusted=True)
    until(lambda: made.events() and not any(e["present"] for e in made.events()), "the film is watched")
    told = made.http.get("api/v1/review").json()
    assert (told["clusters"], told["kept_days"]) == ([], 0)
    made.running.service.portraits.flush()
    with made.running.service.store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM portraits").fetchone()[0] == 0
