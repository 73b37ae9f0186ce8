"""Training images made worse, as cheap cameras, hasty resizing and strong compression do.

Photographs of training sets were shrunk with care, and a network that saw only such ones is lost where
pixels were dropped or doubled: in pictures that were resized without smoothing it found half of the faces,
and nearly all after a light blur (docs/experiments.md). So a share of what is learned from is resampled
badly, sharpened, noisy, blurred, compressed or without colour. Where the faces are does not change.
"""

from __future__ import annotations

from typing import Any

import cv2
import torch
from torch.nn import functional
from torchvision.transforms.v2 import functional as transforms

SHRINK = (0.4, 1.0)  # share of width and of height that is left between two bad resizes
SHARPEN = (0.5, 2.5)  # times of what a blur would take away, added
SIGMA = (0.4, 1.6)  # pixels, of a blur
NOISE = (2.0, 24.0)  # standard deviation, of 255
QUALITY = (12, 60)  # of JPEG
GREY = 0.1  # share of the images that are made worse that lose their colour, too


def degrade(images: torch.Tensor, share: float, random: torch.Generator) -> torch.Tensor:
    """Make a share of a batch worse, each of these images in one or two ways.

    Args:
        images: (n, 3, height, width) float32 RGB in 0..1.
        share: of the images.
        random: on the CPU; what is drawn.

    Returns:
        The same shape and kind; an image that was not drawn is as it was.
    """
    made = images.clone()
    for place in range(len(images)):
        if _draw((0.0, 1.0), random) >= share:
            continue
        image = images[place]
        for _ in range(1 + int(_draw((0.0, 1.0), random) < 0.4)):
            way = WAYS[int(torch.randint(len(WAYS), (), generator=random))]
            image = way(image, random)
        if _draw((0.0, 1.0), random) < GREY:
            image = transforms.rgb_to_grayscale(image, num_output_channels=3)
        made[place] = image.clamp(0, 1)
    return made


def resampled(image: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Fewer rows and columns and back, often by doubling the nearest; each side by a share of its own.

    Half of the time nothing is smoothed, which leaves the steps and doubled rows of hasty resizing.
    """
    height, width = image.shape[-2:]
    small = (max(1, round(height * _draw(SHRINK, random))), max(1, round(width * _draw(SHRINK, random))))
    first, second = (
        ("nearest-exact", "nearest-exact") if _draw((0.0, 1.0), random) < 0.5 else ("area", "bicubic")
    )
    smooth: dict[str, Any] = {"align_corners": False} if second == "bicubic" else {}
    less = functional.interpolate(image[None], small, mode=first)
    return functional.interpolate(less, (height, width), mode=second, **smooth)[0]


def blurred(image: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Out of focus."""
    return _blur(image, _draw(SIGMA, random))


def sharpened(image: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """With halos, as webcams and phones do it."""
    return image + _draw(SHARPEN, random) * (image - _blur(image, 1.0))


def noisy(image: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """With a sensor's noise, of each colour or of all alike."""
    planes = 3 if _draw((0.0, 1.0), random) < 0.5 else 1
    noise = torch.randn((planes, *image.shape[-2:]), generator=random).to(image.device)
    return image + noise * (_draw(NOISE, random) / 255)


def compressed(image: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Through JPEG."""
    quality = int(torch.randint(QUALITY[0], QUALITY[1] + 1, (), generator=random))
    whole = (image.flip(0).clamp(0, 1) * 255).round().to(torch.uint8).cpu().permute(1, 2, 0).numpy()  # BGR
    _, coded = cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("OpenCV cannot read what it has just compressed")
    return torch.from_numpy(decoded).permute(2, 0, 1).flip(0).to(image) / 255


WAYS = (resampled, resampled, blurred, sharpened, noisy, compressed)


def _blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    return torch.as_tensor(transforms.gaussian_blur(image, [2 * round(2.5 * sigma) + 1] * 2, [sigma, sigma]))


def _draw(between: tuple[float, float], random: torch.Generator) -> float:
    least, most = between
    return least + (most - least) * float(torch.rand((), generator=random))
