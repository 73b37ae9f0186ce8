"""Drawings keep to the frame, tell the states apart, and can be read at any size."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

import pipeline.drawing.draw
import pipeline.drawing.lettering
from pipeline.drawing.draw import AMBER, GREEN, GREY, RED, draw, label
from pipeline.drawing.lettering import put_text, shorten, text_size
from pipeline.drawing.sheet import contact_sheet, letterbox
from pipeline.types import Identity, State, TrackedFace

SIZES = [(160, 120), (640, 360), (1920, 1080), (3840, 2160), (1080, 1920)]


def face(
    box: Sequence[float],
    state: State = State.NAMED,
    name: str | None = "alice",
    confidence: float = 0.97,
    track: int = 1,
) -> TrackedFace:
    corners = np.array(box, np.float32)
    landmarks = np.full((5, 2), np.nan, np.float32)
    landmarks[0] = (corners[:2] + corners[2:]) / 2
    return TrackedFace(track, corners, landmarks, 0.9, Identity(state, name, confidence))


def count(image: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((image == np.array(colour, np.uint8)).all(axis=2).sum())


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Boolean (height, width): where a picture was drawn on."""
    return (before != after).any(axis=2)


def ground(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def labels_of(
    image: np.ndarray, faces: Sequence[TrackedFace], monkeypatch: pytest.MonkeyPatch
) -> list[tuple]:
    """The rectangles of the labels that `draw` draws."""
    places: list[tuple] = []
    fill = pipeline.drawing.draw._fill_rounded

    def record(canvas: np.ndarray, place: tuple, *rest: object) -> None:
        places.append(place)
        fill(canvas, place, *rest)

    monkeypatch.setattr(pipeline.drawing.draw, "_fill_rounded", record)
    draw(image, faces)
    return places


@pytest.mark.parametrize("size", SIZES)
def test_the_picture_given_is_not_touched(size: tuple[int, int]) -> None:
    image = ground(*size)
    image.setflags(write=False)
    drawn = draw(image, [face((10, 10, 60, 70))])
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert changed(image, drawn).any()


def test_no_faces_leave_the_picture_as_it_is() -> None:
    image = ground(64, 48)
    drawn = draw(image, [])
    assert np.array_equal(drawn, image)
    assert drawn is not image


@pytest.mark.parametrize("state", list(State))
def test_a_covered_face_has_a_grey_box_with_plain_corners_whatever_is_known_of_it(state: State) -> None:
    shown = face((20, 30, 120, 160), state)
    drawn = draw(ground(640, 360), [replace(shown, covered=True)])
    corners = drawn[[30, 30, 159, 159], [20, 119, 20, 119]]
    assert (corners == GREY).all()
    assert count(drawn, GREY) == 2 * (100 + 130) - 4
    assert not count(drawn, GREEN) + count(drawn, RED) + count(drawn, AMBER)


@pytest.mark.parametrize(
    ("state", "colour"), [(State.NAMED, GREEN), (State.UNKNOWN, RED), (State.UNDECIDED, AMBER)]
)
def test_each_state_has_its_colour(state: State, colour: tuple[int, int, int]) -> None:
    drawn = draw(ground(640, 360), [face((200, 100, 300, 220), state)])
    counts = {each: count(drawn, each) for each in (GREEN, RED, AMBER)}
    assert counts.pop(colour) > 100
    assert set(counts.values()) == {0}


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (Identity(State.NAMED, "alice", 0.974), "alice 97%"),
        (Identity(State.NAMED, "alice", 0.999999), "alice 99%"),
        (Identity(State.UNKNOWN, None, 0.9), "unknown"),
        (Identity(State.UNDECIDED, "alice", 0.6), "?"),
    ],
)
def test_a_label_says_the_verdict_and_never_claims_certainty(identity: Identity, text: str) -> None:
    assert label(identity) == text


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("at", [(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5)])
def test_a_label_lies_inside_the_frame_whole_wherever_the_face_is(
    size: tuple[int, int], at: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    width, height = size
    x, y = at[0] * width, at[1] * height
    reach = 0.1 * min(size)
    [place] = labels_of(ground(*size), [face((x - reach, y - reach, x + reach, y + reach))], monkeypatch)
    assert 0 <= place[0] < place[2] <= width
    assert 0 <= place[1] < place[3] <= height
    text_width, text_height = text_size("alice 97%", 11)
    assert place[2] - place[0] >= text_width
    assert place[3] - place[1] >= text_height


def test_lettering_grows_with_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    heights = []
    for width, height in [(640, 360), (1920, 1080), (3840, 2160)]:
        box = (0.3 * width, 0.3 * height, 0.35 * width, 0.4 * height)
        [place] = labels_of(ground(width, height), [face(box)], monkeypatch)
        heights.append(place[3] - place[1])
        monkeypatch.undo()
    assert heights[0] >= 12
    assert heights[1] >= 2 * heights[0] - 6
    assert heights[2] == pytest.approx(2 * heights[1], abs=3)


def test_labels_of_a_row_of_neighbours_do_not_cover_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = [face((60 * i + 50, 100, 60 * i + 108, 170), name="Bartholomew", track=i) for i in range(6)]
    places = labels_of(ground(640, 360), faces, monkeypatch)
    assert len(places) == 6
    for i, one in enumerate(places):
        for other in places[i + 1 :]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart, (one, other)


def test_a_label_avoids_the_face_above(monkeypatch: pytest.MonkeyPatch) -> None:
    upper, lower = face((300, 60, 360, 130), track=1), face((300, 132, 360, 202), track=2)
    places = labels_of(ground(640, 360), [upper, lower], monkeypatch)
    for place in places:
        for box in ((300, 60, 360, 130), (300, 132, 360, 202)):
            width = min(place[2], box[2]) - max(place[0], box[0])
            height = min(place[3], box[3]) - max(place[1], box[1])
            assert width <= 0 or height <= 0


def test_an_unconfirmed_face_has_a_thin_box_and_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = [face((100, 100, 200, 220), State.UNDECIDED, track=-1)]
    assert labels_of(ground(640, 360), faces, monkeypatch) == []
    assert 0 < count(draw(ground(640, 360), faces), AMBER) < 600


def test_the_bar_of_an_undecided_face_shows_the_evidence() -> None:
    def amber(confidence: float) -> int:
        return count(
            draw(ground(640, 360), [face((100, 100, 220, 240), State.UNDECIDED, None, confidence)]), AMBER
        )

    none, half, full = amber(0.0), amber(0.5), amber(1.0)
    assert full - none > 200
    assert half - none == pytest.approx((full - none) / 2, abs=10)


@pytest.mark.parametrize(
    "box",
    [
        (-50, -50, -10, -10),  # outside
        (100, 100, 100, 100),  # nothing
        (100, 100, 90, 90),  # inside out
        (float("nan"), 0, 10, 10),
        (0, 0, float("inf"), 10),
    ],
)
def test_a_box_of_which_nothing_is_inside_is_not_drawn(box: tuple[float, ...]) -> None:
    assert np.array_equal(draw(ground(64, 48), [face(box)]), ground(64, 48))


@pytest.mark.parametrize("box", [(-1e6, -1e6, 1e6, 1e6), (3, 3, 6, 6), (0, 0, 64, 48), (-5, 10, 5, 30)])
@pytest.mark.parametrize("state", list(State))
def test_boxes_of_any_size_can_be_drawn(box: tuple[float, ...], state: State) -> None:
    assert changed(draw(ground(64, 48), [face(box, state)]), ground(64, 48)).any()


def test_landmarks_are_drawn_on_demand_where_they_are_known() -> None:
    faces = [face((100, 100, 200, 200))]
    plain, marked = draw(ground(640, 360), faces), draw(ground(640, 360), faces, landmarks=True)
    assert changed(plain, marked)[145:156, 145:156].any()


@pytest.mark.parametrize(
    "name", ["Jürgen", "李小龙", "Δημήτρης", "Иван", "김철수", "محمد", "", "a\nb\0c", "x" * 500]
)
@pytest.mark.parametrize("size", [(32, 24), (640, 360)])
def test_any_name_can_be_written_inside_the_frame(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    [place] = labels_of(ground(*size), [face((10, 8, 22, 20), name=name)], monkeypatch)
    assert place[2] - place[0] <= max(size[0], text_size("…", 11)[0] + 8)


def written(text: str) -> np.ndarray:
    image = np.zeros((60, 300, 3), np.uint8)
    put_text(image, text, (5, 5), 30, (255, 255, 255))
    return image


@pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="OpenCV 4 has ASCII letters only")
@pytest.mark.parametrize("text", ["ü", "李", "И", "김", "…"])
def test_letters_beyond_ascii_are_letters_and_not_question_marks(text: str) -> None:
    assert not np.array_equal(written(text), written("?"))
    assert written(text).any()


@pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="OpenCV 4 has ASCII letters only")
def test_hebrew_is_set_from_right_to_left() -> None:
    ink = written("אב").any(axis=(0, 2)).nonzero()[0]
    first_letter = written("א").any(axis=(0, 2)).nonzero()[0]
    width = first_letter[-1] - first_letter[0]
    right = written("אב")[:, ink[-1] - width : ink[-1] + 1]
    assert np.abs(right.astype(int) - written("א")[:, first_letter[0] : first_letter[-1] + 1]).mean() < 12


def test_without_truetype_fonts_accents_are_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.drawing.lettering, "_TRUETYPE", False)
    assert pipeline.drawing.lettering._drawable("Jürgen 李 …") == "Jurgen ? ..."
    assert written("Jürgen").any()
    width, height = text_size("Jürgen", 30)
    assert 50 < width < 200
    assert height == text_size("x", 30)[1]
    assert changed(draw(ground(640, 360), [face((100, 100, 200, 200))]), ground(640, 360)).any()


def test_text_stays_inside_the_size_it_says() -> None:
    text, pixels = "Adlgjpq 97%", 30
    width, height = text_size(text, pixels)
    image = np.zeros((height + 40, width + 40, 3), np.uint8)
    put_text(image, text, (20, 20), pixels, (255, 255, 255))
    rows, columns = image.any(axis=2).nonzero()
    assert rows.min() >= 20
    assert rows.max() <= 20 + height + 1
    assert columns.min() >= 19
    assert columns.max() <= 20 + width + 1


def test_text_is_shortened_to_the_width_and_no_further_than_one_letter() -> None:
    assert shorten("alice", 20, 1000) == "alice"
    short = shorten("a rather long name", 20, 90)
    assert short.endswith("…")
    assert text_size(short, 20)[0] <= 90
    assert shorten("alice", 20, 1) == "a…"


@pytest.mark.parametrize("pictures", [1, 2, 5, 12])
def test_a_contact_sheet_holds_every_picture_whole(pictures: int) -> None:
    colours = [(20 * i + 10, 255 - 20 * i, 77) for i in range(pictures)]
    images = [np.full((30 + i, 90 - i, 3), colour, np.uint8) for i, colour in enumerate(colours)]
    sheet = contact_sheet([(image, f"Nº {i}") for i, image in enumerate(images)], cell=(80, 60))
    for colour in colours:
        assert count(sheet, colour) > 80 * 20
    assert sheet.shape[1] < 4 * sheet.shape[0]


def test_a_contact_sheet_has_the_columns_asked_for_and_no_more_than_pictures() -> None:
    pictures = [(ground(40, 30), "a")] * 3
    wide, narrow = contact_sheet(pictures, columns=9), contact_sheet(pictures, columns=1)
    assert narrow.shape[1] * 2.5 < wide.shape[1] < narrow.shape[1] * 3.1
    assert wide.shape[0] * 2.5 < narrow.shape[0]


def test_a_contact_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])


def test_letterboxing_keeps_the_shape_and_centres() -> None:
    boxed = letterbox(np.full((10, 40, 3), 200, np.uint8), (80, 60))
    assert boxed.shape == (60, 80, 3)
    rows = (boxed == 200).all(axis=(1, 2)).nonzero()[0]
    assert (rows[0], rows[-1]) == (20, 39)
    assert letterbox(np.zeros((1, 5000, 3), np.uint8), (20, 20)).shape == (20, 20, 3)
