"""Who gets in, and what a viewer may not do."""

from __future__ import annotations

from collections.abc import Callable

from tests.pipeline.service.browser.conftest import GRACE, Served, Tab


def test_without_a_key_there_is_only_the_log_in(served: Served, tab: Callable[..., Tab]) -> None:
    page = tab(served, role=None).go("#/people")
    assert page.locator("h1").inner_text() == "recog"
    assert page.locator(".nav").count() == 0
    assert page.evaluate("fetch('api/v1/people').then((answer) => answer.status)") == 401


def test_a_wrong_token_is_refused_in_words_and_the_right_one_leads_in(
    served: Served, tab: Callable[..., Tab]
) -> None:
    page = tab(served, role=None).go()
    page.get_by_label("Key or token").fill("recog_0123456789abcdef_" + "x" * 43)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("alert").wait_for()
    assert "does not fit" in page.get_by_role("alert").inner_text()
    page.get_by_label("Key or token").fill(served.tokens["viewer"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Live").wait_for()


def test_a_viewer_sees_everything_and_is_offered_no_change(served: Served, tab: Callable[..., Tab]) -> None:
    opened = tab(served, role="viewer")
    page = opened.go("#/people")
    page.locator(".person", has_text=GRACE).click()
    page.locator(".photo").first.wait_for()
    offered = ("Add photos", "Add somebody", "Set aside", "Remove this photo")
    assert [name for name in offered if page.get_by_role("button", name=name).count()] == []
    opened.go("#/live")
    page.locator(".tile").first.wait_for()
    assert page.get_by_role("button", name="Add a camera").count() == 0
    assert page.locator(".tile summary").count() == 0
    assert page.evaluate("fetch('api/v1/undo', {method: 'POST'}).then((answer) => answer.status)") == 403


def test_who_logs_out_is_out(served: Served, tab: Callable[..., Tab]) -> None:
    page = tab(served, role="viewer").go()
    page.locator("summary[aria-label=You]").click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("heading", name="recog").wait_for()
    assert page.evaluate("fetch('api/v1/me').then((answer) => answer.status)") == 401
