"""Who may call the service, and who may not."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from pipeline.errors import ConfigError
from pipeline.service.access import Access, Bind, Role
from pipeline.service.access.patience import BackOff, Limit, address_of
from pipeline.service.deps import admin, anyone, check_marks, marks_of, viewer
from pipeline.service.store import Store

OPEN = {"/", "/api/v1/login", "/api/v1/health/live", "/api/v1/health/ready"}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = Store(tmp_path / "people.service.db")
    yield store
    store.close()


def test_every_route_says_who_may_call_it_and_only_these_are_open_to_anyone(running: Any) -> None:
    routes = [each for each in marks_of(running.app) if each[1] != "page"]
    assert all(len(found) == 1 for _, _, _, found in routes)
    assert {path for path, _, _, found in routes if found[0].role is None} <= OPEN


def test_what_changes_something_needs_an_admin_and_reading_a_viewer(running: Any) -> None:
    viewers = {"/api/v1/logout"}  # ends one's own session
    asking = {"/api/v1/identify", "/api/v1/verify", "/api/v1/people/{person}/verify", "/api/v1/tapes/search"}
    for path, _, methods, found in marks_of(running.app):
        if found and found[0].role is Role.VIEWER and path not in viewers | asking:
            assert methods <= {"GET", "HEAD"}, path


def test_each_route_refuses_who_is_not_logged_in_before_it_looks_at_the_request(running: Any) -> None:
    tried = 0
    for path, name, methods, found in marks_of(running.app):
        if name == "page" or path in OPEN:
            continue
        for method in methods:
            answer = running.stranger.request(method, path)
            assert answer.status_code == 401, (method, path, answer.text)
            assert method == "HEAD" or answer.json()["code"] == "login_required"
            if found[0].role is Role.ADMIN:
                refused = running.viewer.request(method, path)
                assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), (method, path)
            tried += 1
    assert tried > 5


def test_a_route_that_says_nothing_or_two_things_is_refused() -> None:
    for marks in ([], [viewer, admin]):
        app, router = FastAPI(openapi_url=None, docs_url=None, redoc_url=None), APIRouter()
        router.add_api_route("/x", lambda: 1, dependencies=marks)
        app.include_router(router)
        with pytest.raises(RuntimeError, match="/x"):
            check_marks(app, set())
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route("/x", lambda: 1, dependencies=[anyone])
    check_marks(app, set())


def test_the_one_time_key_logs_in_once_and_becomes_a_cookie_that_scripts_cannot_read(running: Any) -> None:
    key = running.access.new_key()
    browser = running.client()

    answer = browser.get("/", params={"key": key})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert browser.get("/api/v1/me").json() == {"role": "admin", "name": "first key"}
    again = running.client().get("/", params={"key": key})
    assert (again.status_code, again.json()["code"]) == (401, "wrong_key")
    assert "set-cookie" not in again.headers


def test_a_first_key_is_given_only_until_an_admin_can_log_in(store: Store) -> None:
    access = Access(store, Bind())
    key = access.first_key()
    assert key
    access.create_token("a screen", Role.VIEWER)
    assert access.first_key()
    assert access.log_in_by_key(key) is None  # the one before ended
    access.create_token("me", Role.ADMIN)
    assert access.first_key() is None


def test_whoever_has_a_session_needs_no_first_key(store: Store) -> None:
    access = Access(store, Bind())
    assert access.log_in_by_key(access.new_key())
    assert Access(store, Bind()).first_key() is None


def test_a_token_logs_in_with_its_role_and_its_sessions_end_with_it(running: Any) -> None:
    made = running.admin.post("/api/v1/tokens", json={"name": "kitchen", "role": "viewer"})
    assert made.status_code == 201
    origin = {"origin": running.url.rstrip("/")}
    browser = running.client(**origin)
    assert browser.post("/api/v1/login", json={"token": made.json()["token"]}).json()["role"] == "viewer"
    assert browser.get("/api/v1/me").json() == {"role": "viewer", "name": "kitchen"}

    assert running.admin.delete(f"/api/v1/tokens/{made.json()['id']}").status_code == 204

    assert browser.get("/api/v1/me").status_code == 401
    assert running.client(authorization=f"Bearer {made.json()['token']}").get("/api/v1/me").status_code == 401


def test_a_token_that_is_revoked_while_it_logs_in_is_a_wrong_one(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = {"origin": running.url.rstrip("/")}
    for step in ("by_token", "log_in_by_token"):  # revoked after it was looked up, or after its session
        token = running.access.create_token(step, Role.VIEWER)
        found = getattr(running.access, step)

        def revoked(text: str, found: Any = found, token: Any = token) -> Any:
            then = found(text)
            if text == token.text:
                running.access.revoke_token(token.token.id)
            return then

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(running.access, step, revoked)
            answer = running.client(**origin).post("/api/v1/login", json={"token": token.text})
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong_key"), step
        assert "set-cookie" not in answer.headers


def test_logging_out_ends_the_session_for_whoever_has_copied_the_cookie(running: Any) -> None:
    browser = running.client(origin=running.url.rstrip("/"))
    browser.get("/", params={"key": running.access.new_key()})
    stolen = dict(browser.cookies)

    assert browser.post("/api/v1/logout").status_code == 204

    assert running.client().get("/api/v1/me", headers={"cookie": f"recog_session={stolen['recog_session']}"})
    copied = httpx.get(f"{running.url}api/v1/me", cookies=stolen, trust_env=False)
    assert copied.status_code == 401


def test_tokens_are_listed_without_what_proves_them_and_kept_as_digests_only(running: Any) -> None:
    text = running.admin.post("/api/v1/tokens", json={"name": "kitchen"}).json()["token"]

    listed = running.admin.get("/api/v1/tokens").text

    assert "kitchen" in listed
    secret = text.split("_", 2)[2]
    assert secret not in listed
    path = running.service.store.path
    assert all(secret.encode() not in each.read_bytes() for each in path.parent.glob(f"{path.stem}*"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\nb\x00"])
def test_a_token_needs_a_name_that_prints(store: Store, name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        Access(store, Bind()).create_token(name, Role.VIEWER)


def test_two_tokens_cannot_have_one_name(running: Any) -> None:
    taken = running.admin.get("/api/v1/tokens").json()["items"][0]["name"]
    answer = running.admin.post("/api/v1/tokens", json={"name": taken})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_name")


@pytest.mark.parametrize(
    "wrong", ["x", "recog_0000000000000000_" + "A" * 43, "recog_" + "A" * 200, "\u00e9" * 40, "a b"]
)
def test_a_wrong_token_is_refused_whatever_it_looks_like(running: Any, wrong: str) -> None:
    answer = running.client(authorization="Bearer x").get(
        "/api/v1/me", headers={"authorization": f"Bearer {wrong}".encode()}
    )
    assert answer.status_code == 401


def test_a_secret_of_another_row_proves_nothing(store: Store) -> None:
    access = Access(store, Bind())
    one, other = (access.create_token(name, Role.ADMIN).text for name in ("one", "other"))
    mixed = one[:23] + other[23:]
    assert access.by_token(mixed) is None
    assert access.by_session(one) is None


def test_after_failed_log_ins_one_waits_longer_each_time(running: Any) -> None:
    codes = [running.stranger.post("/api/v1/login", json={"key": "wrong"}).status_code for _ in range(7)]
    assert codes[:5] == [401] * 5
    assert 429 in codes[5:]
    waiting = running.stranger.post("/api/v1/login", json={"key": running.access.new_key()})
    assert waiting.status_code == 429
    assert int(waiting.headers["retry-after"]) >= 1
    assert running.admin.get("/api/v1/me").status_code == 200  # who is logged in stays so


def test_the_wait_doubles_and_is_forgiven_after_success_or_an_hour() -> None:
    at = 0.0
    back_off = BackOff(clock=lambda: at)
    waits = []
    for _ in range(8):
        waits.append(back_off.wait("a"))
        at += waits[-1]
        back_off.failed("a")
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4]
    assert back_off.wait("b") == 0
    back_off.succeeded("a")
    assert back_off.wait("a") == 0
    for _ in range(50):
        back_off.failed("a")
    assert back_off.wait("a") == 300
    at += 3601
    back_off.failed("a")
    assert back_off.wait("a") == 0


def test_a_limit_lets_a_burst_through_and_then_its_rate() -> None:
    at = 0.0
    limit = Limit(rate=2, burst=3, clock=lambda: at)
    assert [limit.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limit.wait("b") == 0
    at += 0.5
    assert [limit.wait("a"), limit.wait("a")] == [0, 0.5]


def test_a_household_counts_as_one_caller() -> None:
    assert (
        address_of(("2001:db8::1", 1)) == address_of(("2001:db8::2", 1)) != address_of(("2001:db8:1::1", 1))
    )
    assert address_of(("::ffff:10.0.0.1", 1)) == address_of(("10.0.0.1", 2)) == "10.0.0.1"
    assert address_of(None) == "unknown"


def test_who_calls_too_often_is_told_to_wait(running: Any) -> None:
    running.access.calls = Limit(rate=0.001, burst=3)
    codes = [running.viewer.get("/api/v1/me").status_code for _ in range(5)]
    assert codes.count(200) >= 3
    assert 429 in codes


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("127.0.0.1", True), ("localhost:1", True), ("[::1]:8000", True), ("10.1.2.3:80", True),
        ("cams.example.org", True), ("CAMS.example.org.", True), ("evil.example", False), ("", False),
        ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("a@localhost", False),
        ("localhost/x", False), ("localhost:x", False), (None, False),
    ],
)  # fmt: skip
def test_only_known_names_and_addresses_in_numbers_are_answered(host: str | None, answered: bool) -> None:
    assert Bind(names=("cams.example.org",)).answers_to(host) is answered


def test_a_page_of_another_name_that_resolves_to_this_machine_gets_nothing(running: Any) -> None:
    answer = running.admin.get("/api/v1/me", headers={"host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (421, "wrong_host")


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "own"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "http", True),
        ("http://localhost", "localhost", "http", True), ("http://localhost:80", "localhost", "http", True),
        ("https://cams", "cams:443", "https", True),
        ("http://127.0.0.1:8001", "127.0.0.1:8000", "http", False),
        ("http://localhost:8000", "127.0.0.1:8000", "http", False), ("null", "localhost", "http", False),
        ("https://localhost", "localhost", "http", False), ("file://", "localhost", "http", False),
        ("http://localhost:x", "localhost", "http", False), ("", "localhost", "http", False),
    ],
)  # fmt: skip
def test_a_page_is_ones_own_by_scheme_name_and_port(origin: str, host: str, scheme: str, own: bool) -> None:
    assert Bind().is_own(origin, host, scheme) is own


def test_behind_a_proxy_the_scheme_is_that_of_the_page() -> None:
    assert Bind(behind_proxy=True).is_own("https://cams", "cams", "http")
    assert not Bind(behind_proxy=True).is_own("https://evil", "cams", "http")


def test_a_foreign_page_can_change_nothing_even_with_a_token(running: Any) -> None:
    answer = running.admin.post(
        "/api/v1/tokens", json={"name": "mine", "role": "admin"}, headers={"origin": "http://evil.example"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
    assert len(running.access.tokens()) == 2


def test_a_call_with_a_cookie_must_come_from_the_page(running: Any) -> None:
    browser = running.client()
    browser.get("/", params={"key": running.access.new_key()})
    assert browser.post("/api/v1/tokens", json={"name": "x"}).json()["code"] == "no_origin"
    own = browser.post("/api/v1/tokens", json={"name": "x"}, headers={"origin": running.url.rstrip("/")})
    assert own.status_code == 201


def test_another_address_than_loopback_needs_tls_or_a_proxy_and_a_token(store: Store) -> None:
    with pytest.raises(ConfigError, match="--behind-proxy"):
        Access(store, Bind("0.0.0.0"))
    with pytest.raises(ConfigError, match="recog serve token create"):
        Access(store, Bind("0.0.0.0", tls=True))
    Access(store, Bind()).create_token("me", Role.ADMIN)
    for allowed in (Bind("0.0.0.0", tls=True), Bind("::", behind_proxy=True), Bind("localhost"), Bind("::1")):
        Access(store, allowed)


def test_the_address_to_open_is_one_that_a_browser_takes() -> None:
    assert Bind().url("k") == "http://127.0.0.1:8000/?key=k"
    assert Bind("0.0.0.0", 443, tls=True).url() == "https://127.0.0.1:443/"
    assert Bind("::1", 80).url() == "http://[::1]:80/"


def test_sessions_end_and_the_oldest_go_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.service.access import access as module

    access = Access(store, Bind())
    monkeypatch.setattr(module, "MOST_SESSIONS", 2)
    opened = [access.log_in_by_key(access.new_key()) for _ in range(3)]
    assert [access.by_session(each or "") is not None for each in opened] == [False, True, True]
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE sessions SET ends = '2000-01-01T00:00:00.000Z'")
    db.close()
    assert all(access.by_session(each or "") is None for each in opened)
