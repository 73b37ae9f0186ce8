"""What goes wrong under a running service: a camera dies, the disk is full, the gallery is another."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gallery import Gallery, restoring
from pipeline.api import Recog
from pipeline.config import from_values
from tests.pipeline.ports import free_port

RTSP = Path(__file__).parents[1] / "sources" / "rtsp_server.py"
PYTHON = "/usr/bin/python3"


@pytest.fixture
def camera(port: int) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a real RTSP server, a camera as far as anybody can tell, whose address is `port`."""
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, RTSP], capture_output=True).returncode:
        pytest.skip(f"needs an RTSP server: {RTSP.name} says what to install")
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PYTHON, str(RTSP), str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def port() -> int:
    return free_port()


def test_a_camera_that_dies_is_lost_with_the_reason_and_found_again_while_others_go_on(
    serve: Callable[..., Any],
    until: Callable[..., Any],
    camera: Callable[[], Any],
    port: int,
    minute: Path,
) -> None:
    running = serve(
        sources=(str(minute),),
        hosts=frozenset({f"127.0.0.1:{port}"}),
        settings=from_values({"stream": {"timeout": 2}}),
    )
    address = f"rtsp://ann:s3cret@127.0.0.1:{port}/live"
    made = running.admin.post("api/v1/sources", json={"url": address, "name": "the door"}).json()
    path = f"api/v1/sources/{made['id']}"

    def source() -> dict[str, Any]:
        found: dict[str, Any] = running.viewer.get(path).json()
        return found

    lost = until(lambda: (found := source())["state"] == "lost" and found)  # it is not there yet
    assert "cannot be reached" in lost["detail"]
    process = camera()
    up = until(lambda: (found := source())["state"] == "running" and found["size"] and found)
    assert up["size"] == [160, 120]
    process.kill()
    lost = until(lambda: (found := source())["state"] == "lost" and found)
    assert "was lost after" in lost["detail"]
    assert "s3cret" not in str(lost)
    assert lost["since"] > up["since"]
    others = running.viewer.get("api/v1/sources").json()["items"]
    assert [each["state"] for each in others if each["id"] != made["id"]] == ["running"]
    camera()
    until(lambda: source()["state"] == "running")
    assert f'recog_reconnects_total{{source="{made["id"]}"}} 2.0' in running.viewer.get("api/v1/metrics").text


def test_the_service_ends_at_once_although_a_camera_is_lost(
    serve: Callable[..., Any], until: Callable[..., Any], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.sources import watchdog

    monkeypatch.setattr(watchdog, "FIRST_PAUSE", 60.0)  # before it tries again
    monkeypatch.setattr(watchdog, "LONGEST_PAUSE", 60.0)
    running = serve(hosts=frozenset({f"127.0.0.1:{port}"}))
    made = running.admin.post("api/v1/sources", json={"url": f"rtsp://127.0.0.1:{port}/live"}).json()
    until(lambda: running.viewer.get(f"api/v1/sources/{made['id']}").json()["state"] == "lost")
    begun = time.monotonic()
    running.service.halt()
    running.service.stop()
    assert time.monotonic() - begun < 30, "it waited for the next try"


@pytest.fixture
def full(serve: Callable[..., Any]) -> Callable[[Any, bool], None]:
    """Makes the disk of a service's own file full, and not: SQLite can have no more pages."""

    def make(running: Any, full: bool) -> None:
        with running.service.store._turn:
            most = 1 if full else 1_000_000  # SQLite takes no fewer than there are
            running.service.store._writer.execute(f"PRAGMA max_page_count = {most}")

    return make


def test_a_full_disk_costs_no_picture_is_said_and_what_waited_is_written_when_there_is_room(
    serve: Callable[..., Any],
    until: Callable[..., Any],
    full: Callable[[Any, bool], None],
    minute: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.service.sightings.AGAIN", 0.1)
    running = serve()
    full(running, True)
    with running.service.store.reading() as connection:  # and no page is free
        assert connection.execute("PRAGMA freelist_count").fetchone()[0] == 0
    source = add(running, minute)
    ready = until(lambda: (found := running.stranger.get("api/v1/health/ready")).status_code == 503 and found)
    assert ready.json()["trouble"] == ["events cannot be kept; is the disk full?"]
    assert running.stranger.get("api/v1/health/live").status_code == 200
    refused = running.admin.post("api/v1/sources", json={"url": "0"})
    before = running.service.board.newest(source).number
    until(lambda: running.service.board.newest(source).number > before + 5)
    assert running.viewer.get(f"api/v1/sources/{source}/snapshot.jpg").status_code == 200
    assert running.viewer.get("api/v1/events").json()["items"] == []
    full(running, False)
    until(lambda: running.stranger.get("api/v1/health/ready").status_code == 200)
    found = until(lambda: running.viewer.get("api/v1/events").json()["items"])
    assert all(running.viewer.get(each["thumbnail"]).status_code == 200 for each in found)
    assert refused.status_code in (201, 503)


def test_a_tape_on_a_full_disk_costs_looks_and_nothing_else(
    serve: Callable[..., Any],
    until: Callable[..., Any],
    minute: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.service.taping.AGAIN", 0.2)
    running = serve()
    running.service.tape.mkdir()  # nothing can be written there
    source = add(running, minute)
    ready = until(lambda: (found := running.stranger.get("api/v1/health/ready")).status_code == 503 and found)
    assert ready.json()["trouble"] == ["looks cannot be kept; is the disk full?"]
    until(lambda: running.viewer.get("api/v1/events").json()["items"])
    running.service.tape.rmdir()
    until(lambda: running.stranger.get("api/v1/health/ready").status_code == 200)
    until(lambda: running.service.tape.is_file())
    assert running.viewer.get(f"api/v1/sources/{source}").json()["state"] == "running"


def test_a_gallery_that_is_restored_under_the_service_is_the_one_that_counts(
    serve: Callable[..., Any], until: Callable[..., Any], tmp_path: Path, world: Any, minute: Path
) -> None:
    red, green = (world.picture(tmp_path / f"{n}.png", c) for n, c in (("r", world.RED), ("g", world.GREEN)))
    other = Recog.open(tmp_path / "backup.db")
    other.enroll("greta", [green])
    time.sleep(1.1)  # galleries tell changes apart by the second

    running = serve()
    running.service.recog.enroll("alice", [red])
    running.service.people_changed()
    add(running, minute)

    def named() -> set[str]:
        found = running.viewer.get("api/v1/events", params={"state": "named"}).json()["items"]
        return {each["name"] for each in found if each["present"]}

    until(lambda: named() == {"alice"})
    restoring.restore(tmp_path / "backup.db", tmp_path / "people.db")
    until(lambda: named() == {"greta"})
    assert running.service.names.id_of("greta") is not None
    assert running.stranger.get("api/v1/health/ready").status_code == 200


def test_a_restore_right_after_a_removal_destroys_nothing_and_brings_everybody_back(
    serve: Callable[..., Any], until: Callable[..., Any], tmp_path: Path, png: Any, world: Any
) -> None:
    running = serve()
    http = running.admin
    for name, colour in (("alice", world.RED), ("bob", world.GREEN)):
        made = http.post("api/v1/people", data={"name": name}, files={"photos": png(name, colour)})
        assert made.status_code == 201, made.text
    gallery, backup = tmp_path / "people.db", tmp_path / "monday.db"
    assert http.post("api/v1/identify", files={"image": png("a", world.RED)}).status_code == 200
    with Gallery.open(gallery, None, None) as opened:
        opened.back_up(backup)
    bob = made.json()["person"]["id"]
    assert http.delete(f"api/v1/people/{bob}", headers={"If-Match": "*"}).status_code == 200
    assert gallery.with_name("people.db-wal").exists(), "the service has it open"
    restoring.restore(backup, gallery)
    with closing(sqlite3.connect(gallery)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    until(lambda: {each["name"] for each in http.get("api/v1/people").json()["items"]} == {"alice", "bob"})
    found = http.post("api/v1/identify", files={"image": png("b", world.GREEN)}).json()
    assert [each["name"] for each in found["faces"]] == ["bob"]


def test_a_gallery_that_is_damaged_under_the_service_is_said_and_stops_no_source(
    serve: Callable[..., Any], until: Callable[..., Any], tmp_path: Path, world: Any, minute: Path
) -> None:
    running = serve()
    running.service.recog.enroll("alice", [world.picture(tmp_path / "red.png", world.RED)])
    running.service.people_changed()
    source = add(running, minute)
    until(lambda: running.viewer.get("api/v1/events", params={"state": "named"}).json()["items"])
    for end in ("-wal", "-shm"):
        (tmp_path / f"people.db{end}").unlink(missing_ok=True)
    (tmp_path / "bad.db").write_bytes(b"this was a gallery once" * 1000)
    (tmp_path / "bad.db").replace(tmp_path / "people.db")
    ready = until(lambda: (found := running.stranger.get("api/v1/health/ready")).status_code == 503 and found)
    assert ready.json()["trouble"] == ["the gallery cannot be read"]
    before = running.service.board.newest(source).number
    until(lambda: running.service.board.newest(source).number > before + 5)


def test_a_source_that_fails_by_a_bug_of_ours_says_so_and_stops_nobody_else(
    serve: Callable[..., Any],
    until: Callable[..., Any],
    minute: Path,
    detector: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(frame: int) -> None:
        if frame == 5:
            raise ZeroDivisionError("a bug")

    running = serve()
    detector.before = fail
    source = add(running, minute)
    failed = until(
        lambda: (
            (found := running.viewer.get(f"api/v1/sources/{source}").json())["state"] == "failed" and found
        )
    )
    assert failed["detail"] == "an error of recog itself; the log says more"
    assert "ZeroDivisionError: a bug" in caplog.text
    detector.before = lambda frame: None
    running.admin.post(f"api/v1/sources/{source}/resume")
    until(lambda: running.viewer.get(f"api/v1/sources/{source}").json()["state"] == "running")


def add(running: Any, film: Path) -> str:
    made: str = running.service.cameras.add(str(film), None, trusted=True).id
    return made
