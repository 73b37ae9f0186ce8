"""The window of a live view. It belongs to the main thread."""

from __future__ import annotations

import os
import re
import socket
import sys
from types import TracebackType
from typing import Self

import cv2

from pipeline.types import Image

_SHOWN_AT_MOST = (1280, 800)  # pixels; larger frames are scaled by the window, which can be dragged larger


def can_show() -> bool:
    """Whether a window can be opened: OpenCV has a user interface and there is a display that answers.

    To be asked before any other function of a window: without a display, Qt does not raise, it ends the
    process.
    """
    if re.search(r"GUI:\s+NONE", cv2.getBuildInformation()):
        return False  # opencv-python-headless
    if sys.platform in ("darwin", "win32"):
        return True
    display = os.environ.get("DISPLAY", "")
    if display:
        return _x_answers(display)
    # The wheels of opencv-python bring Qt with X support only; a system's OpenCV may know Wayland.
    bundled = os.path.isdir(os.path.join(os.path.dirname(cv2.__file__), "qt"))
    return bool(os.environ.get("WAYLAND_DISPLAY")) and not bundled


class Window:
    """Shows frames and tells which keys were pressed. Does nothing where no window can be shown.

        with Window() as window:
            for result in results:
                key = window.show(image)
                if window.closed:
                    break

    Attributes:
        closed: the user has pressed `q` or Escape, or closed the window.
    """

    def __init__(self, title: str = "recog", *, enabled: bool = True) -> None:
        self._title = title
        self._enabled = enabled and can_show()
        self._open = False
        self.closed = False

    def show(self, image: Image) -> str | None:
        """Show a frame, `(height, width, 3)` uint8 BGR; return the key pressed since the last, if any."""
        if not self._enabled or self.closed:
            return None
        if not self._open:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            height, width = image.shape[:2]
            scale = min(1.0, _SHOWN_AT_MOST[0] / width, _SHOWN_AT_MOST[1] / height)
            cv2.resizeWindow(self._title, max(1, round(scale * width)), max(1, round(scale * height)))
            self._open = True
        cv2.imshow(self._title, image)
        code = cv2.waitKey(1)  # draws, and takes the window's events
        key = chr(code & 0xFF) if code >= 0 else None
        gone = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        self.closed = gone or key in ("q", "\x1b")
        return key

    def close(self) -> None:
        """Close the window. May be called again."""
        if self._open:
            cv2.destroyAllWindows()  # destroyWindow would raise if the user has closed it
            cv2.waitKey(1)
            self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _x_answers(display: str) -> bool:
    """Whether an X server takes connections at `display` (`:0`, `host:10.0`)."""
    found = re.fullmatch(r"(?:[a-z]+/)?(.*?):(\d+)(?:\.\d+)?", display)
    if found is None:
        return os.path.exists(display)  # macOS's XQuartz gives the path of a socket
    host, number = found[1], int(found[2])
    try:
        if host in ("", "unix"):
            path = f"/tmp/.X11-unix/X{number}"  # noqa: S108 (where X servers put it)
            return _connects("\0" + path) or _connects(path)  # Linux has the name without a file as well
        with socket.create_connection((host, 6000 + number), timeout=2):
            return True
    except OSError:
        return False


def _connects(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(name)
        except OSError:
            return False
        return True
