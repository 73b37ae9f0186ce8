"""What says that a picture is a picture of a picture, in pictures made here."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.liveness.cues import Denial, measure
from pipeline.types import Floats, Image

BOX = np.array([240, 140, 400, 340], np.float32)
RANDOM = np.random.default_rng(0)


def scene(box: Floats = BOX, framed: Floats | None = None, light: float = 1.0, room: float = 1.0) -> Image:
    """A smooth head before a dim wall with a sensor's noise; `framed` draws a sheet of paper there."""
    image = np.full((480, 640, 3), 70 * room)
    if framed is not None:
        x1, y1, x2, y2 = (int(value) for value in framed)
        cv2.rectangle(image, (x1, y1), (x2, y2), (200, 200, 200), cv2.FILLED)
    middle = tuple(int(value) for value in (box[:2] + box[2:]) / 2)
    axes = (int(box[2] - box[0]) // 2, int(box[3] - box[1]) // 2)
    cv2.ellipse(image, middle, axes, 0, 0, 360, (120 * light, 140 * light, 170 * light), cv2.FILLED)
    image = cv2.GaussianBlur(image, (0, 0), 1.2)
    return np.clip(image + RANDOM.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def denied(pictures: list[tuple[Image, Floats]]) -> str | None:
    denial = Denial()
    for index, (image, box) in enumerate(pictures):
        denial.see(index / 20, measure(image, box))
    return denial.why


def moved(offset: float) -> Floats:
    return BOX + np.array([offset, 0.5 * offset, offset, 0.5 * offset], np.float32)


SWAY = [50 * np.sin(index / 3) for index in range(24)]


def test_a_plain_head_that_moves_before_a_wall_is_not_denied() -> None:
    assert denied([(scene(moved(by)), moved(by)) for by in SWAY]) is None


def test_edges_that_move_with_the_face_deny_and_a_frame_on_the_wall_does_not() -> None:
    paper = np.array([180, 60, 460, 420], np.float32)
    held = [(scene(moved(by), paper + np.tile(moved(by)[:2] - BOX[:2], 2)), moved(by)) for by in SWAY]
    assert denied(held) == "edges around the face move with it"
    wall = np.array([140, 40, 500, 450], np.float32)
    assert denied([(scene(moved(by), wall), moved(by)) for by in SWAY]) is None


def test_edges_around_a_face_that_keeps_still_say_nothing() -> None:
    paper = np.array([180, 60, 460, 420], np.float32)
    assert denied([(scene(BOX, paper), BOX) for _ in range(12)]) is None


def test_glare_denies() -> None:
    def glossy() -> Image:
        image = scene()
        cv2.circle(image, (320, 220), 40, (255, 255, 255), cv2.FILLED)
        return image

    assert denied([(glossy(), BOX) for _ in range(8)]) == "the face reflects like something glossy"


def test_moire_denies() -> None:
    y, x = np.mgrid[0:480, 0:640]
    wave = 8 * np.sin(2 * np.pi * (x * 0.21 + y * 0.13))
    pictures = [np.clip(scene() + wave[..., None], 0, 255).astype(np.uint8) for _ in range(8)]
    assert denied([(image, BOX) for image in pictures]) == (
        "there is a pattern on the face, as of a screen or of a print"
    )


def test_banding_denies() -> None:
    wave = 8 * np.sin(2 * np.pi * np.arange(480) * 0.19)
    pictures = [np.clip(scene() + wave[:, None, None], 0, 255).astype(np.uint8) for _ in range(8)]
    assert denied([(image, BOX) for image in pictures]) == "there are bands across the face, as of a screen"


def test_light_that_does_not_follow_the_room_denies_and_light_that_does_is_fine() -> None:
    both = [1.0] * 5 + [0.5] * 5
    assert denied([(scene(light=each, room=each), BOX) for each in both]) is None
    why = "the light on the face does not follow the room's"
    assert denied([(scene(light=each), BOX) for each in both]) == why
    assert denied([(scene(room=each), BOX) for each in both]) == why


def test_a_face_at_the_edge_or_too_small_denies_nothing() -> None:
    for box in ([-50, -50, 20, 20], [0, 0, 5, 5], [600, 440, 700, 520]):
        edge = np.array(box, np.float32)
        assert denied([(scene(), edge) for _ in range(6)]) is None
    assert Denial().values() == {}
