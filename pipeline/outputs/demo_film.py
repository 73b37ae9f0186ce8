"""The demo's material: a short film with camera motion out of photographs that are part of this package.

Where they come from and why they may be passed on is in `pipeline/photographs/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from pipeline.outputs.video import VideoSink
from pipeline.sources.images import read_photo
from pipeline.types import Image

FOLDER = Path(__file__).parents[1] / "photographs"
PERSON = "Grace Hopper"
SIZE = (960, 540)  # width, height
FPS = 25


@dataclass(frozen=True, slots=True)
class Photographs:
    """What the demo is made of, BGR."""

    known: Image  # of the person who is enrolled
    strangers: tuple[Image, ...]  # of two who are not
    passer_by: Image  # of another, from the side


@dataclass(frozen=True, slots=True)
class Shot:
    """A camera movement over a picture: from one view to another, as centre x, y and width in its pixels."""

    picture: Image
    begin: tuple[float, float, float]
    end: tuple[float, float, float]
    frames: int


def photographs() -> Photographs:
    """Read the photographs.

    Raises:
        SourceError: one of them is missing or damaged: the installation is not whole.
    """
    names = ("grace-hopper", "mona-lisa", "eileen-collins", "cameraman")
    known, *strangers, passer_by = (read_photo(FOLDER / f"{name}.jpg") for name in names)
    return Photographs(known, tuple(strangers), passer_by)


def other_view(photo: Image) -> Image:
    """The photograph that is enrolled: the same person mirrored, turned, closer, in other light."""
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 3), 6, 1.15)
    turned = cv2.warpAffine(photo[:, ::-1], turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    dimmed = np.clip(turned.astype(np.float32) * (0.80, 0.85, 0.90) + 8, 0, 255).astype(np.uint8)
    return np.asarray(dimmed[: int(0.75 * height), int(0.08 * width) : int(0.92 * width)], np.uint8)


def film(photos: Photographs, times: int = 1) -> Iterator[Image]:
    """The frames (540, 960, 3): from the person known to strangers, strangers, back again, a passer-by.

    Args:
        times: how many times as fast the camera moves; there are as many times fewer frames.
    """
    height, width = photos.known.shape[:2]
    strangers = _beside(*photos.strangers, height=height)
    both = _beside(photos.known, *photos.strangers, height=height)
    others = strangers.shape[1]
    low, across = photos.passer_by.shape[:2]
    on_known = (0.52 * width, 0.42 * height, 1.1 * width)
    on_both = (0.95 * width, 0.42 * height, 1.7 * width)
    on_strangers = (width + 0.46 * others, 0.33 * height, 0.74 * others)
    shots = [
        Shot(both, on_known, on_both, 90),
        Shot(
            strangers,
            (0.45 * others, 0.33 * height, 0.74 * others),
            (0.47 * others, 0.31 * height, 0.66 * others),
            75,
        ),
        Shot(both, on_strangers, on_known, 85),
        Shot(
            photos.passer_by,
            (0.6 * across, 0.4 * low, 0.98 * across),
            (0.4 * across, 0.3 * low, 0.7 * across),
            50,
        ),
    ]
    random = np.random.default_rng(0)
    for shot in shots:
        yield from _moving(replace(shot, frames=shot.frames // times), random)


def make_film(photos: Photographs, path: Path, progress: Callable[[], None] = lambda: None) -> int:
    """Write the film; return how many frames it has."""
    frames = 0
    with VideoSink(path, FPS) as sink:
        for frame in film(photos):
            sink.write(frame)
            frames += 1
            progress()
    return frames


def _beside(*images: Image, height: int) -> Image:
    """Images next to each other, scaled to one height: screens with a camera each."""
    scaled = [
        cv2.resize(
            each, (round(each.shape[1] * height / each.shape[0]), height), interpolation=cv2.INTER_AREA
        )
        for each in images
    ]
    return np.concatenate(scaled, axis=1).astype(np.uint8)


def _moving(shot: Shot, random: np.random.Generator) -> Iterator[Image]:
    """A hand-held camera: a smooth way with a little shaking, changing light and noise."""
    shake = np.zeros(3)
    for frame in range(shot.frames):
        t = frame / max(1, shot.frames - 1)
        t = t * t * (3 - 2 * t)
        x, y, wide = np.array(shot.begin) * (1 - t) + np.array(shot.end) * t
        shake = 0.9 * shake + random.normal(0, (0.0015 * wide, 0.0015 * wide, 0.15))
        scale = SIZE[0] / wide
        matrix = cv2.getRotationMatrix2D((float(x + shake[0]), float(y + shake[1])), float(shake[2]), scale)
        matrix[:, 2] += np.array(SIZE) / 2 - (x, y)
        image = cv2.warpAffine(
            shot.picture, matrix, SIZE, flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        light = 1 + 0.12 * np.sin(2 * np.pi * frame / 60)
        noise = random.normal(0, 3, (SIZE[1], SIZE[0], 1))
        yield np.clip(image.astype(np.float32) * light + noise, 0, 255).astype(np.uint8)
