"""What makes no sense is refused in words: files, fields, addresses. In a world of squares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.api import Recog
from tests.pipeline.service.browser.conftest import Tab, drop, picture

MB = 1 << 20


@pytest.fixture
def running(
    browser: Any, detector: Any, embedder: Any, world: Any, tmp_path: Path, serve: Callable[..., Any]
) -> Any:
    """A service that knows Rosa."""
    with Recog.open(tmp_path / "people.db") as recog:
        assert recog.enroll("Rosa", [world.picture(tmp_path / "rosa.png", world.RED)]).usable
    return serve()


def drop_bytes(page: Any, selector: str, files: dict[str, int]) -> None:
    """Drop files of zeros of these lengths, made in the browser."""
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, bytes] of Object.entries(files))
                transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
            return transfer;
        }""",
        files,
    )
    page.locator(selector).first.dispatch_event("drop", {"dataTransfer": transfer})


def test_of_photos_that_cannot_be_used_each_says_why_and_the_others_are_taken(
    running: Any, tab: Callable[..., Tab], world: Any, tmp_path: Path
) -> None:
    page = tab(running).go("#/people")
    page.get_by_role("button", name="Add somebody").click()
    page.get_by_role("combobox", name="Name").fill("Greta")
    text = tmp_path / "letter.jpg"
    text.write_text("Dear recog")
    drop(page, "dialog .drop", world.picture(tmp_path / "greta.png", world.GREEN), text)
    drop(page, "dialog .drop", world.picture(tmp_path / "wall.png"))
    drop_bytes(page, "dialog .drop", {"poster.jpg": 21 * MB})
    page.get_by_role("button", name="Enroll").click()
    page.get_by_role("heading", name="1 of 4 added").wait_for()
    told = dict(zip(("greta.png", "letter.jpg", "wall.png", "poster.jpg"), outcomes(page), strict=True))
    assert "Added" in told["greta.png"]
    assert "not a picture" in told["letter.jpg"]
    assert "no face" in told["wall.png"]
    assert "larger than 20 MB" in told["poster.jpg"]
    picture(page, "outcomes")
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Taken back").wait_for()
    assert [each["name"] for each in running.viewer.get("api/v1/people").json()["items"]] == ["Rosa"]


def outcomes(page: Any) -> list[str]:
    return list(page.locator(".outcomes li").all_inner_texts())


def test_more_photos_than_one_call_may_carry_are_sent_in_several(
    running: Any, tab: Callable[..., Tab], world: Any, tmp_path: Path
) -> None:
    page = tab(running).go("#/people")
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if "/photos" in request.url else None)
    page.locator(".person", has_text="Rosa").click()
    page.get_by_role("button", name="Add photos").click()
    drop_bytes(page, "dialog .drop", dict.fromkeys(("a.jpg", "b.jpg", "c.jpg", "d.jpg"), 15 * MB))
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("heading", name="No photo was added").wait_for()
    assert len(outcomes(page)) == 4
    assert len([each for each in calls if each.endswith("/photos")]) == 2


def test_fields_take_no_rubbish_and_say_what_they_want(running: Any, tab: Callable[..., Tab]) -> None:
    opened = tab(running)
    page = opened.go("#/live")
    page.get_by_role("button", name="Add a camera").first.click()
    page.get_by_label("Address").fill("rubbish")
    page.get_by_role("button", name="Add", exact=True).click()
    wrong = page.get_by_role("alert")
    wrong.get_by_text("This is no address; that of a camera begins with rtsp:// or http://.").wait_for()
    page.get_by_label("Address").fill("/etc/passwd")
    page.get_by_role("button", name="Add", exact=True).click()
    wrong.get_by_text("start the service with --folder").wait_for()
    page.keyboard.press("Escape")

    opened.go("#/people")
    page.locator(".person", has_text="Rosa").click()
    page.locator("summary[aria-label='What can be done with Rosa']").click()
    page.get_by_role("button", name="Rename").click()
    name, rename = page.locator("dialog input"), page.locator("dialog").get_by_role("button", name="Rename")
    name.fill("   ")
    rename.click()
    assert name.evaluate("(each) => !each.checkValidity()")
    name.fill("../Rosa")
    rename.click()
    page.locator(".toast-bad", has_text="A name cannot contain a slash").wait_for()
    assert name.input_value() == "../Rosa"  # to be put right
    page.keyboard.press("Escape")

    opened.go("#/people/%E0%A4%A")
    page.get_by_text("Nobody is enrolled here").wait_for()
    opened.go("#/events?from=rubbish&to=20000-01-01T00:00")
    page.get_by_role("heading", name="Nothing fits").wait_for()
    opened.go("#/events?state=rubbish")
    page.get_by_role("heading", name="This could not be loaded").wait_for()
    opened.go("#/rubbish")
    page.get_by_role("heading", name="Live").wait_for()
