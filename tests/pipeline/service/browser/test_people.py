"""People: photos by drop and by camera, what is refused, rename, set aside, and undo without a question."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.outputs.demo_film import photographs
from tests.pipeline.service.browser.conftest import GRACE, PATIENCE, Served, Tab, drop, paste


@pytest.fixture
def mona(tmp_path: Path) -> Path:
    """A photograph of somebody who is not enrolled."""
    path = tmp_path / "mona.jpg"
    cv2.imwrite(str(path), photographs().strangers[0])
    return path


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    """A photograph of nobody."""
    path = tmp_path / "wall.jpg"
    cv2.imwrite(str(path), np.full((300, 300, 3), 128, np.uint8))
    return path


def test_a_photo_dropped_on_the_page_enrolls_and_undo_takes_it_back(
    served: Served, tab: Callable[..., Tab], mona: Path
) -> None:
    page = tab(served).go("#/people")
    page.locator(".person", has_text=GRACE).wait_for()
    drop(page, ".drop-page", mona)
    page.get_by_role("combobox", name="Name").fill("Lisa")
    page.get_by_role("button", name="Enroll").click()
    page.get_by_role("heading", name="Lisa").wait_for()
    page.locator(".photo").first.wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Nobody is enrolled here").wait_for()
    assert [each["name"] for each in served.api.get("/people").json()["items"]] == [GRACE]


def test_a_photo_is_pasted_on_the_list_alone_even_after_another_try(
    served: Served, tab: Callable[..., Tab], mona: Path
) -> None:
    page = tab(served).page
    page.route("**/api/v1/people?*", lambda route: route.abort())
    page.goto(f"{served.url}#/people")
    page.get_by_role("button", name="Try again").wait_for()
    page.unroute("**/api/v1/people?*")
    page.get_by_role("button", name="Try again").click()
    page.locator(".person", has_text=GRACE).wait_for()
    paste(page, mona)
    page.locator("dialog[open]").wait_for()
    page.keyboard.press("Escape")
    page.locator(".nav").get_by_role("link", name="Events").click()
    page.get_by_role("heading", name="Events").wait_for()
    paste(page, mona)
    assert page.locator("dialog[open]").count() == 0


def test_each_photo_that_is_refused_says_why(served: Served, tab: Callable[..., Tab], wall: Path) -> None:
    page = tab(served).go("#/people")
    page.locator(".person").first.wait_for()
    drop(page, f".person:has-text('{GRACE}')", wall)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("heading", name="No photo was added").wait_for()
    assert "wall.jpg" in page.locator(".outcomes").inner_text()
    assert "no face" in page.locator(".outcomes").inner_text()


def test_a_name_is_changed_and_control_z_changes_it_back(served: Served, tab: Callable[..., Tab]) -> None:
    page = tab(served).go("#/people")
    page.locator(".person", has_text=GRACE).click()
    page.locator(f"summary[aria-label='What can be done with {GRACE}']").click()
    page.get_by_role("button", name="Rename").click()
    page.locator("dialog input").fill("Amazing Grace")
    page.locator("dialog").get_by_role("button", name="Rename").click()
    page.locator(".toast", has_text=f"{GRACE} is Amazing Grace now").wait_for()
    page.locator("dialog").wait_for(state="detached")
    page.get_by_role("heading", name="Amazing Grace").wait_for()
    page.keyboard.press("Control+z")
    page.get_by_role("heading", name=GRACE).wait_for()


def test_a_change_can_be_taken_back_while_the_list_cannot_be_had(
    served: Served, tab: Callable[..., Tab]
) -> None:
    page = tab(served).go("#/people")
    page.locator(".person", has_text=GRACE).click()
    page.get_by_role("button", name="Set aside").wait_for()
    page.route("**/api/v1/people?*", lambda route: route.abort())
    page.get_by_role("button", name="Set aside").click()
    page.locator(".toast", has_text="The photo is set aside").get_by_role("button", name="Undo").click()
    page.locator(".toast", has_text="Taken back").wait_for()
    who = served.api.get("/people").json()["items"][0]["id"]
    assert [each["aside"] for each in served.api.get(f"/people/{who}").json()["photos"]] == [False]


def test_who_was_enrolled_is_shown_while_the_list_cannot_be_had(
    served: Served, tab: Callable[..., Tab], mona: Path
) -> None:
    page = tab(served).go("#/people")
    page.locator(".person", has_text=GRACE).wait_for()
    page.route("**/api/v1/people?*", lambda route: route.abort())
    drop(page, ".drop-page", mona)
    page.get_by_role("combobox", name="Name").fill("Lisa")
    page.get_by_role("button", name="Enroll").click()
    page.get_by_role("heading", name="Lisa").wait_for()
    page.locator(".toast", has_text="Lisa: 1 photo added").get_by_role("button", name="Undo").click()
    page.locator(".toast", has_text="Taken back").wait_for()
    assert [each["name"] for each in served.api.get("/people").json()["items"]] == [GRACE]


def test_an_answer_that_comes_late_does_not_bring_an_old_name_back(
    served: Served, tab: Callable[..., Tab]
) -> None:
    page = tab(served).go("#/people")
    page.locator(".person", has_text=GRACE).wait_for()
    person = served.api.get("/people").json()["items"][0]
    late: list[tuple[Any, Any]] = []

    def first_is_held(route: Any) -> None:
        answer = route.fetch()
        if late:
            route.fulfill(response=answer)
        else:
            late.append((route, answer))

    def rename(version: int, name: str) -> Any:
        headers = {"if-match": f'"{version}"'}
        return served.api.patch(f"/people/{person['id']}", json={"name": name}, headers=headers).json()

    page.route("**/api/v1/people?*", first_is_held)
    with page.expect_request("**/api/v1/people?*"):
        once = rename(person["version"], "Grace")
    while not late:
        page.wait_for_timeout(20)
    twice = rename(once["version"], "Amazing Grace")
    page.locator(".person", has_text="Amazing Grace").wait_for()
    route, answer = late[0]
    with page.expect_request_finished(lambda request: request == route.request):
        route.fulfill(response=answer)
    page.wait_for_timeout(100)
    assert "Amazing Grace" in page.locator(".person").inner_text()
    for change in (twice["change"], once["change"]):
        served.api.post("/undo", json={"change": change}).raise_for_status()


def test_what_was_changed_elsewhere_meanwhile_is_not_written_over_and_that_is_said(
    served: Served, tab: Callable[..., Tab]
) -> None:
    """A tab that was left open shows an old version, and is refused."""
    opened = tab(served)
    page = opened.go("#/people")
    page.locator(".person", has_text=GRACE).click()
    page.locator(f"summary[aria-label='What can be done with {GRACE}']").click()
    page.get_by_role("button", name="Rename").click()
    person = served.api.get("/people").json()["items"][0]
    where, version = f"/people/{person['id']}", {"if-match": f'"{person["version"]}"'}
    changed = served.api.patch(where, json={"name": "Grace"}, headers=version).json()
    page.locator("dialog input").fill("Admiral")
    page.locator("dialog").get_by_role("button", name="Rename").click()
    page.locator(
        ".toast-bad", has_text="This was changed elsewhere meanwhile, so nothing was done"
    ).wait_for()
    assert served.api.get(where).json()["name"] == "Grace"
    page.get_by_role("heading", name="Grace", exact=True).wait_for()  # as it is now, with no dialog before it
    assert page.locator("dialog[open]").count() == 0
    served.api.post("/undo", json={"change": changed["change"]}).raise_for_status()


def test_a_photo_is_set_aside_and_brought_back(served: Served, tab: Callable[..., Tab]) -> None:
    page = tab(served).go("#/people")
    page.locator(".person", has_text=GRACE).click()
    page.get_by_role("button", name="Set aside").first.click()
    page.get_by_text("Without a photo nobody can be recognised").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name="1 photo").wait_for()


def test_the_browsers_camera_takes_a_pose_that_is_held(
    served: Served, tab: Callable[..., Tab], browser: Any, chromium: str, photo: Path, tmp_path: Path
) -> None:
    """A camera that shows a still face: looking straight ahead is done, and that is enough for somebody."""
    film = tmp_path / "camera.mjpeg"
    still = cv2.resize(cv2.imread(str(photo)), (480, 480))
    wide = cv2.copyMakeBorder(still, 0, 0, 80, 80, cv2.BORDER_REPLICATE)
    film.write_bytes(b"".join(cv2.imencode(".jpg", wide)[1].tobytes() for _ in range(20)))
    arguments = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with_camera = browser.browser_type.launch(
        executable_path=chromium,
        args=["--disable-gpu", *arguments, f"--use-file-for-fake-video-capture={film}"],
    )
    try:
        context = with_camera.new_context()
        context.request.post(
            f"{served.url}api/v1/login",
            data={"token": served.tokens["admin"]},
            headers={"origin": served.url.rstrip("/")},
        )
        opened = Tab(context, served.url)
        page = opened.go("#/people")
        page.locator(".person", has_text=GRACE).click()
        page.get_by_role("button", name="Add photos").click()
        page.get_by_role("button", name="Use this device's camera").click()
        page.locator(".guide-steps li[data-done=true]").first.wait_for(timeout=PATIENCE)
        assert "to your left" in page.locator(".guide-words").inner_text()
        page.get_by_role("button", name="That is enough").click()
        page.locator(".chosen img").wait_for()
        assert opened.wrong == []
    finally:
        with_camera.close()
