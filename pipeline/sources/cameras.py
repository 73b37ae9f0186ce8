"""Cameras of this machine, through OpenCV, which knows those of every system."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.errors import UnreachableError
from pipeline.types import Image


class Camera:
    """An opened camera."""

    def __init__(self, index: int, size: tuple[int, int] | None = None) -> None:
        """
        Args:
            size: `(width, height)` to ask for; it may answer with another.

        Raises:
            UnreachableError: there is no such camera, or another program has it.
        """
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            self._capture.release()
            raise UnreachableError(
                f"camera {index} cannot be opened; "
                "is it plugged in, allowed, and not used by another program?"
            )
        if size is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])

    @property
    def fps(self) -> float | None:
        """Nominal frames a second, if it says so."""
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        return fps if 0 < fps <= 1000 else None  # NaN fails as well

    def read(self) -> Image | None:
        """The next picture; None where none comes."""
        try:
            ok, image = self._capture.read()
        except cv2.error:  # a driver can claim a size that cannot be had
            return None
        return np.asarray(image, np.uint8) if ok else None

    def close(self) -> None:
        """Let go of it. May be called again."""
        self._capture.release()
