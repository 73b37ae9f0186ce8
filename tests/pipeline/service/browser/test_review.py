"""Strangers of the review calibrate, people are made one, a picture is searched: in a world of squares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import build
from pipeline.api import Recog
from siamese.cohort import Cohort
from tests.pipeline.service.browser.conftest import Tab, drop, picture


@pytest.fixture
def watch(
    browser: Any, serve: Callable[..., Any], until: Callable[..., Any], world: Any, tmp_path: Path
) -> Callable[..., Any]:
    """Starts a service that knows people by name and colour, and has watched a film of red and green."""

    def start(**people: Any) -> Any:
        with Recog.open(tmp_path / "people.db") as recog:
            for number, (name, colour) in enumerate(people.items()):
                photo = world.picture(tmp_path / f"{name}.png", colour, side=80 + 10 * number)
                assert recog.enroll(name, [photo], force=True).usable  # even as somebody's double
        running = serve(sources=(str(world.film(tmp_path / "film.avi", world.RED, world.GREEN, count=30)),))

        def over() -> bool:
            events = running.viewer.get("api/v1/events").json()["items"]
            return len(events) == 2 and not any(each["present"] for each in events)

        until(over)
        return running

    return start


def test_strangers_of_the_review_are_calibrated_by_with_a_button(
    watch: Callable[..., Any], tab: Callable[..., Tab], world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = np.random.default_rng(0).normal(size=(800, 8)).astype(np.float32) * 30
    near = 10 * np.eye(8, dtype=np.float32)[[1, 1]] + 0.5  # what is blue
    kinds = np.array(["snapshots"] * 800 + ["portraits"] * 2)
    shipped = Cohort(np.concatenate([far, near]), np.arange(802), kinds, "", "", "made up")
    monkeypatch.setattr(build, "cohort", lambda settings, embedder: shipped)
    opened = tab(watch(Bruno=world.BLUE))
    page = opened.go("#/review")
    for number in range(2):
        page.locator(".cluster-box").nth(number).check()
    page.get_by_text("2 groups, 2 sightings").wait_for()
    picture(page, "selection")
    page.get_by_role("button", name="Strangers to calibrate by").click()
    page.locator(".toast", has_text="2 groups of strangers for the calibration").wait_for()
    opened.go("#/trust")
    own = page.locator(".facts div", has_text="Strangers of your own")
    own.get_by_text("2", exact=True).wait_for()
    assert "calibrate to have that tried" in page.locator(".promise").inner_text()
    page.get_by_label("Allow at most").select_option("0.01")
    page.get_by_role("button", name="Calibrate").click()
    page.locator(".promise[data-state=calibrated]").wait_for()
    assert "At most 1% of strangers are given a name" in page.locator(".promise").inner_text()
    assert page.locator(".facts div", has_text="Strangers tried").locator("dd").inner_text() == "804"
    assert page.locator(".facts div", has_text="Of portraits named").locator("dd").inner_text() == "2 of 2"
    doubt = "Of strangers like portraits more than 1% would be named (95% sure)."
    assert page.locator(".doubts").inner_text() == f"{doubt} If yours are like them, allow fewer."
    picture(page, "calibrated")


def test_two_people_are_made_one_after_a_look_at_what_changes_and_undo_parts_them(
    watch: Callable[..., Any], tab: Callable[..., Tab], world: Any
) -> None:
    page = tab(watch(Rosa=world.RED, Greta=world.RED)).go("#/people")  # enrolled twice, so neither is named
    page.locator(".person", has_text="Greta").click()
    page.locator("summary[aria-label='What can be done with Greta']").click()
    page.get_by_role("button", name="Merge with somebody").click()
    page.get_by_role("combobox", name="Merge with").fill("ros")
    page.get_by_role("option", name="Rosa").click()
    page.get_by_text("1 photo will be Rosa's.").wait_for()
    assert page.locator(".changes li").all_inner_texts() == ["not sure yet → Rosa"]
    picture(page, "merge")
    page.get_by_role("button", name="Merge into Rosa").click()
    page.get_by_role("heading", name="Rosa").wait_for()
    page.get_by_role("heading", name="2 photos").wait_for()
    page.locator(".toast", has_text="Greta and Rosa are one now").get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name="1 photo").wait_for()
    page.locator("a[aria-label=Everybody]").click()
    page.locator(".person", has_text="Greta").wait_for()


def test_a_picture_is_searched_for_in_what_was_seen(
    watch: Callable[..., Any], tab: Callable[..., Tab], world: Any, tmp_path: Path
) -> None:
    page = tab(watch(), role="viewer").go("#/events")
    page.locator(".event").first.wait_for()
    page.get_by_role("button", name="Search by a picture").click()
    drop(page, "dialog .drop", world.picture(tmp_path / "blue.png", world.BLUE))
    page.get_by_role("heading", name="Not as far as can be told, among 2 visits.").wait_for()
    drop(page, "dialog .drop", world.picture(tmp_path / "red.png", world.RED))
    page.get_by_role("heading", name="Yes: seen here before").wait_for()
    picture(page, "search")
    page.locator(".found button").first.click()
    page.get_by_role("heading", name="Who was seen").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 1  # the search is still there


def test_the_first_start_can_be_left_out_step_by_step(
    browser: Any, serve: Callable[..., Any], tab: Callable[..., Tab]
) -> None:
    running = serve()
    opened = tab(running)
    page = opened.go()
    for title in ("Somebody to recognise", "Something to watch"):
        page.get_by_role("heading", name=title).wait_for()
        page.get_by_role("button", name="Later").click()
    page.get_by_role("button", name="Keep none").click()
    page.get_by_role("heading", name="No camera yet").wait_for()
    opened.go("#/review")
    page.get_by_role("heading", name="Nothing is kept for review").wait_for()
    assert running.viewer.get("api/v1/settings").json()["review_days"] == 0
