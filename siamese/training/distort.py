"""Distortions of one face at a time: what lies between a clean photograph and a camera.

Unlike `siamese.training.augment`, which works on batches in torch, this works on bytes with OpenCV: a
third of a millisecond a face, next to nothing beside the network's own work.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from siamese.training.turning import SIZE, turned

Bytes = npt.NDArray[np.uint8]


def distorted(face: Bytes, random: np.random.Generator, strength: float = 1.0) -> Bytes:
    """A crop (112, 112, 3) BGR as a camera may have it.

    Args:
        strength: 1 for the full shares of turned, small, blurred and covered faces; 0: all are only moved,
            and some recoloured.
    """
    chance = random.random(8)
    angle, stretch = random.normal(0, 0.08), float(np.exp(random.normal(0, 0.06)))
    mirror = -1.0 if random.random() < 0.5 else 1.0
    shift = random.normal(0, 3.0, 2).clip(-8, 8)
    cos, sin = np.cos(angle) * stretch, np.sin(angle) * stretch
    middle = (SIZE - 1) / 2
    # From pixels of the result to pixels of the crop.
    linear = np.array([[mirror * cos, -sin], [mirror * sin, cos]])
    offset = middle + shift - linear @ np.full(2, middle)
    back = np.concatenate([linear, offset[:, None]], 1).astype(np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if chance[0] < 0.22 * strength:
        degrees = round(float(random.uniform(12, 68)) / 4) * 4 * (1 if random.random() < 0.5 else -1)
        columns, rows = turned(degrees)
        x = cv2.warpAffine(columns, back, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        y = cv2.warpAffine(rows, back, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        made = _bytes(cv2.remap(face, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    else:
        moved = cv2.warpAffine(face, back, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        made = _bytes(moved)
    if chance[1] < 0.22 * strength:
        side = round(float(np.exp(random.uniform(np.log(14), np.log(56)))))
        small = cv2.resize(made, (side, side), interpolation=cv2.INTER_AREA)
        made = _bytes(cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))
    if chance[2] < 0.15 * strength:
        made = _smeared(made, random)
    if chance[3] < 0.5 * max(strength, 0.3):
        made = _recoloured(made, random)
    if chance[4] < 0.08 * strength:
        made = _covered(made, random)
    if chance[5] < 0.1 * strength:
        noise = random.normal(0, random.uniform(2, 12), made.shape)
        made = np.clip(made + noise, 0, 255).astype(np.uint8)
    if chance[6] < 0.2 * strength:
        quality = int(random.integers(15, 70))
        _, packed = cv2.imencode(".jpg", made, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        assert decoded is not None
        made = _bytes(decoded)
    return made


def _bytes(image: npt.NDArray[Any]) -> Bytes:
    """As the type checker should know what OpenCV gives back."""
    return image.astype(np.uint8, copy=False)


def _smeared(face: Bytes, random: np.random.Generator) -> Bytes:
    """Out of focus, or moving: a Gaussian, longer one way than the other."""
    along, across, angle = random.uniform(0.6, 3.2), random.uniform(0.4, 1.3), random.uniform(0, np.pi)
    offsets = np.arange(-5.0, 6.0)
    x, y = np.meshgrid(offsets, offsets)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-(u**2) / (2 * along**2) - v**2 / (2 * across**2))
    return _bytes(cv2.filter2D(face, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))


def _recoloured(face: Bytes, random: np.random.Generator) -> Bytes:
    """Contrast, brightness, gamma, tint and saturation: one table for each colour."""
    if random.random() < 0.12:
        face = cv2.cvtColor(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8)
    levels = np.linspace(0, 1, 256)
    gamma, contrast = np.exp(random.normal(0, 0.25)), random.uniform(0.65, 1.25)
    light = random.uniform(-0.15, 0.15)
    tints = random.normal(1, 0.05, 3)
    curve = (levels**gamma - 0.5) * contrast + 0.5 + light
    table = np.clip(curve[:, None] * tints * 255, 0, 255).astype(np.uint8)
    recoloured: Bytes = cv2.LUT(face, table.reshape(1, 256, 3)).astype(np.uint8)
    return recoloured


def _covered(face: Bytes, random: np.random.Generator) -> Bytes:
    """A hand, a microphone, a mask, or half of the face in the dark: a rectangle of one colour."""
    face = face.copy()
    if random.random() < 0.35:  # one half
        edge = int(SIZE * random.uniform(0.35, 0.5))
        part = face[:, :edge] if random.random() < 0.5 else face[:, SIZE - edge :]
    else:
        tall, wide = (int(SIZE * random.uniform(0.15, 0.45)) for _ in range(2))
        top, left = int(random.integers(SIZE - tall)), int(random.integers(SIZE - wide))
        part = face[top : top + tall, left : left + wide]
    part[...] = random.integers(0, 256, 3)
    return face
