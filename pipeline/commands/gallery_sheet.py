"""The contact sheet of a person in the gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gallery import StoredTemplate
from pipeline.drawing.draw import DARK
from pipeline.drawing.sheet import contact_sheet
from pipeline.errors import SinkError
from pipeline.faces.align import SIZE
from pipeline.outputs.private import private_file

_CELL = (SIZE + 16, SIZE)


def write_person_sheet(photos: Sequence[StoredTemplate], path: Path) -> None:
    """Write the kept crops with number and quality; a photo without a crop is an empty cell.

    Raises:
        SinkError: `path` cannot be written or is of no kind of picture, or there are no photos.
    """
    if not photos:
        raise SinkError(f"{path}: there are no photos to show")
    nothing = np.full((SIZE, SIZE, 3), DARK, np.uint8)
    pictures = [
        (
            nothing if photo.crop is None else photo.crop,
            f"{number}  {photo.quality:.2f}" if photo.crop is not None else f"{number}  not kept",
        )
        for number, photo in enumerate(photos, 1)
    ]
    sheet = contact_sheet(pictures, cell=_CELL, caption_pixels=14)
    try:
        _, encoded = cv2.imencode(path.suffix, sheet)
    except cv2.error as error:
        raise SinkError(f"{path}: name a picture, such as {path.stem}.png or {path.stem}.jpg") from error
    with private_file(path) as file:
        file.write(encoded.tobytes())
