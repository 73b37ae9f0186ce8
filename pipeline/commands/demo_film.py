"""The demo's material: a short film with camera motion out of photographs that dependencies bring along.

The photographs are found without importing the packages that hold them, and nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import SourceError
from pipeline.outputs.video import VideoSink
from pipeline.sources.images import read_photo
from pipeline.types import Image

PERSON = "Grace Hopper"
SIZE = (960, 540)  # width, height
FPS = 25


@dataclass(frozen=True, slots=True)
class Photographs:
    """What the demo is made of, BGR."""

    known: Image  # of the person who is enrolled
    strangers: Image  # of two people who are not
    street: Image  # of passers-by


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
        SourceError: the packages that hold them are not installed.
    """
    return Photographs(
        read_photo(_inside("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")),
        read_photo(_inside("ultralytics", "assets/zidane.jpg")),
        read_photo(_inside("ultralytics", "assets/bus.jpg")),
    )


def other_view(photo: Image) -> Image:
    """The photograph that is enrolled: the same person mirrored, turned, closer, in other light."""
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 3), 6, 1.15)
    turned = cv2.warpAffine(photo[:, ::-1], turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    dimmed = np.clip(turned.astype(np.float32) * (0.80, 0.85, 0.90) + 8, 0, 255).astype(np.uint8)
    return np.asarray(dimmed[: int(0.75 * height), int(0.08 * width) : int(0.92 * width)], np.uint8)


def film(photos: Photographs) -> Iterator[Image]:
    """The frames (540, 960, 3): from the person known to strangers, strangers, back again, passers-by."""
    known, strangers, street = photos.known, photos.strangers, photos.street
    height, width = known.shape[:2]
    tall, wide = strangers.shape[:2]
    # Side by side at one height, as on a screen with two cameras.
    share = cv2.resize(known, (round(width * tall / height), tall), interpolation=cv2.INTER_CUBIC)
    both = np.concatenate([share.astype(np.uint8), strangers], axis=1)
    across = both.shape[1]
    begin, middle, end = 0.28 * across, 0.5 * across, 0.73 * across
    shots = [
        Shot(both, (begin, 0.42 * tall, 0.5 * across), (middle, 0.48 * tall, 0.6 * across), 100),
        Shot(strangers, (0.45 * wide, 0.5 * tall, 0.85 * wide), (0.62 * wide, 0.47 * tall, 0.72 * wide), 75),
        Shot(both, (end, 0.5 * tall, 0.5 * across), (begin, 0.46 * tall, 0.52 * across), 100),
        Shot(
            street,
            (0.3 * street.shape[1], 0.5 * street.shape[0], 0.6 * street.shape[1]),
            (0.62 * street.shape[1], 0.5 * street.shape[0], 0.75 * street.shape[1]),
            50,
        ),
    ]
    random = np.random.default_rng(0)
    for shot in shots:
        yield from _moving(shot, random)


def make_film(photos: Photographs, path: Path, progress: Callable[[], None] = lambda: None) -> int:
    """Write the film; return how many frames it has."""
    frames = 0
    with VideoSink(path, FPS) as sink:
        for frame in film(photos):
            sink.write(frame)
            frames += 1
            progress()
    return frames


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


def _inside(package: str, file: str) -> Path:
    found = importlib.util.find_spec(package)
    for place in (found.submodule_search_locations or []) if found else []:
        if (Path(place) / file).is_file():
            return Path(place) / file
    raise SourceError(
        f"the demo borrows a photograph that {package} brings along, and {package} is not installed; "
        "run it in a checkout (uv run recog demo), or install recog[train]"
    )
