"""Drawing results onto frames.

A box and a label around every face: green with the name where there is one, muted red for somebody unknown,
thin amber with a bar of evidence while undecided, thin grey without a label where the face is covered. Where
people are followed, the box is the person's, with a thin one around the face. Everything is sized by the
frame, so that it reads the same on a thumbnail and in 4K. Labels stay inside the frame and keep off each
other and off other faces where they can.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.drawing.lettering import Colour, put_text, shorten, text_size
from pipeline.types import Identity, Image, State, TrackedFace

GREEN: Colour = (72, 168, 44)
RED: Colour = (74, 74, 188)
AMBER: Colour = (32, 166, 245)
WHITE: Colour = (255, 255, 255)
DARK: Colour = (24, 24, 24)
GREY: Colour = (150, 150, 150)

_MIN_TEXT = 11  # pixels; below this letters run together


class _Rectangle(NamedTuple):
    """Pixels `left <= x < right`, `top <= y < bottom`."""

    left: int
    top: int
    right: int
    bottom: int

    def overlap(self, other: _Rectangle) -> int:
        """Area that both cover, in pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, width) * max(0, height)


def draw(image: Image, faces: Sequence[TrackedFace], *, landmarks: bool = False) -> Image:
    """Return a copy of `image` `(height, width, 3)` BGR with the faces of its frame drawn in.

    A face that the tracker has not confirmed (track -1) gets a thin box and no label. Boxes may reach beyond
    the frame. With `landmarks`, the five points are drawn too.
    """
    canvas = image.copy()
    height, width = image.shape[:2]
    frame = _Rectangle(0, 0, width, height)
    shown = [(face, box) for face in faces if (box := _box_in(frame, face.box)) is not None]
    boxes = [box for _, box in shown]
    # Lines first, labels on top of all lines; big faces choose the place of their label first.
    for face, box in shown:
        _draw_box(canvas, face, box)
        if face.face is not None and (inner := _box_in(frame, face.face)) is not None:
            _rounded_outline(canvas, inner, 0, _colour(face), 1)
        if landmarks:
            _draw_landmarks(canvas, face)
    labels: list[_Rectangle] = []
    for face, box in sorted(shown, key=lambda pair: (pair[1].top - pair[1].bottom, pair[0].track)):
        text = label(face.identity) if face.track >= 0 and not face.covered else ""
        if not text:
            continue
        pixels = _text_pixels(frame, box)
        pad = max(2, round(0.3 * pixels))
        text = shorten(text, pixels, width - 2 * pad)
        text_width, text_height = text_size(text, pixels)
        size = (text_width + 2 * pad, text_height + pad // 2 * 2)
        others = [other for other in boxes if other is not box]
        place = _place_label(size, box, frame, labels, others, gap=_line_width(frame))
        labels.append(place)
        colour = _colour(face)
        _fill_rounded(canvas, place, round(0.25 * pixels), colour)
        ink = DARK if _is_light(colour) else WHITE
        put_text(canvas, text, (place.left + pad, place.top + pad // 2), pixels, ink)
    return canvas


def label(identity: Identity) -> str:
    """What is written at a face: `alice 97%`, `unknown`, or `?` while undecided.

    The percentage stops at 99: rounding must not turn a probability into a certainty.
    """
    match identity.state:
        case State.NAMED:
            return f"{identity.name} {min(99, int(100 * identity.confidence + 0.5))}%"
        case State.UNKNOWN:
            return "unknown"
        case State.UNDECIDED:
            return "?"


def _colour(face: TrackedFace) -> Colour:
    if face.covered:  # the colour would say whether it is somebody who is known
        return GREY
    return {State.NAMED: GREEN, State.UNKNOWN: RED, State.UNDECIDED: AMBER}[face.identity.state]


def _is_light(colour: Colour) -> bool:
    blue, green, red = colour
    return 0.114 * blue + 0.587 * green + 0.299 * red > 140


def _line_width(frame: _Rectangle) -> int:
    """Thickness of a box's line: 1 on a thumbnail, 3 at 1080p, 6 in 4K."""
    return max(1, round(min(frame.right, frame.bottom) / 360))


def _text_pixels(frame: _Rectangle, box: _Rectangle) -> int:
    """Font size: by the frame's shorter side, and somewhat larger for large faces."""
    smallest = max(_MIN_TEXT, 0.026 * min(frame.right, frame.bottom))
    return round(min(max(smallest, 0.13 * (box.right - box.left)), 1.7 * smallest))


def _box_in(frame: _Rectangle, box: np.ndarray) -> _Rectangle | None:
    """`box` in whole pixels, cut to the frame; None if nothing of it is inside."""
    if not np.isfinite(box).all():
        return None
    left, top = (max(0, round(float(value))) for value in box[:2])
    right, bottom = min(frame.right, round(float(box[2]))), min(frame.bottom, round(float(box[3])))
    return _Rectangle(left, top, right, bottom) if right - left >= 2 and bottom - top >= 2 else None


def _draw_box(canvas: Image, face: TrackedFace, box: _Rectangle) -> None:
    frame = _Rectangle(0, 0, canvas.shape[1], canvas.shape[0])
    undecided = face.identity.state is State.UNDECIDED
    line = max(1, round(_line_width(frame) * (0.6 if undecided or face.covered else 1)))
    colour = _colour(face)
    if face.covered:  # straight lines, as those of its cells are, take a fifth of the time of rounded ones
        corners = (box.left, box.top), (box.right - 1, box.bottom - 1)
        cv2.rectangle(canvas, *corners, DARK, line + max(2, line // 2 * 2))
        cv2.rectangle(canvas, *corners, colour, line)
        return
    radius = min(box.right - box.left, box.bottom - box.top) // 10
    # A dark rim keeps the line visible on a background of its own colour.
    _rounded_outline(canvas, box, radius, DARK, line + max(2, line // 2 * 2))
    _rounded_outline(canvas, box, radius, colour, line)
    if undecided and face.track >= 0:
        _draw_evidence(canvas, box, face.identity.confidence, max(3, round(2.5 * line)))


def _draw_evidence(canvas: Image, box: _Rectangle, confidence: float, thickness: int) -> None:
    """A bar along the inside of the lower edge, filled by the share of `confidence`."""
    inset = 2 * thickness
    left, right = box.left + inset, box.right - inset
    bottom = box.bottom - inset
    if right - left < 4 or bottom - thickness <= box.top:
        return
    filled = left + round((right - left) * min(1.0, max(0.0, confidence)))
    cv2.rectangle(canvas, (left - 1, bottom - thickness - 1), (right, bottom), DARK, cv2.FILLED)
    if filled > left:
        cv2.rectangle(canvas, (left, bottom - thickness), (filled - 1, bottom - 1), AMBER, cv2.FILLED)


def _draw_landmarks(canvas: Image, face: TrackedFace) -> None:
    radius = max(1, round(float(face.box[2] - face.box[0]) / 50))
    for x, y in face.landmarks[np.isfinite(face.landmarks).all(axis=1)]:
        cv2.circle(canvas, (round(float(x)), round(float(y))), radius, WHITE, cv2.FILLED, cv2.LINE_AA)


def _rounded_outline(canvas: Image, box: _Rectangle, radius: int, colour: Colour, line: int) -> None:
    left, top, right, bottom = box.left, box.top, box.right - 1, box.bottom - 1
    corners = (
        ((left + radius, top + radius), 180),
        ((right - radius, top + radius), 270),
        ((right - radius, bottom - radius), 0),
        ((left + radius, bottom - radius), 90),
    )
    arcs = [cv2.ellipse2Poly(centre, (radius, radius), 0, start, start + 90, 10) for centre, start in corners]
    cv2.polylines(canvas, [np.concatenate(arcs)], True, colour, line, cv2.LINE_AA)


def _fill_rounded(canvas: Image, place: _Rectangle, radius: int, colour: Colour) -> None:
    """Fill `place`, corners rounded, in `colour`."""
    left, top, right, bottom = place.left, place.top, place.right - 1, place.bottom - 1
    radius = min(radius, (right - left) // 2, (bottom - top) // 2)
    cv2.rectangle(canvas, (left + radius, top), (right - radius, bottom), colour, cv2.FILLED)
    cv2.rectangle(canvas, (left, top + radius), (right, bottom - radius), colour, cv2.FILLED)
    for x in (left + radius, right - radius):
        for y in (top + radius, bottom - radius):
            cv2.circle(canvas, (x, y), radius, colour, cv2.FILLED, cv2.LINE_AA)


def _place_label(
    size: tuple[int, int],
    box: _Rectangle,
    frame: _Rectangle,
    labels: Sequence[_Rectangle],
    others: Sequence[_Rectangle],
    gap: int,
) -> _Rectangle:
    """Where to put a label of `size` `(width, height)` for the face at `box`.

    The first of some places around the box that covers nothing, or the one that covers least: another label
    is the worst to cover, another face next, the face itself least bad.
    """
    width, height = size
    above, below = box.top - gap - height, box.bottom + gap
    centred = (box.left + box.right - width) // 2
    places = [
        (box.left, above),
        (box.right - width, above),
        (box.left, below),
        (box.right - width, below),
        (centred, above),
        (centred, below),
        (box.right + gap, box.top),
        (box.left - gap - width, box.top),
        (box.left, box.top),
        (box.left, box.bottom - height),
        (box.left, above - height - gap),
        (box.left, below + height + gap),
    ]

    def cost(place: _Rectangle) -> float:
        covered_labels = sum(place.overlap(other) for other in labels)
        covered_faces = sum(place.overlap(other) for other in others)
        return 20.0 * covered_labels + 3.0 * covered_faces + place.overlap(box)

    best, least = None, math.inf
    for left, top in places:
        left = max(0, min(left, frame.right - width))
        top = max(0, min(top, frame.bottom - height))
        place = _Rectangle(left, top, left + width, top + height)
        covered = cost(place)
        if covered < least:
            best, least = place, covered
        if not covered:  # almost always the first
            break
    assert best is not None
    return best
