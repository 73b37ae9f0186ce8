"""How far a head is turned to the side or lifted, guessed from five landmarks.

With the nose NOSE distances of the eyes before them, a head turned by an angle shows the eyes nearer to each
other by its cosine, and the nose off their middle by its sine. That is a guess: landmarks of profiles are
guesses themselves, and noses differ. It is good for sorting faces into four heaps.
"""

from __future__ import annotations

import numpy as np

from pipeline.types import Floats

NOSE = 0.5  # how far it stands before the eyes, in their distance
TURNS = {"<20": (0, 20), "20-40": (20, 40), "40-60": (40, 60), ">60": (60, 91)}  # degrees


def turns(landmarks: Floats) -> Floats:
    """Degrees (n,) to either side, 0..90, of landmarks (n, 5, 2); NaN where they are not known."""
    eyes = landmarks[:, 1] - landmarks[:, 0]
    distance = np.linalg.norm(eyes, axis=1)
    aside = ((landmarks[:, 2] - landmarks[:, :2].mean(axis=1)) * eyes).sum(axis=1)
    # Both are lengths in distances of the eyes as they would be seen from the front, up to one factor.
    return np.asarray(np.degrees(np.arctan2(np.abs(aside), NOSE * distance**2)), np.float32)


def yaw(landmarks: Floats) -> float:
    """How far a head is turned to its own left, from landmarks (5, 2) of an image that is not mirrored.

    0 is frontal, 1 profile, negative to the right, NaN without landmarks. As `pipeline.faces.quality.turn`,
    with a sign.
    """
    left, right, nose = landmarks[0], landmarks[1], landmarks[2]
    eyes = right - left
    along = float((nose - left) @ eyes) / max(float(eyes @ eyes), 1e-6)
    return 2 * along - 1


def nod(landmarks: Floats) -> float:
    """Where the nose is on the way from the eyes (0) to the mouth (1): it rises when the chin does."""
    eyes, nose, mouth = landmarks[:2].mean(axis=0), landmarks[2], landmarks[3:].mean(axis=0)
    down = mouth - eyes
    return float((nose - eyes) @ down) / max(float(down @ down), 1e-6)
