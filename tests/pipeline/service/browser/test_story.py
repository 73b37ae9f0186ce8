"""What somebody new does on the first evening: begin, enroll, watch, correct, undo, name strangers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.service.browser.conftest import GRACE, Served, Tab, drop, picture, wait_for_count
from tests.pipeline.service.browser.screencast import linger, screencast


@pytest.fixture(scope="module")
def empty(browser: Any, film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that knows nobody and watches nothing; the film lies where it may read."""
    started = Served(tmp_path_factory.mktemp("empty"), "--folder", str(film.parent))
    yield started
    started.close()


def test_from_nothing_to_names_and_back(
    empty: Served, tab: Callable[..., Tab], photo: Path, tmp_path: Path
) -> None:
    opened = tab(empty)
    with screencast(opened.page):
        begin(opened, photo)
        see_the_name(opened)
        say_that_it_is_not(opened)
        name_strangers(opened)
    the_gallery_remembers(empty)


def begin(opened: Tab, photo: Path) -> None:
    """An empty page leads through three steps: a person by a dropped photo, a film, what is kept."""
    page = opened.go()
    assert page.locator("h1").inner_text() == "Somebody to recognise"
    page.get_by_role("combobox", name="Name").fill(GRACE)
    drop(page, ".drop", photo)
    linger(page)
    page.get_by_role("button", name="Enroll").click()
    page.get_by_role("heading", name="Something to watch").wait_for()
    page.get_by_role("button", name="door.mp4").click()
    page.get_by_role("heading", name="What is kept").wait_for()
    page.get_by_role("button", name="Keep them for 7 days").click()
    page.get_by_role("heading", name="Live").wait_for()


def see_the_name(opened: Tab) -> None:
    """Boxes are drawn over the picture, and the name is there, on the picture and in the list beside it."""
    page = opened.page
    face = page.locator(".face[data-state=named]").first
    face.wait_for()
    assert GRACE in face.inner_text()
    assert page.locator(".here-now .here-name", has_text=GRACE).count() == 1
    box, shown = face.bounding_box(), page.locator(".picture canvas").bounding_box()
    assert shown["x"] <= box["x"] <= shown["x"] + shown["width"]
    assert (
        page.evaluate("() => { const c = document.querySelector('canvas'); return c.width / c.height; }")
        > 1.7
    )
    page.locator(".face[data-state=unknown]").first.wait_for()
    picture(page, "page-live")
    page.get_by_text("It has ended").wait_for()


def say_that_it_is_not(opened: Tab) -> None:
    """ "This is not Grace Hopper" changes the event, says what else it changed, and is taken back whole."""
    page = opened.page
    before = verdicts(page)
    page.locator(".nav").get_by_role("link", name="Events").click()
    page.locator(".event[data-state=named]").first.click()
    page.locator(".candidate", has_text=GRACE).wait_for()
    picture(page, "page-card")
    linger(page)
    page.get_by_role("button", name=f"This is not {GRACE}").click()
    outcome = page.locator(".outcome")
    outcome.wait_for()
    assert f"This is not {GRACE}." in outcome.inner_text()
    assert f"This event: {GRACE} → " in outcome.inner_text()
    assert verdicts(page) != before
    page.locator(".card-sentence", has_text="Nobody enrolled").or_(
        page.locator(".card-sentence", has_text="Not decided")
    ).wait_for()  # and the reasons are those of now
    linger(page)
    outcome.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name=f"This is not {GRACE}").wait_for()
    assert verdicts(page) == before
    page.locator(".card-sentence", has_text=f"{GRACE}: ").wait_for()
    linger(page)
    page.locator(".candidate").get_by_role("link", name=GRACE).click()
    page.get_by_role("heading", name="1 photo").wait_for()  # with no card before it
    assert page.locator("dialog[open]").count() == 0


def name_strangers(opened: Tab) -> None:
    """A group of unknown faces is named in one go, and that is taken back without a question."""
    page = opened.page
    page.locator(".nav").get_by_role("link", name="Review").click()
    cluster = page.locator(".cluster").first
    cluster.wait_for()
    groups = page.locator(".cluster").count()
    picture(page, "page-review")
    linger(page)
    cluster.get_by_role("combobox").fill("Somebody Else")
    cluster.get_by_role("button", name="Name", exact=True).click()
    page.locator(".toast", has_text="Somebody Else").wait_for()
    wait_for_count(page.locator(".cluster"), groups - 1)
    assert "Somebody Else" in names(page)
    linger(page)
    page.locator(".toast").get_by_role("button", name="Undo").first.click()
    wait_for_count(page.locator(".cluster"), groups)
    assert "Somebody Else" not in names(page)
    linger(page)


def the_gallery_remembers(empty: Served) -> None:
    """All of it stands in the gallery's log."""
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "gallery", "log"]
    done = subprocess.run(
        [*command, "--gallery", str(empty.gallery)], capture_output=True, text=True, check=True
    )
    assert f"enrolled 1 photo of {GRACE}" in done.stdout
    assert f"said that somebody is not {GRACE}" in done.stdout


def verdicts(page: Any) -> list[tuple[str, str, str | None]]:
    """Of all events, as the service has them."""
    items = page.evaluate("async () => (await (await fetch('api/v1/events?limit=200')).json()).items")
    return sorted((each["id"], each["state"], each["name"]) for each in items)


def names(page: Any) -> list[str]:
    """Who is enrolled."""
    items = page.evaluate("async () => (await (await fetch('api/v1/people')).json()).items")
    return [each["name"] for each in items]
