"""Every view: on a phone, by keyboard alone, for people who see little, dark and light, without jumps."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.pipeline.service.browser.conftest import (
    DESKTOP,
    GRACE,
    PHONE,
    Served,
    Tab,
    picture,
    wait_for_count,
)

VIEWS = {
    "live": ".tile",
    "events": ".event",
    "people": ".person",
    "review": ".view-head",
    "trust": ".view-head",
    "settings": ".panel select",
    "start": ".drop",
}
JUMPS = 0.1  # cumulative layout shift: what browsers call good


@pytest.fixture(scope="module")
def seen(served: Served, browser: Any) -> Served:
    """The service when it has seen the film to its end."""
    context = browser.new_context()
    context.request.post(
        f"{served.url}api/v1/login",
        data={"token": served.tokens["viewer"]},
        headers={"origin": served.url.rstrip("/")},
    )
    page = context.new_page()
    page.goto(f"{served.url}#/live")
    page.get_by_text("It has ended").wait_for(timeout=180_000)
    context.close()
    return served


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_fits_a_phone(seen: Served, tab: Callable[..., Tab], view: str) -> None:
    page = tab(seen, viewport=PHONE, is_mobile=True, has_touch=True, device_scale_factor=2).go(f"#/{view}")
    page.locator(VIEWS[view]).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, summary")]
            .filter((each) => each.checkVisibility() && !each.closest("p, .visually-hidden, .skip"))
            .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
            .filter(([, box]) => box.width > 1 && (box.width < 24 || box.height < 24))
            .map(([text]) => text)"""
    )
    assert small == []  # WCAG 2.2, 2.5.8: what is tapped is at least 24 pixels wide and high
    picture(page, f"{view}-phone")


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_in_a_view(seen: Served, tab: Callable[..., Tab], view: str) -> None:
    page = tab(seen, color_scheme="light", reduced_motion="reduce").go(f"#/{view}")
    page.locator(VIEWS[view]).first.wait_for()
    axe_finds_nothing(page, view)


def test_axe_finds_nothing_in_the_card_of_an_event(seen: Served, tab: Callable[..., Tab]) -> None:
    page = tab(seen, color_scheme="light", reduced_motion="reduce").go("#/events")
    page.locator(".event[data-state=named]").first.click()
    page.locator(".candidate").first.wait_for()
    axe_finds_nothing(page, "card")


def axe_finds_nothing(page: Any, name: str) -> None:
    """In light, and in dark, where only the colours are others."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing"
    )
    for scheme, rules in (
        ("light", ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]),
        ("dark", ["color-contrast"]),
    ):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_timeout(300)
        found = axe.Axe().run(page, options={"runOnly": rules})
        assert found.response["passes"]
        assert violations(found) == []
        picture(page, f"{name}-{scheme}")


def violations(found: Any) -> list[str]:
    return [
        f"{each['id']}: {each['help']}: {json.dumps([node['html'][:120] for node in each['nodes'][:3]])}"
        for each in found.response["violations"]
    ]


def test_the_keyboard_alone_reaches_an_event_and_comes_back(seen: Served, tab: Callable[..., Tab]) -> None:
    page = tab(seen).go("#/live")
    page.locator(".tile").first.wait_for()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reach(page, "Events", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.locator(".event").first.wait_for()
    assert page.evaluate("document.activeElement.tagName") == "H1"
    reach(page, GRACE)
    row = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.locator("dialog[open] .candidate").first.wait_for()
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    reach(page, f"This is not {GRACE}")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.textContent") == row


def test_arrows_choose_a_name_that_is_known(seen: Served, tab: Callable[..., Tab]) -> None:
    page = tab(seen).go("#/review")
    field = page.locator(".cluster").first.get_by_role("combobox")
    field.click()
    field.press("ArrowDown")
    assert field.get_attribute("aria-expanded") == "true"
    chosen = page.locator(f"#{field.get_attribute('aria-activedescendant')}")
    assert chosen.get_attribute("aria-selected") == "true"
    assert chosen.inner_text() == GRACE
    field.press("Escape")
    assert field.get_attribute("aria-expanded") == "false"


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("view", ["live", "events", "people", "review", "trust"])
def test_nothing_jumps_while_a_view_loads(
    seen: Served, tab: Callable[..., Tab], view: str, viewport: dict[str, int]
) -> None:
    opened = tab(seen, viewport=viewport)
    opened.page.add_init_script(
        """window.jumps = 0;
        new PerformanceObserver((list) => {
            for (const each of list.getEntries()) if (!each.hadRecentInput) window.jumps += each.value;
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    page = opened.go(f"#/{view}")
    page.locator(VIEWS[view]).first.wait_for()
    page.wait_for_timeout(1000)
    assert page.evaluate("window.jumps") < JUMPS


def test_filters_stay_in_the_address(seen: Served, tab: Callable[..., Tab]) -> None:
    opened = tab(seen)
    page = opened.go("#/events")
    page.locator(".event").first.wait_for()
    page.get_by_role("button", name="Named", exact=True).click()
    wait_for_count(page.locator(".event:not([data-state=named])"), 0)
    assert "state=named" in page.url
    page.reload()
    page.locator(".event").first.wait_for()
    assert page.locator(".event:not([data-state=named])").count() == 0
    assert page.get_by_role("button", name="Named", exact=True).get_attribute("aria-pressed") == "true"


def test_one_camera_is_large_on_a_tap_and_escape_leads_back(seen: Served, tab: Callable[..., Tab]) -> None:
    page = tab(seen).go("#/live")
    page.locator(".enlarge").click(position={"x": 8, "y": 8}, force=True)
    page.locator(".tile-large").wait_for()
    page.keyboard.press("Escape")
    page.locator(".grid .tile").wait_for()


def focused(page: Any) -> str:
    """What is said on what has the focus; a list of choices says all of them, which is no use here."""
    words = page.evaluate(
        """() => {
            const { tagName, textContent, ariaLabel } = document.activeElement;
            return tagName === "SELECT" ? "" : textContent || ariaLabel || "";
        }"""
    )
    return str(words).strip()


def reach(page: Any, words: str, key: str = "Tab", most: int = 40) -> None:
    """Press a key until the focus is on something with these words."""
    for _ in range(most):
        page.keyboard.press(key)
        if words in focused(page):
            return
    raise AssertionError(f"{words} cannot be reached with {key}")
