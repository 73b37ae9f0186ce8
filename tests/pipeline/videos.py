"""What a video holds, as OpenCV reads it."""

from __future__ import annotations

from pathlib import Path

import cv2


def about(path: Path) -> tuple[int, float, tuple[int, int]]:
    """Frames that can be read, frame rate, width and height of a video."""
    capture = cv2.VideoCapture(str(path))
    fps, size = capture.get(cv2.CAP_PROP_FPS), (0, 0)
    count = 0
    while (read := capture.read())[0]:
        count, size = count + 1, read[1].shape[1::-1]
    capture.release()
    return count, fps, size
