"""What an open page tells of a log-in that ends, a service that goes and a camera that is lost.

The service's models are those of the world of squares: what is seen is not what these tests are of.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.api import Recog
from pipeline.service import viewer
from tests.pipeline.ports import free_port
from tests.pipeline.service.browser.conftest import Tab, picture


@pytest.fixture
def rosa(browser: Any, detector: Any, embedder: Any, world: Any, tmp_path: Path) -> None:
    """Somebody who is enrolled in the service's gallery."""
    with Recog.open(tmp_path / "people.db") as recog:
        assert recog.enroll("Rosa", [world.picture(tmp_path / "rosa.png", world.RED)]).usable


@pytest.mark.usefixtures("rosa")
def test_a_log_in_that_is_revoked_takes_names_and_dialogs_from_the_screen(
    serve: Callable[..., Any],
    tab: Callable[..., Tab],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(viewer, "CHECKED", 0.1)  # seconds between two looks whether a page may still watch
    running = serve()
    page = tab(running).go("#/people")
    page.locator(".person", has_text="Rosa").click()
    page.get_by_role("button", name="Add photos").click()
    page.get_by_role("heading", name="Photos of Rosa").wait_for()
    mine = next(each for each in running.access.tokens() if each.name.startswith("the admin"))
    assert running.access.revoke_token(mine.id)
    page.get_by_text("Your log-in has ended, or was revoked").wait_for()
    assert page.locator("dialog").count() == 0
    assert "Rosa" not in page.locator("body").inner_text()
    picture(page, "log-in-ended")
    page.get_by_label("Key or token").fill(running.tokens["viewer"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Rosa").wait_for()  # where one was


@pytest.mark.usefixtures("rosa")
def test_a_log_in_that_has_run_out_is_asked_for_once_at_the_next_call(
    serve: Callable[..., Any], tab: Callable[..., Tab]
) -> None:
    running = serve()
    page = tab(running, role="viewer").go("#/people")
    page.locator(".person", has_text="Rosa").wait_for()
    with running.service.store.writing() as db:
        db.execute("UPDATE sessions SET ends = '2020-01-01T00:00:00.000Z'")
    page.locator(".nav").get_by_role("link", name="Trust").click()  # two calls, each of them refused
    page.get_by_label("Key or token").fill("half typ")
    page.wait_for_timeout(300)
    assert page.get_by_label("Key or token").input_value() == "half typ"
    assert page.locator(".nav").count() == 0


@pytest.mark.usefixtures("rosa")
def test_a_service_that_ends_is_told_and_the_page_goes_on_by_itself_when_it_is_back(
    serve: Callable[..., Any],
    tab: Callable[..., Tab],
    world: Any,
    tmp_path: Path,
) -> None:
    port = free_port()
    running = serve(port=port)
    opened = tab(running)
    opened.go("#/trust")
    page = opened.go("#/people")
    page.locator(".person", has_text="Rosa").wait_for()
    running.end()
    lost = page.get_by_text("The connection is lost. Trying again by itself.")
    lost.wait_for()
    page.locator(".nav").get_by_role("link", name="Trust").click()
    page.get_by_text("The service did not answer. Is it running?").wait_for()
    picture(page, "offline")
    page.locator(".nav").get_by_role("link", name="People").click()
    with Recog.open(tmp_path / "people.db") as recog:  # by the command line, say
        recog.enroll("Greta", [world.picture(tmp_path / "greta.png", world.GREEN)])
    again = serve(port=port)
    page.locator(".person", has_text="Greta").wait_for()
    assert not lost.is_visible()
    again.end()
    page.locator(".nav").get_by_role("link", name="Events").click()  # which was never loaded
    page.get_by_text("A part of this page could not be loaded").wait_for()
    serve(port=port)
    page.get_by_role("heading", name="Nothing was seen yet").wait_for()


def test_a_lost_camera_says_since_when_and_what_is_done_about_it(
    browser: Any, serve: Callable[..., Any], tab: Callable[..., Tab]
) -> None:
    with socket.socket() as nobody:  # bound, but nobody listens
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        running = serve(hosts=frozenset({f"127.0.0.1:{port}"}))
        wanted = {"url": f"http://ann:s3cret@127.0.0.1:{port}/live", "name": "The door"}
        running.admin.post("api/v1/sources", json=wanted).raise_for_status()
        page = tab(running).go("#/live")
        page.locator(".veil", has_text="again in").wait_for()
        words = page.locator(".veil").inner_text()
        assert re.search(r"Lost since \d\d?:\d\d, for less than a minute", words)
        assert re.search(r"Cannot be reached; tried (once|\d+ times), again in ", words)
        assert "s3cret" not in page.content()
        picture(page, "lost")
        page.locator("summary[aria-label='What can be done with The door']").click()
        page.get_by_role("button", name="Pause").click()
        page.locator(".veil", has_text="Nothing is looked at").wait_for()
