"""What an encoder of videos is."""

from __future__ import annotations

from typing import Protocol

from pipeline.types import Image


class EncodingError(Exception):
    """A frame or a file that could not be written, and why; the sink makes a SinkError of it.

    Attributes:
        full: because the disk is full, or a quota or the size that a file may have is reached.
    """

    def __init__(self, why: str, full: bool = False) -> None:
        super().__init__(why)
        self.full = full


class Encoder(Protocol):
    """A video file that is being written.

    Attributes:
        promised: how many frames the file must hold; None if every loss is raised as EncodingError.
    """

    promised: int | None

    @property
    def lost(self) -> str | None:
        """What of the sound was left out so far, in words; None if nothing was."""
        ...

    def write(self, image: Image, seconds: float) -> None:
        """Append a frame of the size given on opening, to be shown from `seconds` on.

        Raises:
            EncodingError: it cannot be written.
        """
        ...

    def close(self) -> None:
        """Finish the file. Raises EncodingError."""
        ...

    def abandon(self) -> None:
        """Let go of the file as it is."""
        ...
