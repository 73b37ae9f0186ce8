"""Gather a person's own anchors and positives from a camera, into the layout of `siamese.lfw.triplets`.

With a screen, `a` saves an anchor, `p` a positive, `q` ends. Without one, an image is saved every so many
seconds, anchors and positives in turn, and no window is touched.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from pipeline.errors import ConfigError, SinkError
from pipeline.types import Frame, Image
from siamese.lfw.triplets import KINDS, own_name

ANCHOR, POSITIVE, _ = KINDS
KEYS = {"a": ANCHOR, "p": POSITIVE}
QUIT = ("q", "\x1b")  # \x1b is the escape key
QUALITY = 95  # of the JPEG; what is saved is cropped and resampled again by the training


class Preview(Protocol):
    """Shows what would be saved, and takes keys."""

    def show(self, image: Image) -> str:
        """Show an image; return the key that was pressed, or nothing."""
        ...

    def close(self) -> None: ...


class Window:
    """A preview on the screen; closing the window counts as `q`.

    Raises:
        SinkError: there is no screen, or this OpenCV was built without windows.
    """

    TITLE = "recog collect: a anchor, p positive, q quit"

    def __init__(self) -> None:
        # Asked before OpenCV is: without a display its Qt ends the whole process.
        if sys.platform.startswith("linux") and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise SinkError("there is no screen to show a preview on; collect without it, every few seconds")
        try:
            cv2.namedWindow(self.TITLE)
        except cv2.error as error:
            raise SinkError(
                "this OpenCV cannot open windows; install opencv-python, not -headless"
            ) from error

    def show(self, image: Image) -> str:
        if cv2.getWindowProperty(self.TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return QUIT[0]
        cv2.imshow(self.TITLE, image)
        code = cv2.waitKey(1)
        return chr(code & 0xFF) if code >= 0 else ""

    def close(self) -> None:
        with contextlib.suppress(cv2.error):  # closed by hand already
            cv2.destroyWindow(self.TITLE)


def center_square(image: Image, size: int) -> Image:
    """The middle of an image as `(size, size, 3)`.

    It spans 250 of 480 lines, like the tutorial's cut of 250 pixels from a camera of 640 x 480; so a face
    at the same distance fills it alike, whatever the camera's resolution.
    """
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) * 250 / 480))
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    if side == size:
        return square
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return cv2.resize(square, (size, size), interpolation=how).astype(np.uint8, copy=False)


def collect(
    frames: Iterable[Frame],
    out: Path,
    *,
    show: bool = True,
    every: float | None = None,
    size: int = 250,
    limit: int | None = None,
    crop: Callable[[Image], Image | None] | None = None,
    preview: Preview | None = None,
) -> dict[str, int]:
    """Save images to `out/anchor` and `out/positive`; return how many of each were saved.

    Args:
        frames: the camera's; closing it is left to the caller.
        show: open a preview and take keys.
        every: seconds, on the clock of the frames, between images that are saved unasked; the first at once.
        size: pixels of the square that is saved.
        limit: of each kind; ends when both are reached, and more of one kind are not saved. None for no end.
        crop: what to save of a frame `(height, width, 3)`, or None where there is nothing to save, in place
            of the middle square.
        preview: to show and take keys with, in place of a window.

    Raises:
        ConfigError: with neither a preview nor `every`, nothing could ever be saved.
        SinkError: there is no screen for the preview, or an image cannot be written.
    """
    if not show and every is None:
        raise ConfigError("collect: without a preview there are no keys; say every how many seconds to save")
    if (every is not None and every < 0) or size < 1 or (limit is not None and limit < 1):
        raise ConfigError("collect: size and limit must be at least 1, and every must not be negative")
    counts = {ANCHOR: 0, POSITIVE: 0}
    window = (preview or Window()) if show else None
    due = None  # seconds, on the clock of the frames
    try:
        for frame in frames:
            image = center_square(frame.image, size) if crop is None else crop(frame.image)
            key = ""
            if window is not None:
                key = window.show(frame.image if image is None else image).lower()
                if key in QUIT:
                    break
            kind = KEYS.get(key)
            if kind is None and every is not None and (due is None or frame.seconds >= due):
                kind = min(counts, key=counts.__getitem__)  # the one with fewer: in turn, an anchor first
            if kind is None or image is None or counts[kind] == limit:
                continue
            _save(image, out / kind)
            counts[kind] += 1
            if every is not None:
                due = frame.seconds + every
            if all(count == limit for count in counts.values()):
                break
    finally:
        if window is not None:
            window.close()
    return counts


def _save(image: Image, folder: Path) -> None:
    """Write one image under a new name; it appears whole or not at all."""
    path = folder / own_name()
    part = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        part.write_bytes(data.tobytes())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            part.unlink()
        raise SinkError(f"{path}: cannot be written ({error.strerror or error})") from error
