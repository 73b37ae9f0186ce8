"""Whether the pictures of an attempt follow each other as those of one camera before one face do."""

from __future__ import annotations

import hashlib

import numpy as np

from pipeline.types import Floats, Image

PAUSE = 0.6  # seconds between two frames at most
JUMP = 0.35, 4.0  # breadths of the face that it may move between two frames, and by which more in a second
GROWTH = 0.25, 2.5  # natural logarithm of its size, likewise


class Continuity:
    """Looks at each frame of an attempt, from the first with a face on.

    Attributes:
        broken: what broke it, in words; None so far.
    """

    def __init__(self) -> None:
        self.broken: str | None = None
        self._shape: tuple[int, ...] | None = None
        self._seen: set[bytes] = set()
        self._last: float | None = None
        self._box: Floats | None = None
        self._boxed = 0.0

    def see(
        self, seconds: float, shape: tuple[int, ...], digest: bytes, cut: bool, box: Floats | None
    ) -> None:
        """Take in a frame.

        Args:
            shape: of its image.
            digest: of its image, as `digest_of` tells.
            cut: it begins another shot.
            box: (4,) of the face; None where none is seen.
        """
        if self.broken is None:
            self.broken = self._break(seconds, shape, digest, cut, box)
        self._shape, self._last = shape, seconds
        self._seen.add(digest)
        if box is not None:
            self._box, self._boxed = box, seconds

    def _break(
        self, seconds: float, shape: tuple[int, ...], digest: bytes, cut: bool, box: Floats | None
    ) -> str | None:
        if self._shape is not None and shape != self._shape:
            return "the camera's picture changed its size"
        if digest in self._seen:
            return "the very same picture came twice"
        if self._last is not None and seconds - self._last > PAUSE:
            return f"no picture came for {seconds - self._last:.1f} s"
        if cut:
            return "the picture changed all at once"
        if box is None or self._box is None:
            return None
        before, now, time = self._box, box, seconds - self._boxed
        breadth = float(before[2] - before[0])
        moved = float(np.abs((now[:2] + now[2:]) - (before[:2] + before[2:])).max()) / 2 / max(breadth, 1.0)
        grown = abs(float(np.log(max(now[2] - now[0], 1.0) / max(breadth, 1.0))))
        if moved > JUMP[0] + JUMP[1] * time:
            return "the face jumped"
        return "the face changed its size all at once" if grown > GROWTH[0] + GROWTH[1] * time else None


def digest_of(image: Image) -> bytes:
    """What two images have in common only where they are the very same; every fourth pixel of them counts."""
    return hashlib.blake2b(np.ascontiguousarray(image[::4, ::4]).tobytes(), digest_size=16).digest()
