"""People and their photos over HTTP, beside the command line on the same gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.api import Recog

RED, GREEN, BLUE = (40, 40, 220), (40, 200, 40), (220, 60, 40)


def enroll(running: Any, name: str, *photos: tuple[str, bytes]) -> dict[str, Any]:
    answer = running.admin.post(
        "/api/v1/people", data={"name": name}, files=[("photos", photo) for photo in photos]
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_somebody_is_enrolled_shown_and_known_to_the_command_line(
    running: Any, png: Any, tmp_path: Path
) -> None:
    answer = running.admin.post(
        "/api/v1/people",
        data={"name": "Rosa"},
        files=[
            ("photos", png("rosa", RED)),
            ("photos", png("two", RED, GREEN)),
            ("photos", ("x.jpg", b"no")),
        ],
    )

    assert answer.status_code == 201
    told = answer.json()
    assert [(each["file"], each["verdict"]) for each in told["outcomes"]] == [
        ("rosa.png", "accepted"), ("two.png", "rejected"), ("x.jpg", "rejected"),
    ]  # fmt: skip
    person = running.viewer.get(answer.headers["location"])
    assert person.headers["etag"] == answer.headers["etag"] == f'"{told["person"]["version"]}"'
    (photo,) = person.json()["photos"]
    assert photo["id"] == told["outcomes"][0]["photo"]
    assert (photo["origin"], photo["aside"]) == ("rosa.png", False)
    picture = running.viewer.get(photo["image"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["cache-control"] == "private, no-store"
    image = cv2.imdecode(np.frombuffer(picture.content, np.uint8), 1)
    assert image is not None
    assert image.shape == (112, 112, 3)
    assert person.json()["portrait"] == photo["image"]
    with Recog.open(tmp_path / "people.db") as recog:
        assert [each.name for each in recog.people()] == ["Rosa"]


def test_nobody_is_made_of_pictures_that_cannot_be_used(running: Any, png: Any) -> None:
    answer = running.admin.post(
        "/api/v1/people", data={"name": "Rosa"}, files=[("photos", ("x.jpg", b"no")), ("photos", png("none"))]
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "no_usable_photo")
    assert [each["where"] for each in answer.json()["errors"]] == ["body.photos.0", "body.photos.1"]
    assert running.viewer.get("/api/v1/people").json() == {"items": [], "next": None}


def test_a_name_that_somebody_has_is_refused_and_photos_are_added_to_them(running: Any, png: Any) -> None:
    person = enroll(running, "Rosa", png("rosa", RED))["person"]
    again = running.admin.post(
        "/api/v1/people", data={"name": " Rosa "}, files=[("photos", png("other", RED, side=90))]
    )
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    same = running.admin.post(f"/api/v1/people/{person['id']}/photos", files=[("photos", png("rosa", RED))])
    assert (same.status_code, same.json()["code"]) == (422, "already_enrolled")


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "unknown", "x" * 90, "\x07"])
def test_names_that_cannot_be_are_refused(running: Any, png: Any, name: str) -> None:
    answer = running.admin.post("/api/v1/people", data={"name": name}, files=[("photos", png("r", RED))])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "body.name"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_look_alike_is_held_back_unless_it_is_forced(running: Any, png: Any) -> None:
    enroll(running, "Rosa", png("rosa", RED))
    files = [("photos", png("other", RED, side=90))]
    held = running.admin.post("/api/v1/people", data={"name": "Carmen"}, files=files)
    assert (held.status_code, held.json()["code"]) == (422, "looks_like_another")
    assert "--force" not in held.text
    forced = running.admin.post("/api/v1/people", data={"name": "Carmen", "force": "true"}, files=files)
    assert forced.status_code == 201


def test_people_come_in_pages_by_name_and_are_found_by_a_part_of_it(running: Any, png: Any) -> None:
    for name, colour in (("bob", GREEN), ("Ada", RED), ("Carl", BLUE)):
        enroll(running, name, png(name, colour))
    first = running.viewer.get("/api/v1/people", params={"limit": 2}).json()
    assert [each["name"] for each in first["items"]] == ["Ada", "bob"]
    second = running.viewer.get("/api/v1/people", params={"limit": 2, "cursor": first["next"]}).json()
    assert ([each["name"] for each in second["items"]], second["next"]) == (["Carl"], None)
    found = running.viewer.get("/api/v1/people", params={"q": "B"}).json()["items"]
    assert [each["name"] for each in found] == ["bob"]
    for wrong in ("x", "W10", "bnVsbA", "é"):
        answer = running.viewer.get("/api/v1/people", params={"cursor": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")


def test_a_rename_says_which_version_it_means_and_can_be_undone(running: Any, png: Any) -> None:
    person = enroll(running, "Rosa", png("rosa", RED))["person"]
    url = f"/api/v1/people/{person['id']}"
    assert running.admin.patch(url, json={"name": "Rosie"}).status_code == 428
    done = running.admin.patch(url, json={"name": "Rosie"}, headers={"if-match": f'"{person["version"]}"'})
    assert (done.status_code, done.json()["name"]) == (200, "Rosie")
    stale = running.admin.patch(url, json={"name": "R."}, headers={"if-match": f'"{person["version"]}"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "changed")
    undone = running.admin.post("/api/v1/undo", json={"change": done.json()["change"]})
    assert undone.json()["undone"]["action"] == "rename"
    assert running.viewer.get(url).json()["name"] == "Rosa"


def test_what_the_command_line_has_changed_meanwhile_makes_a_tab_stale(
    running: Any, png: Any, recog: Any, tmp_path: Path
) -> None:
    person = enroll(running, "Rosa", png("rosa", RED))["person"]
    other = enroll(running, "Gil", png("gil", GREEN))["person"]
    assert recog("gallery", "rename", "Rosa", "Rosie", "--gallery", tmp_path / "people.db").code == 0
    url, stale = f"/api/v1/people/{person['id']}", {"if-match": f'"{person["version"]}"'}
    assert running.admin.delete(url, headers=stale).status_code == 412
    assert running.admin.post(f"{url}/merge", json={"into": other["id"]}, headers=stale).status_code == 412
    assert len(running.viewer.get("/api/v1/people").json()["items"]) == 2
    into = {"into": person["id"], "into_version": person["version"]}
    fresh = {"if-match": f'"{other["version"]}"'}
    answer = running.admin.post(f"/api/v1/people/{other['id']}/merge", json=into, headers=fresh)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (412, "body.into_version")


def test_somebody_is_removed_for_good(running: Any, png: Any) -> None:
    person = enroll(running, "Rosa", png("rosa", RED))["person"]
    url = f"/api/v1/people/{person['id']}"
    gone = running.admin.delete(url, headers={"if-match": f'"{person["version"]}"'})
    assert gone.json() == {"templates": 1, "erased": True, "finished": True, "undoable": False}
    assert running.viewer.get(url).json()["code"] == "no_such_person"
    nothing = running.admin.post("/api/v1/undo")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_undo")


def test_a_merge_is_shown_before_done_and_undone(running: Any, png: Any) -> None:
    one = enroll(running, "ally", png("a", RED))["person"]
    other = enroll(running, "alice", png("b", GREEN))["person"]
    with running.service.store.writing() as db:
        for number, person in enumerate((one, other)):
            db.execute(
                """INSERT INTO events (id, source, run, track, at, until, seconds, present, state, name,
                person, confidence, why, looks, box) VALUES (?, 's', 'r', ?, '2026-01-01T00:00:00.000Z',
                '2026-01-01T00:00:01.000Z', 0, 0, 'named', ?, ?, 1, '', 3, '[0,0,1,1]')""",
                (f"r-{number}", number, person["name"], person["id"]),
            )
    url = f"/api/v1/people/{one['id']}/merge"
    assert running.viewer.get(url, params={"into": other["id"]}).json() == {
        "moved": 1, "duplicates": 0, "would_change": [{"event": "r-0", "was": "ally", "becomes": "alice"}],
    }  # fmt: skip
    assert running.viewer.get(url, params={"into": one["id"]}).json()["code"] == "same_person"
    assert running.viewer.get(url, params={"into": "99"}).status_code == 404

    done = running.admin.post(
        url, json={"into": other["id"]}, headers={"if-match": f'"{one["version"]}"'}
    ).json()

    assert (done["moved"], done["person"]["photos"], done["person"]["id"]) == (1, 2, other["id"])
    seen = running.viewer.get("/api/v1/events", params={"person": other["id"]}).json()["items"]
    assert {each["id"] for each in seen} == {"r-0", "r-1"}
    assert {each["name"] for each in seen} == {"alice"}
    assert done["person"]["last_seen"]["event"] in {"r-0", "r-1"}

    assert running.admin.post("/api/v1/undo").json()["undone"]["action"] == "merge"

    back = running.viewer.get("/api/v1/events", params={"person": one["id"]}).json()["items"]
    assert [(each["id"], each["name"]) for each in back] == [("r-0", "ally")]


def test_a_photo_is_set_aside_brought_back_and_removed(running: Any, png: Any) -> None:
    told = enroll(running, "Rosa", png("rosa", RED), png("gil", GREEN))
    photos = running.viewer.get(f"/api/v1/people/{told['person']['id']}").json()["photos"]
    assert len(photos) == 2
    url = f"/api/v1/people/{told['person']['id']}/photos/{photos[0]['id']}"
    first = running.viewer.get(url)
    assert first.headers["etag"] == f'"{photos[0]["version"]}"'
    aside = running.admin.patch(url, json={"aside": True}, headers={"if-match": first.headers["etag"]})
    assert (aside.json()["aside"], aside.json()["version"] != photos[0]["version"]) == (True, True)
    face = running.viewer.post("/api/v1/identify", files={"image": png("rosa", RED)}).json()["faces"][0]
    assert face["name"] is None
    stale = running.admin.delete(url, headers={"if-match": first.headers["etag"]})
    assert stale.status_code == 412
    running.admin.post("/api/v1/undo")
    assert running.viewer.get(url).json()["aside"] is False
    gone = running.admin.delete(url, headers={"if-match": running.viewer.get(url).headers["etag"]})
    assert (gone.json()["templates"], gone.json()["undoable"]) == (1, False)
    last = f"/api/v1/people/{told['person']['id']}/photos/{photos[1]['id']}"
    refused = running.admin.delete(last, headers={"if-match": "*"})
    assert (refused.status_code, refused.json()["code"]) == (409, "last_photo")


def test_the_history_tells_what_others_did_too(running: Any, png: Any, recog: Any, tmp_path: Path) -> None:
    enroll(running, "Rosa", png("rosa", RED))
    recog("gallery", "rename", "Rosa", "Rosie", "--gallery", tmp_path / "people.db")
    told = running.viewer.get("/api/v1/history", params={"limit": 1}).json()
    assert [(each["action"], each["person"], each["other"]) for each in told["items"]] == [
        ("rename", "Rosa", "Rosie")
    ]
    older = running.viewer.get("/api/v1/history", params={"cursor": told["next"]}).json()
    assert [each["action"] for each in older["items"]] == ["enroll"]
    refused = running.admin.post("/api/v1/undo", json={"change": older["items"][0]["id"]})
    assert refused.status_code == 412


def test_who_is_in_a_picture(running: Any, png: Any) -> None:
    rosa = enroll(running, "Rosa", png("rosa", RED))["person"]
    faces = running.viewer.post("/api/v1/identify", files={"image": png("two", GREEN, RED)}).json()["faces"]
    assert [(each["state"], each["name"], each["person"]) for each in faces] == [
        ("unknown", None, None), ("named", "Rosa", rosa["id"]),
    ]  # fmt: skip
    x1, y1, x2, y2 = faces[1]["box"]
    assert abs(x1 - 120) < 3
    assert abs(x2 - x1 - 80) < 4
    assert abs(y1 - 60) < 3
    assert y1 < y2
    assert len(faces[1]["landmarks"]) == 5
    assert faces[1]["confidence"] > 0.98
    assert "Rosa" in faces[1]["why"]


def test_whether_two_pictures_show_one_person(running: Any, png: Any) -> None:
    rosa = enroll(running, "Rosa", png("rosa", RED))["person"]
    files = {"first": png("a", RED), "second": png("b", RED, side=90)}
    assert running.viewer.post("/api/v1/verify", files=files).json()["answer"] == "same"
    url = f"/api/v1/people/{rosa['id']}/verify"
    answer = running.viewer.post(url, files={"image": png("g", GREEN)}).json()
    assert (answer["answer"], answer["probability"] < 0.1) == ("different", True)
    nothing = running.viewer.post("/api/v1/verify", files=files | {"first": png("none")})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "unusable_picture")
