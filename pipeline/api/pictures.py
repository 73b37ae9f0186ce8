"""Pictures as callers give them: files, arrays, and files in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.types import Image, Photograph

if TYPE_CHECKING:
    from pipeline.api.shared import Shared
    from pipeline.faces.examine import Probe

Picture = str | Path | Image | Photograph  # a file, an array (height, width, 3) uint8 BGR, a file in memory


def read(picture: Picture) -> tuple[Image, str]:
    """The pixels of a picture, (height, width, 3) uint8 BGR, and what to call it.

    Raises:
        SourceError: it cannot be read.
        ValueError: as for `checked`.
    """
    if isinstance(picture, str | Path):
        from pipeline.sources.images import read_photo

        return read_photo(Path(picture)), str(picture)
    if isinstance(picture, Photograph):
        from pipeline.sources.images import decode_photo

        return decode_photo(picture.data, Path(picture.name), picture.most_pixels), picture.name
    return checked(picture), "the picture"


def checked(image: Image) -> Image:
    """An array that is a picture.

    Raises:
        ValueError: it is not (height, width, 3) uint8, which is a bug of the caller's.
    """
    shape, kind = getattr(image, "shape", None), getattr(image, "dtype", None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or not image.size or str(kind) != "uint8":
        raise ValueError(f"a picture is (height, width, 3) uint8 in BGR order, not {shape} {kind}")
    return image


def probe(shared: Shared, picture: Picture, pick: str | None) -> Probe:
    """The one face of a picture that is meant, embedded.

    Args:
        pick: which of several: `largest`, `center`, or a number from the left.

    Raises:
        SourceError: the picture cannot be read, shows no face, or several and no `pick`.
        ModelError, DetectorError: a model cannot be used.
    """
    from pipeline.faces.choose import parse_pick

    chosen = parse_pick(pick)
    image, called = read(picture)
    examiner = shared.examiner()
    with shared.turn:
        return examiner.probe(image, called, chosen)
