"""Sheets of face pairs as pictures."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt


def pair_sheet(
    images: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    distances: npt.NDArray[np.float32],
    same: npt.NDArray[np.bool_],
    across: int = 4,
) -> npt.NDArray[np.uint8]:
    """Pairs side by side (h, w, 3) BGR, each with its distance; a green rim for one person, red for two."""
    tiles = []
    for row, column, distance, one in zip(rows, columns, distances, same, strict=True):
        tile = np.concatenate([images[row], images[column]], axis=1)
        tile = cv2.copyMakeBorder(
            tile, 3, 19, 3, 3, cv2.BORDER_CONSTANT, value=(80, 160, 60) if one else (60, 60, 200)
        )
        text = f"{'one person' if one else 'two people'}  {distance:.2f}"
        cv2.putText(
            tile,
            text,
            (6, tile.shape[0] - 6),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.42,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
        tiles.append(tile.astype(np.uint8))
    while len(tiles) % across:
        tiles.append(np.zeros_like(tiles[0]))
    lines = [np.concatenate(tiles[i : i + across], axis=1) for i in range(0, len(tiles), across)]
    return np.concatenate(lines)
