"""OpenCV and FFmpeg write to stderr behind Python's back; this is the one place that stops them.

What went wrong reaches the user as one line of ours, raised by the code that called OpenCV.
"""

from __future__ import annotations

import os

import cv2


def quiet_opencv() -> None:
    """Keep OpenCV and FFmpeg from printing. Cheap, may be called again.

    Call it before the first capture or writer is made: FFmpeg's level is read once, when it is first used.
    `OPENCV_LOG_LEVEL` and `OPENCV_FFMPEG_LOGLEVEL`, where the user has set them, are left in force.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
