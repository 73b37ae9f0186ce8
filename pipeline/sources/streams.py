"""Network streams: opened with timeouts, and again when lost or standing still; secrets are not shown."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import cv2
import numpy as np

from pipeline.config import StreamSettings
from pipeline.errors import SourceError
from pipeline.sources.video import Video
from pipeline.types import Image

NETWORK_SCHEMES = frozenset({"http", "https", "rtmp", "rtsp", "rtsps", "udp"})
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 8.0  # seconds before an attempt to get a stream back; doubled each time
_EVERY = 16  # rows of a picture between two that are compared


class Stream(Video):
    """Frames from an address.

    A stream that gives no frame for `settings.timeout` seconds, or the very same picture for
    `settings.frozen` seconds, is opened again: after 1, 2, 4, 8, 8, ... seconds, for `settings.patience`
    seconds in all. One that comes back with that picture is left alone until it changes: it shows a still.
    """

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], cv2.VideoCapture],
        failure: str,
        settings: StreamSettings,
        report: Callable[[str], None],
        *,
        always_live: bool = True,
    ) -> None:
        """Open the stream and read its first frame; SourceError with the text `failure` if there is none."""
        self._settings, self._report = settings, report
        self._sample: Image | None = None  # of the latest picture, when it last changed
        self._changed = time.monotonic()
        self._is_still = False  # opened again, and still the same
        super().__init__(name, open_capture, failure, always_live=always_live)

    def _grab(self) -> Image | None:
        image = super()._grab()
        return image if image is None or not self._stands_still(image) else None

    def _stands_still(self, image: Image) -> bool:
        """Whether the picture has not changed for too long, told once."""
        now = time.monotonic()
        sample = image[::_EVERY]
        if self._sample is None or not np.array_equal(sample, self._sample):
            self._sample, self._changed, self._is_still = sample.copy(), now, False
        elif self.live and not self._is_still and now - self._changed > self._settings.frozen:
            self._is_still = True
            self._report(f"{self.name} has shown the same picture for {self._settings.frozen:g} s")
            return True
        return False

    def _recover(self, frames: int) -> Image | None:
        """Try to get a lost stream back."""
        lost, pause = time.monotonic(), FIRST_PAUSE
        while time.monotonic() - lost + pause <= self._settings.patience:
            self._report(f"{self.name} was lost after {frames} frames; trying again in {pause:.0f} s")
            if self._closed.wait(pause):
                return None
            with self._reading:
                self._capture.release()
                self._capture = self._open_capture()
            if (image := self._grab()) is not None:
                self._report(f"{self.name} is back")
                return image
            pause = min(2 * pause, LONGEST_PAUSE)
        return super()._recover(frames)


def shown_address(url: str) -> str:
    """`url` without what may be secret: `rtsp://***@host/path?***`."""
    scheme, _, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    if re.search("[/?#]", login):  # is it the password that has these, or the path an @? Hide both.
        return f"{scheme}://***"
    place, question, _ = place.partition("?")
    return f"{scheme}://{'***@' if at else ''}{place}{'?***' if question else ''}"


def open_stream(url: str, scheme: str, settings: StreamSettings, report: Callable[[str], None]) -> Stream:
    """Open an address.

    Args:
        scheme: that of `url`, in lower case.
        report: called with one line whenever something is amiss, and when it is well again.

    Raises:
        SourceError: nothing can be read there. The text holds no secret.
    """
    name = shown_address(url)
    if scheme not in NETWORK_SCHEMES:
        known = ", ".join(f"{each}://" for each in sorted(NETWORK_SCHEMES))
        raise SourceError(f"{name}: {scheme}:// is not an address that can be opened here ({known})")
    milliseconds = int(settings.timeout * 1000)
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
    return Stream(
        name,
        lambda: cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts),
        f"{name} cannot be opened; check the address, the login and that the server is running",
        settings,
        report,
        always_live=not scheme.startswith("http"),  # http may well serve a whole file
    )
