"""Distortions that a face may meet between a press photograph and a camera at a door.

On whole batches, in torch, from a generator of their own: the same step always sees the same distortions,
which is what lets a resumed training repeat exactly.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from siamese.training.distort import distorted

Generator = torch.Generator


def planes(images: Tensor) -> Tensor:
    """RGB planes (n, 3, h, w) float32 in -1..1 of BGR bytes (n, h, w, 3), without distortion."""
    return (images.permute(0, 3, 1, 2).flip(1).to(torch.float32) - 127.5) / 127.5


def augment(images: Tensor, kind: str, generator: Generator) -> Tensor:
    """Distorted RGB planes (n, 3, h, w) float32 in -1..1 of BGR bytes (n, h, w, 3).

    Args:
        kind: `none`; `affine`: mirrored, turned, scaled and shifted; `strong`: also recoloured,
            blurred, shrunk, compressed, covered and noisy;
            `moderate`: as strong, but milder and rarer, nothing covered, and a third of the rows affine only;
            `light`: as moderate, with two thirds of the rows affine only;
            `mixed`: strong for the first half of the rows, affine for the rest;
            `camera`: `siamese.training.distort`, seven tenths of its full shares.
    """
    if kind == "camera":
        seed = int(torch.randint(2**62, (1,), generator=generator))
        random = np.random.default_rng(seed)
        made = [distorted(image, random, strength=0.7) for image in images.numpy()]
        return planes(torch.from_numpy(np.stack(made)))
    if kind == "none":
        return planes(images)
    if kind == "mixed":
        half = len(images) // 2
        parts = zip((images[:half], images[half:]), ("strong", "affine"), strict=True)
        return torch.cat([augment(part, each, generator) for part, each in parts])
    if kind in ("moderate", "light"):
        x = _affine(planes(_compress(images, generator, share=0.08)), generator)
        part = _some(len(x), 0.65 if kind == "moderate" else 0.35, generator)
        if len(part):
            changed = _shrink(x[part], generator, share=0.25, smallest=20)
            changed = _recolour(_blur(changed, generator, share=0.15), generator, extent=0.6)
            x[part] = _noise(changed, generator, share=0.15).clamp(-1, 1)
        return x
    if kind == "strong":
        images = _compress(images, generator, share=0.15)
    x = _affine(planes(images), generator)
    if kind == "affine":
        return x
    x = _shrink(x, generator, share=0.3)
    x = _blur(x, generator, share=0.2)
    x = _recolour(x, generator)
    x = _cover(x, generator, share=0.25)
    return _noise(x, generator, share=0.25).clamp(-1, 1)


def _uniform(n: int, low: float, high: float, generator: Generator) -> Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def _some(n: int, share: float, generator: Generator) -> Tensor:
    """The numbers of about `share` of n rows."""
    return torch.nonzero(torch.rand(n, generator=generator) < share).flatten()


def _affine(x: Tensor, generator: Generator) -> Tensor:
    n = len(x)
    angle = torch.randn(n, generator=generator).clamp(-2.5, 2.5) * 0.09  # radians, about 5 degrees
    scale = torch.exp(torch.randn(n, generator=generator).clamp(-2.5, 2.5) * 0.06)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    shift = torch.randn(n, 2, generator=generator).clamp(-2.5, 2.5) * 0.035
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = torch.stack([mirror * cos, -sin, shift[:, 0], mirror * sin, cos, shift[:, 1]], dim=1)
    grid = functional.affine_grid(rows.view(n, 2, 3), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _shrink(x: Tensor, generator: Generator, share: float, smallest: int = 14) -> Tensor:
    """Down to `smallest` to 56 pixels and up again: a face far from the camera."""
    x = x.clone()
    for part in _some(len(x), share, generator).chunk(3):
        if len(part):
            side = int(torch.randint(smallest, 57, (1,), generator=generator))
            small = functional.interpolate(x[part], size=(side, side), mode="area")
            x[part] = functional.interpolate(small, size=x.shape[2:], mode="bilinear", align_corners=False)
    return x


def _blur(x: Tensor, generator: Generator, share: float) -> Tensor:
    """Out of focus, or moving: a Gaussian, longer one way than the other."""
    x = x.clone()
    for part in _some(len(x), share, generator).chunk(2):
        if len(part):
            along, across, angle = (
                float(_uniform(1, low, high, generator)) for low, high in ((0.6, 3), (0.4, 1.2), (0, 3.14))
            )
            offsets = torch.arange(-5.0, 6.0)
            down, right = torch.meshgrid(offsets, offsets, indexing="ij")
            u, v = right * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - right * np.sin(angle)
            kernel = torch.exp(-(u**2) / (2 * along**2) - v**2 / (2 * across**2))
            weight = (kernel / kernel.sum()).expand(3, 1, 11, 11)
            padded = functional.pad(x[part], (5, 5, 5, 5), mode="replicate")
            x[part] = functional.conv2d(padded, weight, groups=3)
    return x


def _recolour(x: Tensor, generator: Generator, extent: float = 1.0) -> Tensor:
    """Contrast, brightness, tint and saturation, by up to `extent` of the most there is."""
    n = len(x)
    contrast = 1 + extent * _uniform(n, -0.4, 0.35, generator).view(n, 1, 1, 1)
    brightness = extent * _uniform(n, -0.3, 0.3, generator).view(n, 1, 1, 1)
    tint = 1 + extent * _uniform(n * 3, -0.12, 0.12, generator).view(n, 3, 1, 1)
    saturation = 1 + extent * _uniform(n, -0.7, 0.3, generator)
    saturation[_some(n, 0.1, generator)] = 0.0
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * saturation.view(n, 1, 1, 1)
    return ((x + 1) * tint - 1) * contrast + brightness


def _cover(x: Tensor, generator: Generator, share: float) -> Tensor:
    """A hand, a microphone, a mask: a rectangle of one colour."""
    x = x.clone()
    height, width = x.shape[2:]
    for row in _some(len(x), share, generator).tolist():
        size = _uniform(2, 0.15, 0.45, generator)
        corner = torch.rand(2, generator=generator)
        tall, wide = int(size[0] * height), int(size[1] * width)
        top, left = int(corner[0] * (height - tall)), int(corner[1] * (width - wide))
        colour = _uniform(3, -1, 1, generator).view(3, 1, 1)
        x[row, :, top : top + tall, left : left + wide] = colour
    return x


def _noise(x: Tensor, generator: Generator, share: float) -> Tensor:
    x = x.clone()
    part = _some(len(x), share, generator)
    strength = _uniform(len(part), 0.01, 0.12, generator).view(-1, 1, 1, 1)
    x[part] += torch.randn(x[part].shape, generator=generator) * strength
    return x


def _compress(images: Tensor, generator: Generator, share: float) -> Tensor:
    """The blocks of a strongly compressed picture."""
    images = images.clone()
    for row in _some(len(images), share, generator).tolist():
        quality = int(torch.randint(12, 60, (1,), generator=generator))
        _, packed = cv2.imencode(".jpg", images[row].numpy(), [cv2.IMWRITE_JPEG_QUALITY, quality])
        images[row] = torch.from_numpy(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return images
