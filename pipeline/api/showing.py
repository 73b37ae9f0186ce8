"""For people to see: results as pictures, explanations in words, sources without their secrets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.types import Floats, Image, Result

if TYPE_CHECKING:
    from pipeline.tapes.explain import Explanation


def drawn(result: Result) -> Image:
    """The picture of a result with boxes and names, a new array (height, width, 3) uint8 BGR."""
    from pipeline.drawing.draw import draw

    return draw(result.frame.image, result.faces)


def cutout(image: Image, box: Floats, side: int) -> bytes | None:
    """A face with a margin around it, as a JPEG; None where the box is outside the picture.

    Args:
        image: (height, width, 3) uint8 BGR.
        box: (4,) x1 y1 x2 y2, pixels.
        side: its longer side at most, pixels.
    """
    from pipeline.outputs import snapshots

    picture = snapshots.cutout(image, box)
    return None if picture is None else snapshots.encoded(picture, side)


def explain_lines(why: Explanation) -> list[str]:
    """An explanation in words, line by line."""
    from pipeline.tapes.explain import sentences

    return sentences(why)


def explain_card(why: Explanation) -> Image:
    """An explanation as a picture, (height, 960, 3) uint8 BGR."""
    from pipeline.tapes.explain import card

    return card(why)


def demo_film(path: str | Path) -> None:
    """Write the film of `recog demo`, made of photographs in the public domain that are part of this package.

    Raises:
        SinkError: it cannot be written.
        SourceError: a photograph is missing: the installation is not whole.
    """
    from pipeline.outputs.demo_film import make_film, photographs

    make_film(photographs(), Path(path))


def shown_source(source: str) -> str:
    """A source as it may be told and logged: an address without login and query."""
    from pipeline.sources.streams import shown_address

    return shown_address(source) if "://" in source else source
