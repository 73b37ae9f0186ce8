"""A window shows frames and takes keys where there is a screen, and is nothing where there is none."""

import sys
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

import pipeline.outputs.window
from pipeline.outputs.window import Window, can_show


def grey(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def test_without_a_display_nothing_of_a_window_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for name in ("namedWindow", "imshow", "waitKey", "destroyAllWindows", "getWindowProperty"):
        monkeypatch.setattr(cv2, name, lambda *arguments: pytest.fail("a window function was called"))
    assert not can_show()
    with Window() as window:
        assert window.show(grey(1)) is None
        assert not window.closed


@pytest.mark.parametrize("display", [":987", "127.0.0.1:987", "unix:987", "nonsense", "/no/such/socket"])
def test_a_display_that_does_not_answer_is_none(monkeypatch: pytest.MonkeyPatch, display: str) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    assert not can_show()


class FakeScreen:
    """Stands for OpenCV's window functions: keys to be pressed, and whether the window is still there."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, keys: Sequence[int] = (), visible: float = 1.0
    ) -> None:
        self.shown = 0
        self.size: tuple[int, int] | None = None
        self.destroyed = False
        self._keys = iter(keys)
        monkeypatch.setattr(pipeline.outputs.window, "can_show", lambda: True)
        monkeypatch.setattr(cv2, "namedWindow", lambda *arguments: None)
        monkeypatch.setattr(cv2, "resizeWindow", lambda name, *size: setattr(self, "size", size))
        monkeypatch.setattr(cv2, "imshow", lambda *arguments: setattr(self, "shown", self.shown + 1))
        monkeypatch.setattr(cv2, "waitKey", lambda delay: next(self._keys, -1))
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *arguments: visible)
        monkeypatch.setattr(cv2, "destroyAllWindows", lambda: setattr(self, "destroyed", True))


def test_a_window_returns_keys_and_is_closed_by_q_or_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    for closing in (ord("q"), 27):
        screen = FakeScreen(monkeypatch, [-1, ord("n"), closing])
        with Window() as window:
            assert window.show(grey(1)) is None
            assert window.show(grey(1)) == "n"
            assert not window.closed
            window.show(grey(1))
            assert window.closed
            window.show(grey(1))
        assert screen.shown == 3
        assert screen.destroyed


def test_a_window_closed_by_its_button_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeScreen(monkeypatch, visible=0.0)
    with Window() as window:
        window.show(grey(1))
        assert window.closed


def test_a_window_is_no_larger_than_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeScreen(monkeypatch)
    with Window() as window:
        window.show(np.zeros((2160, 3840, 3), np.uint8))
    assert screen.size == (1280, 720)


def test_a_window_that_is_not_wanted_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeScreen(monkeypatch)
    with Window(enabled=False) as window:
        window.show(grey(1))
    assert screen.shown == 0
