"""The distances behind a calibration as a picture, drawn with OpenCV: the base install has no plotting."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.drawing.lettering import put_text, text_size
from pipeline.types import Floats, Image

WIDTH, HEIGHT, MARGIN, PIXELS = 960, 540, 64, 16
INK, PALE, STRANGER, GENUINE = (40, 40, 40), (225, 225, 225), (60, 60, 200), (150, 120, 40)  # BGR
BINS = 60


def draw_distances(
    strangers: Floats, genuine: Floats, threshold: float, title: str, labels: tuple[str, str]
) -> Image:
    """Histograms of strangers' and genuine distances with the threshold between them; (540, 960, 3) BGR.

    Args:
        strangers, genuine: (n,) and (g,) distances, shifts included; either may be empty.
        title, labels: what to write over the picture, and of strangers and genuine distances.
    """
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    values = np.concatenate([strangers, genuine, [threshold]])
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)

    def across(value: float) -> int:
        share = (value - float(edges[0])) / float(edges[-1] - edges[0])
        return round(MARGIN + (WIDTH - 2 * MARGIN) * share)

    for tick in np.linspace(edges[0], edges[-1], 6):
        cv2.line(image, (across(tick), 2 * MARGIN), (across(tick), HEIGHT - MARGIN), PALE, 1)
        words = f"{tick:.1f}"
        put_text(
            image, words, (across(tick) - text_size(words, PIXELS)[0] // 2, HEIGHT - MARGIN + 8), PIXELS, INK
        )
    for distances, colour in ((strangers, STRANGER), (genuine, GENUINE)):
        _steps(image, distances, edges, across, colour)
    cv2.line(image, (MARGIN, HEIGHT - MARGIN), (WIDTH - MARGIN, HEIGHT - MARGIN), INK, 1)
    x = across(threshold)
    cv2.line(image, (x, 2 * MARGIN - 8), (x, HEIGHT - MARGIN), INK, 2)
    put_text(image, title, (MARGIN, 16), PIXELS + 2, INK)
    put_text(image, labels[0], (MARGIN, 48), PIXELS, STRANGER)
    put_text(image, labels[1], (MARGIN, 74), PIXELS, GENUINE)
    put_text(image, f"threshold {threshold:.2f}", (min(x + 6, WIDTH - 160), 98), PIXELS, INK)
    put_text(image, "distance, shifts included", (WIDTH // 2 - 90, HEIGHT - 28), PIXELS, INK)
    return image


def _steps(
    image: Image,
    distances: Floats,
    edges: npt.NDArray[np.float64],
    across: Callable[[float], int],
    colour: tuple[int, int, int],
) -> None:
    """The outline of a histogram, its highest bar filling the height."""
    if not len(distances):
        return
    counts, _ = np.histogram(distances, edges)
    room = HEIGHT - 3 * MARGIN
    points = [(across(edges[0]), HEIGHT - MARGIN)]
    for i, count in enumerate(counts):
        y = round(HEIGHT - MARGIN - room * count / counts.max())
        points += [(across(edges[i]), y), (across(edges[i + 1]), y)]
    points.append((across(edges[-1]), HEIGHT - MARGIN))
    filled = image.copy()
    cv2.fillPoly(filled, [np.array(points, np.int32)], colour)
    image[:] = cv2.addWeighted(filled, 0.25, image, 0.75, 0)
    cv2.polylines(image, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)
