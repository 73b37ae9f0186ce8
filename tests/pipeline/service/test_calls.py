"""What holds for every call: ids, problems, keys for creating calls, the audit log, limits."""

from __future__ import annotations

import logging
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from gallery import BusyError, ChangedError, GalleryError, UnusableError
from pipeline.errors import ServiceError, SinkError, SourceError, UnreachableError
from pipeline.service import idempotency, uploads
from pipeline.service.idempotency import Answers, Kept
from pipeline.service.problems import from_error
from pipeline.service.store import Store
from siamese.errors import ModelError

RED, GREEN = (40, 40, 220), (40, 200, 40)
HEADERS = {
    "content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy",
    "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy", "x-request-id",
    "cache-control",
}  # fmt: skip


def rosa(running: Any, png: Any, **headers: str) -> httpx.Response:
    answer: httpx.Response = running.admin.post(
        "/api/v1/people", data={"name": "Rosa"}, files=[("photos", png("rosa", RED))], headers=headers
    )
    return answer


def test_every_answer_has_an_id_and_the_headers_that_keep_browsers_safe(running: Any) -> None:
    for answer in (
        running.viewer.get("/api/v1/me"), running.stranger.get("/api/v1/me"), running.stranger.get("/"),
        running.viewer.get("/nothing"), running.viewer.get("/api/v1/nothing"),
        running.viewer.get("/api/v1/me", headers={"host": "evil.example"}), running.viewer.put("/api/v1/me"),
        running.stranger.get("/page/index.html"), running.viewer.get("/page/../../x"),
    ):  # fmt: skip
        assert answer.headers.keys() >= HEADERS, answer.url
        assert answer.status_code < 300 or answer.headers["content-type"] == "application/problem+json"
        assert answer.status_code < 300 or answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "server" not in answer.headers or "uvicorn" in answer.headers["server"]


def test_no_script_of_the_page_is_inline(running: Any) -> None:
    policy = running.stranger.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy


def test_a_callers_own_id_is_kept_where_it_is_plain(running: Any) -> None:
    kept = running.viewer.get("/api/v1/me", headers={"x-request-id": "abc-123_XYZ.9"})
    assert kept.headers["x-request-id"] == "abc-123_XYZ.9"
    for odd in ("short", "x" * 65, "a b c d e f g", "{{{{{{{{"):
        own = running.viewer.get("/api/v1/me", headers={"x-request-id": odd}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{16}", own)


def test_a_bug_is_told_with_its_id_and_nothing_of_the_inside(
    running: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the inside")

    monkeypatch.setattr(type(running.access), "tokens", broken)
    answer = running.admin.get("/api/v1/tokens")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "inside" not in answer.text
    assert answer.headers["x-request-id"] in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (GalleryError("x"), 422, "refused"), (BusyError("x"), 503, "gallery_busy"),
        (UnusableError("x"), 503, "gallery_unusable"), (ChangedError("x"), 412, "changed"),
        (SourceError("x"), 422, "unusable_picture"), (UnreachableError("x"), 503, "unreachable"),
        (ModelError("x"), 503, "model_unusable"), (ServiceError("x"), 503, "store"),
        (SinkError("x"), 422, "refused"),
    ],
)  # fmt: skip
def test_what_the_caller_gave_is_422_and_what_the_machine_lacks_503(
    error: Exception, status: int, code: str
) -> None:
    problem = from_error(error)
    assert (problem.status, problem.code, problem.detail) == (status, code, "x")


def test_a_gallery_that_is_damaged_meanwhile_is_a_problem_and_no_crash(
    running: Any, png: Any, tmp_path: Path
) -> None:
    rosa(running, png)
    path = tmp_path / "people.db"
    running.service.recog.path.write_bytes(b"no gallery" * 1000)
    for call in ("/api/v1/people", "/api/v1/history", "/api/v1/calibration"):
        answer = running.viewer.get(call)
        assert (answer.status_code, answer.json()["code"]) == (503, "gallery_unusable"), call
    assert path.exists()


def test_with_a_full_disk_who_may_look_still_may_and_changes_are_refused(
    running: Any, png: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Store) -> Any:
        raise ServiceError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Store, "writing", full)
        assert running.viewer.get("/api/v1/people").status_code == 200
        refused = rosa(running, png, **{"idempotency-key": "k1"})
        assert (refused.status_code, refused.json()["code"]) == (503, "store")
        assert refused.headers["content-type"] == "application/problem+json"
        broken.setattr(Store, "reading", full)
        unknown = running.viewer.get("/api/v1/people")
        assert (unknown.status_code, unknown.json()["code"]) == (503, "store")
    assert rosa(running, png, **{"idempotency-key": "k1"}).status_code == 201


def test_the_log_holds_routes_and_no_names_or_keys(running: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="pipeline.service"):
        running.viewer.get("/api/v1/people", params={"q": "Rosa"})
        running.stranger.get("/", params={"key": "a-key-of-somebody"})
    assert "Rosa" not in caplog.text
    assert "a-key-of-somebody" not in caplog.text
    assert "/people" in caplog.text


def test_a_call_with_the_same_key_creates_nothing_twice(running: Any, png: Any) -> None:
    first = rosa(running, png, **{"idempotency-key": "k1"})
    second = rosa(running, png, **{"idempotency-key": "k1"})
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert rosa(running, png).status_code == 409  # without a key it is another call
    assert len(running.viewer.get("/api/v1/history").json()["items"]) == 1


def test_a_key_is_for_one_call_of_one_caller(running: Any) -> None:
    body = {"url": "rtsp://192.0.2.1/a", "name": "a"}
    key = {"idempotency-key": "k1"}
    first = running.admin.post("/api/v1/sources", json=body, headers=key)
    assert first.status_code == 201, first.text
    other = running.admin.post("/api/v1/sources", json=body | {"name": "b"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert running.viewer.post("/api/v1/sources", json=body, headers=key).status_code == 403
    for odd in ("", "a b", "x" * 201):
        answer = running.admin.post("/api/v1/sources", json=body, headers={"idempotency-key": odd})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_key")


def test_what_failed_may_be_tried_again_with_the_same_key(running: Any, png: Any) -> None:
    key = {"idempotency-key": "k1"}
    url, files = "/api/v1/people", [("photos", ("x.jpg", b"no"))]
    assert running.admin.post(url, data={"name": "Rosa"}, files=files, headers=key).status_code == 422
    assert rosa(running, png, **key).status_code == 201


def test_a_secret_is_never_kept_to_be_told_again(running: Any) -> None:
    key = {"idempotency-key": "k1"}
    made = running.admin.post("/api/v1/tokens", json={"name": "a"}, headers=key).json()["token"]
    assert running.admin.post("/api/v1/tokens", json={"name": "a"}, headers=key).status_code == 422
    path = running.service.store.path
    assert all(made.encode() not in each.read_bytes() for each in path.parent.glob(f"{path.stem}*"))


def test_answers_that_name_somebody_go_with_them(running: Any, png: Any) -> None:
    made = rosa(running, png, **{"idempotency-key": "k1"})
    running.admin.delete(made.headers["location"], headers={"if-match": made.headers["etag"]})
    with running.service.store.reading() as db:
        assert db.execute("SELECT count(*) FROM idempotency").fetchone()[0] == 0


def test_of_two_calls_at_once_one_is_made(tmp_path: Path) -> None:
    store = Store(tmp_path / "people.service.db")
    answers = Answers(store)
    found: list[Any] = []
    together = threading.Barrier(2)

    def call() -> None:
        together.wait()
        found.append(answers.claim("me", "k", b"same"))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == [None, "busy"]
    answers.keep("me", "k", Kept(201, [(b"x", b"y")], b"{}"))
    assert answers.claim("me", "k", b"same") == Kept(201, [(b"x", b"y")], b"{}")
    answers.forget(unfinished=True)
    assert answers.claim("me", "k", b"other") == "other"
    assert answers.claim("somebody else", "k", b"other") is None
    store.close()


def test_what_is_being_made_while_answers_are_forgotten_is_not_made_twice_and_not_kept(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "people.service.db")
    answers = Answers(store)
    assert answers.claim("me", "k", b"same") is None
    answers.forget()  # somebody is removed
    assert answers.claim("me", "k", b"same") == "busy"
    answers.keep("me", "k", Kept(201, [], b"names somebody"))
    assert answers.claim("me", "k", b"same") is None
    answers.keep("me", "k", Kept(201, [], b"{}"))
    assert answers.claim("me", "k", b"same") == Kept(201, [], b"{}")
    store.close()


def test_a_form_with_a_key_says_how_long_it_is_for_nothing_else_tells_it_from_another(
    running: Any, png: Any
) -> None:
    def rosa_in_pieces() -> Any:
        form = httpx.Request("POST", running.url, data={"name": "Rosa"}, files=[("photos", png("rosa", RED))])
        kind = {"content-type": form.headers["content-type"]}
        return kind, iter([form.read()])

    kind, pieces = rosa_in_pieces()
    refused = running.admin.post("/api/v1/people", content=pieces, headers=kind | {"idempotency-key": "k1"})
    assert (refused.status_code, refused.json()["code"]) == (411, "length_required")
    kind, pieces = rosa_in_pieces()
    assert running.admin.post("/api/v1/people", content=pieces, headers=kind).status_code == 201


def test_answers_are_forgotten_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "people.service.db")
    answers = Answers(store)
    answers.claim("me", "k", b"same")
    answers.keep("me", "k", Kept(201, [], b"{}"))
    monkeypatch.setattr(idempotency, "HOURS", -1)
    assert answers.claim("me", "k", b"same") is None
    store.close()


def test_what_was_changed_is_in_the_audit_log_with_who_did_it_and_no_names(running: Any, png: Any) -> None:
    made = rosa(running, png)
    url = made.headers["location"]
    running.admin.patch(url, json={"name": "Rosie"}, headers={"if-match": made.headers["etag"]})
    running.admin.patch(url, json={"name": "X"}, headers={"if-match": '"stale"'})  # failed: no entry
    running.viewer.post("/api/v1/identify", files={"image": png("rosa", RED)})  # asks: no entry
    token = running.admin.post("/api/v1/tokens", json={"name": "kitchen"}).json()
    browser = running.client(origin=running.url.rstrip("/"))
    browser.post("/api/v1/login", json={"token": token["token"]})

    me = running.admin.get("/api/v1/me").json()["name"]

    told = running.admin.get("/api/v1/audit")

    assert [(each["action"], each["caller"], each["kind"]) for each in told.json()["items"]] == [
        ("log_in", "somebody new", "key"),
        ("create_token", me, "token"),
        ("rename_person", me, "token"),
        ("create_person", me, "token"),
    ]
    details = [each["details"] for each in told.json()["items"]]
    assert details[1] == {"token": token["id"], "role": "viewer"}
    assert details[2] == {"person": url.rpartition("/")[2]}
    assert details[3] == {"made": url}
    assert "Ros" not in told.text
    assert token["token"] not in told.text
    assert running.viewer.get("/api/v1/audit").status_code == 403
    page = running.admin.get("/api/v1/audit", params={"limit": 1}).json()
    rest = running.admin.get("/api/v1/audit", params={"cursor": page["next"]}).json()["items"]
    assert len(rest) == 3


def test_a_picture_is_limited_in_bytes_before_it_is_read(running: Any) -> None:
    large = b"\xff\xd8\xff" + bytes(uploads.MOST_BYTES)
    answer = running.viewer.post("/api/v1/identify", files={"image": ("x.jpg", large)})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    whole = running.admin.post("/api/v1/login", content=b"x" * (2 << 20))  # refused by its length alone
    assert (whole.status_code, whole.headers["content-type"]) == (413, "application/problem+json")
    told = whole.json()
    assert (told["code"], told["request_id"]) == ("content_too_large", whole.headers["x-request-id"])
    assert whole.headers["x-content-type-options"] == "nosniff"
    pieces = iter([bytes(1 << 20), bytes(1 << 20)])  # by what has come, where no length is said
    assert running.admin.post("/api/v1/login", content=pieces).json()["code"] == "content_too_large"


def test_a_picture_is_limited_in_pixels_before_it_is_decoded(running: Any) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    claims = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", claims) + chunk(b"IDAT", zlib.compress(bytes(10**6)))
    answer = running.viewer.post("/api/v1/identify", files={"image": ("x.png", bomb + chunk(b"IEND", b""))})
    assert (answer.status_code, answer.json()["code"]) == (422, "unusable_picture")
    assert "pixels" in answer.json()["detail"]


def test_the_name_of_a_file_opens_nothing_and_is_kept_without_its_folders(
    running: Any, png: Any, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(png("x", GREEN)[1])
    name = f"{tmp_path}/../{tmp_path.name}/secret.png"
    answer = running.viewer.post("/api/v1/identify", files={"image": (name, b"no picture")})
    assert answer.status_code == 422
    assert str(tmp_path) not in answer.text
    assert uploads.shown_name("C:\\x\\y\x00\u202e.jpg") == "y.jpg"
    assert uploads.shown_name(None) == uploads.shown_name("///") == "picture"
    assert len(uploads.shown_name("x" * 1000)) == uploads.NAME_MOST


def test_tokens_are_made_on_the_command_line_beside_a_running_service(
    running: Any, recog: Any, tmp_path: Path
) -> None:
    gallery = ("--gallery", tmp_path / "people.db")
    made = recog("serve", "token", "create", "kitchen", *gallery)
    assert made.code == 0
    client = running.client(authorization=f"Bearer {made.out.strip()}")
    assert client.get("/api/v1/me").json() == {"role": "viewer", "name": "kitchen"}
    assert "kitchen" in recog("serve", "token", "list", *gallery).out
    assert recog("serve", "token", "revoke", "kitchen", *gallery).out == "kitchen: revoked\n"
    assert client.get("/api/v1/me").status_code == 401
    actions = [each["action"] for each in running.admin.get("/api/v1/audit").json()["items"]]
    assert actions == ["revoke_token", "create_token"]
    recog("serve", "token", "revoke", "kitchen", *gallery).refused("no token named kitchen")
    recog("serve", "token", "create", "x", "--role", "king", *gallery).refused("viewer and admin")
