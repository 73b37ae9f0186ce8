"""From landmarks to the upright 112 x 112 crops that the embedder reads."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.types import Floats, Image

SIZE = 112
VERSION = "5pt-112-v1"  # part of every template's fingerprint: change it when a crop would come out different

# Where eyes, nose and mouth corners lie in a crop, in pixels: the template that most face embedders share.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float32,
)
# Where our detector's box lies in a crop, the median over 480 of LFW's faces: the way out for detections that
# come without landmarks.
_BOX_IN_CROP = np.array([[12.0, 4.0], [99.0, 124.0]], np.float32)


def similarity(points: Floats, target: Floats) -> Floats:
    """The 2 x 3 matrix of rotation, scale and shift that brings `points` (n, 2) closest to `target` (n, 2).

    Least squares in closed form, without reflection: Umeyama, "Least-squares estimation of transformation
    parameters between two point patterns", PAMI 1991.
    """
    points_mean, target_mean = points.mean(axis=0), target.mean(axis=0)
    points_centered, target_centered = points - points_mean, target - target_mean
    variance = float((points_centered**2).sum())
    # For plane similarities the solution is one complex number: scale and rotation together.
    a = float((points_centered * target_centered).sum()) / max(variance, 1e-12)
    cross = points_centered[:, 0] * target_centered[:, 1] - points_centered[:, 1] * target_centered[:, 0]
    b = float(cross.sum()) / max(variance, 1e-12)
    linear = np.array([[a, -b], [b, a]], np.float32)
    shift = target_mean - linear @ points_mean
    return np.concatenate([linear, shift[:, None]], axis=1).astype(np.float32)


def crop(image: Image, boxes: Floats, landmarks: Floats) -> Image:
    """Aligned crops (n, 112, 112, 3) uint8 BGR of the faces with these boxes (n, 4) and landmarks (n, 5, 2).

    A face whose landmarks are NaN is aligned by its box alone.
    """
    crops = np.empty((len(boxes), SIZE, SIZE, 3), np.uint8)
    for row, (box, points) in enumerate(zip(boxes, landmarks, strict=True)):
        if np.isfinite(points).all():
            matrix = similarity(points, TEMPLATE)
        else:
            # Uniform scale from the heights, so that faces are not squeezed.
            center, height = box.reshape(2, 2).mean(axis=0), max(float(box[3] - box[1]), 1.0)
            scale = float(_BOX_IN_CROP[1, 1] - _BOX_IN_CROP[0, 1]) / height
            shift = _BOX_IN_CROP.mean(axis=0) - scale * center
            matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
        # INTER_AREA does not exist for warps: shrinking by more than two would alias, so average down first.
        source, scale = image, float(np.hypot(matrix[0, 0], matrix[1, 0]))
        if scale < 0.5:
            source, matrix = _shrunk_region(image, matrix, scale)
        cv2.warpAffine(source, matrix, (SIZE, SIZE), dst=crops[row], flags=cv2.INTER_LINEAR)
    return crops


def center_crop(image: Image, share: float = 0.5) -> Image:
    """The crop (112, 112, 3) used where no face was found: the middle, `share` of the shorter side."""
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) * share))
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(
        image[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_AREA
    ).astype(np.uint8)


def _shrunk_region(image: Image, matrix: Floats, scale: float) -> tuple[Image, Floats]:
    """The region of the image that the crop needs, averaged down, with the matrix that fits it."""
    inverse = cv2.invertAffineTransform(matrix)
    # One pixel of the crop beyond each side keeps the black outside the region out of its border.
    low, high = -1, SIZE
    corners = (
        np.array([[low, low, 1], [high, low, 1], [low, high, 1], [high, high, 1]], np.float32) @ inverse.T
    )
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)), (left + 1, top + 1), (width, height)).astype(int)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    region = cv2.resize(image[top:bottom, left:right], size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    # pixel centres: x_small + 0.5 = (x - left + 0.5) * sx
    sx, sy = size[0] / (right - left), size[1] / (bottom - top)
    to_image = np.array(
        [[1 / sx, 0, left - 0.5 + 0.5 / sx], [0, 1 / sy, top - 0.5 + 0.5 / sy], [0, 0, 1]], np.float32
    )
    return region, (np.vstack([matrix, [0, 0, 1]]) @ to_image)[:2].astype(np.float32)
