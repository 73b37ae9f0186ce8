"""Pictures that do not follow each other as a camera's do break an attempt."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pipeline.authentication.continuity import Continuity, digest_of

SHAPE = (480, 640, 3)
BOX = np.array([200, 100, 300, 220], np.float32)


def run(*changes: dict[str, object]) -> str | None:
    """Frames at 20 a second, each as the one before but for what changes."""
    continuity = Continuity()
    for index, change in enumerate(({}, {}, *changes)):
        frame: dict[str, object] = {
            "seconds": index / 20,
            "shape": SHAPE,
            "digest": bytes([index]),
            "cut": False,
            "box": BOX + index,
        }
        continuity.see(**(frame | change))  # type: ignore[arg-type]
    return continuity.broken


def test_a_face_that_moves_as_heads_do_breaks_nothing() -> None:
    assert run(*({"box": BOX + 6 * i} for i in range(20))) is None
    assert run({"box": None}, {}, {}) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"shape": (720, 1280, 3)}, "changed its size"),
        ({"digest": bytes([0])}, "twice"),
        ({"digest": bytes([1])}, "twice"),
        ({"seconds": 3.0}, "no picture came"),
        ({"cut": True}, "all at once"),
        ({"box": BOX + 90}, "jumped"),
        ({"box": BOX * np.array([1, 1, 1.3, 1.3], np.float32)}, "jumped|all at once"),
    ],
)
def test_what_no_camera_before_one_face_gives_breaks_it(change: dict[str, object], why: str) -> None:
    assert re.search(why, run(change) or "")


def test_what_is_broken_stays_so() -> None:
    assert run({"cut": True}, {}, {}, {}) == "the picture changed all at once"


def test_digests_differ_by_a_grey_level() -> None:
    image = np.zeros(SHAPE, np.uint8)
    other = image.copy()
    other[4, 4, 0] = 1
    assert digest_of(image) == digest_of(image.copy())
    assert digest_of(image) != digest_of(other)
