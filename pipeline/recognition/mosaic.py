"""Several sources in one picture, for the window."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np

from pipeline.drawing.sheet import contact_sheet
from pipeline.types import Image

_CELL = (640, 360)  # width and height of a source in the window


class Mosaic:
    """The newest picture of each source."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._newest: list[Image] = [np.zeros((_CELL[1], _CELL[0], 3), np.uint8) for _ in names]
        self.changed = threading.Event()

    def put(self, place: int, image: Image) -> None:
        """Take the newest picture of a source; may be called from any thread."""
        self._newest[place] = image
        self.changed.set()

    def picture(self) -> Image:
        """All of them side by side, each with its name."""
        pictures = list(zip(self._newest, self._names, strict=True))
        return contact_sheet(pictures, columns=math.ceil(math.sqrt(len(pictures))), cell=_CELL)
