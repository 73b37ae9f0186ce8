"""How far a head is turned, on points of a head of three dimensions that is turned here."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.faces.turn import NOSE, turns
from pipeline.types import Floats

# Eyes one apart, the nose before them; x to the right, y down, z towards the camera.
HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.6, NOSE], [-0.4, 1.1, 0.2], [0.4, 1.1, 0.2]])


def seen(degrees: float, roll: float = 0, size: float = 50) -> Floats:
    """Landmarks (1, 5, 2) of a head that is turned to the side and then rolled in the plane, pixels."""
    turn, tilt = np.radians(degrees), np.radians(roll)
    x = HEAD[:, 0] * np.cos(turn) + HEAD[:, 2] * np.sin(turn)
    points = np.stack([x, HEAD[:, 1]], axis=1) * size
    rolled = points @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    return (rolled + 200).astype(np.float32)[None]


@pytest.mark.parametrize("degrees", [0, 15, 45, 80])
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("roll", [0, 40, -90])
def test_the_turn_of_a_head_is_found_to_either_side_and_however_it_is_rolled(
    degrees: float, side: int, roll: float
) -> None:
    np.testing.assert_allclose(turns(seen(side * degrees, roll)), [degrees], atol=0.1)


def test_what_has_no_landmarks_is_turned_by_nobody_knows_how_much() -> None:
    points = np.concatenate([seen(30), np.full((1, 5, 2), np.nan, np.float32)])
    np.testing.assert_allclose(turns(points), [30, np.nan], atol=0.1)
