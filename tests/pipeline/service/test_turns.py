"""Requests that look at pictures take turns; what would wait for long is refused at once, and says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from pipeline.service import turns

Held = tuple[threading.Event, threading.Event]


@pytest.fixture
def held(detector: Any) -> Held:
    """Every look begins with the first event set, and waits for the second one."""
    looking, go = threading.Event(), threading.Event()

    def slowly(frame: int) -> None:
        looking.set()
        assert go.wait(20)

    detector.before = slowly
    return looking, go


def test_when_many_wait_the_next_is_refused_at_once_and_who_enrolls_still_comes_in_turn(
    running: Any, png: Callable[..., Any], world: Any, held: Held, until: Callable[..., Any]
) -> None:
    looking, go = held
    photo = png("both", world.RED, world.GREEN)
    order = running.app.state.turns

    def identify() -> Any:
        return running.viewer.post("api/v1/identify", files={"image": photo})

    with ThreadPoolExecutor(turns.ASKING + 2) as callers:
        first = callers.submit(identify)
        assert looking.wait(10)
        waiting = [callers.submit(identify) for _ in range(turns.ASKING)]
        until(lambda: order.waiting == turns.ASKING)

        refused = identify()  # while the others are held: who waited would wait for ever
        enrolled = callers.submit(
            lambda: running.admin.post(
                "api/v1/people", data={"name": "rosa"}, files={"photos": png("rosa", world.RED)}
            )
        )
        until(lambda: order.waiting == turns.ASKING + 1)
        metrics = running.viewer.get("api/v1/metrics").text
        go.set()
        answers = [each.result() for each in (first, *waiting)]

    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert [each.status_code for each in answers] == [200] * (1 + turns.ASKING)
    assert enrolled.result().status_code == 201
    assert f"recog_pictures_waiting {turns.ASKING + 1:.1f}" in metrics
    assert "# TYPE recog_pictures_refused_total counter" in metrics
    assert "recog_pictures_refused_total 1.0" in metrics
    assert identify().status_code == 200


def test_who_has_waited_for_too_long_is_refused_as_well(
    running: Any, png: Callable[..., Any], world: Any, held: Held, monkeypatch: Any
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    looking, go = held
    photo = png("rosa", world.RED)
    with ThreadPoolExecutor(1) as callers:
        first = callers.submit(lambda: running.viewer.post("api/v1/identify", files={"image": photo}))
        assert looking.wait(10)
        refused = running.viewer.post("api/v1/identify", files={"image": photo})
        go.set()
        assert first.result().status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")


def test_who_has_gone_while_waiting_keeps_no_place(
    running: Any, png: Callable[..., Any], world: Any, held: Held, until: Callable[..., Any]
) -> None:
    looking, go = held
    photo, order = png("rosa", world.RED), running.app.state.turns
    with ThreadPoolExecutor(1) as callers:
        first = callers.submit(lambda: running.viewer.post("api/v1/identify", files={"image": photo}))
        assert looking.wait(10)
        with pytest.raises(httpx.ReadTimeout):
            running.viewer.post("api/v1/identify", files={"image": photo}, timeout=0.2)
        until(lambda: order.waiting == 0, turns.PATIENCE / 2)
        go.set()
        assert first.result().status_code == 200
    assert order.refused == 0
    assert running.viewer.post("api/v1/identify", files={"image": photo}).status_code == 200


def test_the_description_says_that_busy_comes_with_a_time_to_wait(running: Any) -> None:
    described = running.admin.get("api/v1/openapi.json").json()
    problem = described["components"]["responses"]["Problem503"]
    assert "`busy`" in problem["description"]
    assert problem["headers"]["Retry-After"]["schema"]["type"] == "integer"
    posted = described["paths"]["/api/v1/identify"]["post"]["responses"]
    assert posted["503"] == {"$ref": "#/components/responses/Problem503"}
