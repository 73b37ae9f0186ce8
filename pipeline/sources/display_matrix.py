"""How a frame says that it has to be turned and mirrored to be seen: its display matrix.

Beside it a frame may carry what PyAV has no name for, such as EXIF, which is in the frames of many cameras.
PyAV reads all of it to give any of it, so names are made up for the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame


def matrix_of(frame: VideoFrame) -> tuple[int, int, int, int] | None:
    """a, b, c, d of the frame's display matrix, if it has one that says anything."""
    found: Any = frame.side_data  # typed as if it had other keys
    try:
        data = found[Type.DISPLAYMATRIX]
    except KeyError:
        return None
    values = np.frombuffer(bytes(data), np.int32)
    a, b, c, d = (int(values[place]) for place in (0, 1, 3, 4))
    return None if (b, c) == (0, 0) and a > 0 and d > 0 else (a, b, c, d)


def _without_a_name(kinds: Any, value: int) -> Any:
    """A kind that this PyAV does not know."""
    kind = object.__new__(kinds)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return kind


# What an `Enum` asks for a value that it lacks, instead of raising ValueError.
_kinds: Any = Type
_kinds._missing_ = classmethod(_without_a_name)
