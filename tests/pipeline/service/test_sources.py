"""Sources over HTTP: added, watched, paused, removed, and there again after a restart."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.outputs import demo_film
from pipeline.service.addresses import given
from pipeline.service.store import store_path


@pytest.fixture
def films(tmp_path: Path, world: Any) -> Path:
    """A folder with a film of two seconds, in which red and green walk by."""
    folder = tmp_path / "films"
    folder.mkdir()
    world.film(folder / "street.mp4", world.RED, world.GREEN)
    return folder


def test_a_film_below_a_folder_is_offered_added_played_and_has_an_end(
    serve: Callable[..., Any], until: Callable[..., Any], films: Path
) -> None:
    running = serve(folders=(films,))
    offers = running.viewer.get("api/v1/cameras").json()["items"]
    film = next(each for each in offers if each["kind"] == "file")
    assert film["name"] == "street.mp4"
    made = running.admin.post("api/v1/sources", json={"url": film["url"], "name": "the street"})
    assert made.status_code == 201
    source = made.json()
    assert (source["name"], source["kind"]) == ("the street", "file")
    assert made.headers["location"] == f"/api/v1/sources/{source['id']}"
    path = f"api/v1/sources/{source['id']}"
    playing = until(lambda: (found := running.viewer.get(path).json())["state"] == "running" and found)
    assert playing["size"] == [320, 240]
    until(lambda: running.viewer.get(f"{path}/snapshot.jpg").status_code == 200)
    plain, drawn = (running.viewer.get(f"{path}/snapshot.jpg{query}") for query in ("", "?boxes=1"))
    assert plain.headers["cache-control"] == "private, no-store"
    pictures = [cv2.imdecode(np.frombuffer(each.content, np.uint8), 1) for each in (plain, drawn)]
    assert [each.shape for each in pictures] == [(240, 320, 3)] * 2
    until(lambda: running.viewer.get(path).json()["state"] == "ended")
    again = running.admin.post(f"{path}/resume")
    assert again.json()["state"] in ("starting", "running")


def test_a_film_takes_as_long_as_it_is(
    serve: Callable[..., Any], until: Callable[..., Any], tmp_path: Path, world: Any
) -> None:
    """80 frames at 20 a second: were it read as fast as it can be, whoever is in it would be gone at once.

    A busy machine may miss the first of them, but not so many.
    """
    film = world.film(tmp_path / "long.mp4", world.RED, count=80)
    running = serve(sources=(str(film),))

    def left() -> list[dict[str, Any]]:
        found = running.viewer.get("api/v1/events").json()["items"]
        return [each for each in found if not each["present"]]

    begun, ended = (datetime.fromisoformat(until(left)[0][name]) for name in ("at", "until"))
    assert (ended - begun).total_seconds() > 1.3


def test_a_film_that_is_paused_stands_still_and_goes_on_where_it_was(
    serve: Callable[..., Any], until: Callable[..., Any], films: Path
) -> None:
    running = serve(sources=(str(films / "street.mp4"),))
    source = running.viewer.get("api/v1/sources").json()["items"][0]["id"]
    path, board = f"api/v1/sources/{source}", running.service.board
    before = until(lambda: (shown := board.newest(source)) and shown.number > 3 and shown.number)
    assert running.admin.post(f"{path}/pause").json()["state"] == "paused"
    running.admin.post(f"{path}/resume")
    after = until(lambda: (shown := board.newest(source)) and shown.number)
    assert before <= after < 40
    until(lambda: running.viewer.get(path).json()["state"] == "ended")


def test_what_clients_may_not_have_watched_is_refused_in_words(
    serve: Callable[..., Any], films: Path, tmp_path: Path, world: Any
) -> None:
    secret = world.film(tmp_path / "secret.mp4", world.BLUE)
    (films / "way-out.mp4").symlink_to(secret)
    running = serve(folders=(films,))
    for url in (
        str(secret),
        f"file://{secret}",
        str(films / ".." / "secret.mp4"),
        str(films / "way-out.mp4"),
        str(films / "none.mp4"),
        "concat:a|b",
        "pipe:0",
        "-",
        "subfile,,start,0,end,0,,:/etc/passwd",
        "udp://239.0.0.1:1234",
        "rtmp://192.0.2.1/live",
        "rtsp://127.0.0.1/live",
        "http://localhost:9/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://0.0.0.0/x",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/x",
        "http://",
        "rtsp://ann:***@192.0.2.1/live",
        "http://192.0.2.1/\nx",
    ):
        answer = running.admin.post("api/v1/sources", json={"url": url})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_source"), url
        assert answer.json()["errors"][0]["where"] == "body.url"
    assert running.viewer.get("api/v1/sources").json()["items"] == []


def test_a_stream_of_this_machine_is_watched_where_the_operator_said_so(serve: Callable[..., Any]) -> None:
    running = serve(hosts=frozenset({"127.0.0.1:9"}))
    assert running.admin.post("api/v1/sources", json={"url": "rtsp://127.0.0.1:9/live"}).status_code == 201
    assert running.admin.post("api/v1/sources", json={"url": "rtsp://127.0.0.1:10/live"}).status_code == 422


def test_a_login_is_kept_for_opening_alone(
    serve: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    running = serve(hosts=frozenset({"127.0.0.1:9"}))
    url = "rtsp://ann:s3cret@127.0.0.1:9/live?token=t0ken"
    made = running.admin.post("api/v1/sources", json={"url": url})
    assert made.json()["url"] == "rtsp://***@127.0.0.1:9/live?***"
    path = f"api/v1/sources/{made.json()['id']}"
    until(lambda: running.viewer.get(path).json()["state"] == "lost")
    told = [made.text, running.viewer.get("api/v1/sources").text, running.viewer.get(path).text]
    told += [running.viewer.get("api/v1/metrics").text, caplog.text]
    removed = running.admin.delete(path, headers={"if-match": made.headers["etag"]})
    assert removed.status_code == 204
    assert not any(word in text for text in told for word in ("s3cret", "t0ken", "ann:"))
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("people.service.db*"))
    assert b"s3cret" not in kept  # nor after it was removed


def test_a_change_needs_the_version_that_was_read(serve: Callable[..., Any], films: Path) -> None:
    running = serve(sources=(str(films / "street.mp4"),))
    source = running.viewer.get("api/v1/sources").json()["items"][0]
    path, tag = f"api/v1/sources/{source['id']}", f'"{source["version"]}"'
    assert running.admin.patch(path, json={"name": "x"}).status_code == 428
    renamed = running.admin.patch(path, json={"name": " the  door "}, headers={"if-match": tag})
    assert renamed.json()["name"] == "the door"
    stale = running.admin.patch(path, json={"name": "y"}, headers={"if-match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "changed")
    assert running.admin.delete(path, headers={"if-match": tag}).status_code == 412
    assert running.admin.delete(path, headers={"if-match": renamed.headers["etag"]}).status_code == 204
    gone = running.viewer.get(path)
    assert (gone.status_code, gone.json()["code"]) == (404, "no_such_source")


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_of_changes_at_once_of_one_version_one_is_made(
    serve: Callable[..., Any], films: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    running = serve(sources=(str(films / "street.mp4"),))
    source = running.viewer.get("api/v1/sources").json()["items"][0]
    together = threading.Barrier(4)
    cameras = running.service.cameras
    name = {"patch": "change", "delete": "remove"}[method]
    done = getattr(cameras, name)

    def crossed(*given: Any, **named: Any) -> Any:
        together.wait(10)  # each has found the version that it means
        return done(*given, **named)

    monkeypatch.setattr(cameras, name, crossed)
    call = partial(
        running.admin.request, method.upper(), f"api/v1/sources/{source['id']}",
        headers={"if-match": f'"{source["version"]}"'}, json={"name": "x"} if method == "patch" else None,
    )  # fmt: skip
    with ThreadPoolExecutor(4) as callers:
        found = [each.result().status_code for each in [callers.submit(call) for _ in range(4)]]
    assert sorted(found) == {"patch": [200, 412, 412, 412], "delete": [204, 404, 404, 404]}[method]


def test_a_viewer_changes_nothing(serve: Callable[..., Any], films: Path) -> None:
    running = serve(sources=(str(films / "street.mp4"),))
    path = f"api/v1/sources/{running.viewer.get('api/v1/sources').json()['items'][0]['id']}"
    assert running.viewer.post("api/v1/sources", json={"url": "0"}).status_code == 403
    assert running.viewer.post(f"{path}/pause").status_code == 403
    assert running.viewer.delete(path, headers={"if-match": "*"}).status_code == 403


def test_a_restart_goes_on_with_what_ran_and_leaves_the_rest(
    serve: Callable[..., Any], until: Callable[..., Any], films: Path, tmp_path: Path, minute: Path
) -> None:
    long = shutil.copy(minute, films)
    first = serve(folders=(films,), hosts=frozenset({"127.0.0.1:9"}))
    add = [str(films / "street.mp4"), str(long), "rtsp://ann:pw@127.0.0.1:9/live"]
    ended, runs, rests = (first.admin.post("api/v1/sources", json={"url": url}).json()["id"] for url in add)
    first.admin.post(f"api/v1/sources/{rests}/pause")

    def states(running: Any) -> dict[str, str]:
        found = running.viewer.get("api/v1/sources").json()["items"]
        return {each["id"]: each["state"] for each in found}

    until(lambda: states(first)[ended] == "ended" and states(first)[runs] == "running")
    first.service.halt()
    first.service.stop()
    first.service.close()
    with sqlite3.connect(store_path(tmp_path / "people.db")) as kept:
        wanted = dict(kept.execute("SELECT id, wanted FROM sources").fetchall())
    assert wanted == {ended: "ended", runs: "running", rests: "paused"}
    kept.close()

    second = serve(folders=(films,), hosts=frozenset({"127.0.0.1:9"}))
    until(lambda: states(second)[runs] == "running")
    assert states(second)[rests] == "paused"
    assert states(second)[ended] == "ended"


def test_a_film_that_cannot_be_read_fails_with_the_reason(
    serve: Callable[..., Any], until: Callable[..., Any], films: Path
) -> None:
    (films / "broken.mp4").write_bytes(b"no film at all" * 100)
    running = serve(folders=(films,))
    made = running.admin.post("api/v1/sources", json={"url": str(films / "broken.mp4")}).json()
    path = f"api/v1/sources/{made['id']}"
    failed = until(lambda: (found := running.viewer.get(path).json())["state"] == "failed" and found)
    assert "is not a video" in failed["detail"]
    assert running.viewer.get(f"{path}/snapshot.jpg").json()["code"] == "no_picture"


def test_metrics_count_and_name_nobody(
    serve: Callable[..., Any], until: Callable[..., Any], films: Path, tmp_path: Path, world: Any
) -> None:
    red = world.picture(tmp_path / "red.png", world.RED)
    running = serve()
    running.service.recog.enroll("alice", [red])
    running.service.people_changed()
    source = running.service.cameras.add(str(films / "street.mp4"), None, trusted=True).id
    until(lambda: running.viewer.get(f"api/v1/sources/{source}").json()["state"] == "ended")
    text = running.viewer.get("api/v1/metrics").text
    assert f'recog_frames_total{{source="{source}"}} 40.0' in text
    assert f'recog_verdicts_total{{kind="named",source="{source}"}} 1.0' in text
    assert f'recog_source_state{{source="{source}",state="ended"}} 1.0' in text
    assert "recog_gallery_people 1.0" in text
    assert 'recog_stage_seconds_count{stage="detect"} 40.0' in text
    assert "alice" not in text
    assert running.stranger.get("api/v1/metrics").status_code == 401


def test_the_demo_film_is_made_when_it_is_first_wanted(
    serve: Callable[..., Any], until: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = demo_film._moving
    monkeypatch.setattr(demo_film, "_moving", lambda shot, random: moving(replace(shot, frames=12), random))
    running = serve()
    assert {"url": "demo", "name": "the demo film", "kind": "demo"} in running.viewer.get(
        "api/v1/cameras"
    ).json()["items"]
    made = running.admin.post("api/v1/sources", json={"url": "demo"}, timeout=120).json()
    assert (made["name"], made["kind"]) == ("demo", "file")
    until(lambda: running.viewer.get(f"api/v1/sources/{made['id']}").json()["size"] == [960, 540])
    assert [each.name for each in tmp_path.glob("*.mp4")] == ["people.service.demo.mp4"]
    begun = next(iter(tmp_path.glob("*.mp4"))).stat().st_mtime_ns
    assert running.admin.post("api/v1/sources", json={"url": "demo"}).status_code == 201
    assert next(iter(tmp_path.glob("*.mp4"))).stat().st_mtime_ns == begun


def test_a_film_of_the_command_line_is_kept_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "door.mp4").touch()
    monkeypatch.chdir(tmp_path)
    assert given("door.mp4") == str(tmp_path / "door.mp4")  # found again, wherever the next start is
    with pytest.raises(SourceError, match="standard input"):
        given("-")
    for source in ("0", "/dev/video3", "rtsp://camera/live", "file:///films/door.mp4"):
        assert given(source) == source
