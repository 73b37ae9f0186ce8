"""Names in Arabic, Thai and Indic scripts, shaped where Pillow and a font are there, and never an error."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.drawing import shaping
from pipeline.drawing.lettering import put_text, shorten, text_size
from pipeline.drawing.shaping import pieces, put, shaped

NAMES = {"Arabic": "محمد علي", "Thai": "น้ำผึ้ง", "Devanagari": "श्रीकृष्ण"}


def need(script: str) -> None:
    if shaped(NAMES[script], script, 30) is None:
        pytest.skip(f"needs Pillow with libraqm and a font for {script}: apt-get install fonts-noto-core")


@pytest.fixture
def afresh() -> Iterator[None]:
    """Fonts are looked for again, and again after the test."""
    for found in (shaping._font, shaping.shaped):
        found.cache_clear()  # type: ignore[attr-defined]
    yield
    for found in (shaping._font, shaping.shaped):
        found.cache_clear()  # type: ignore[attr-defined]


def test_text_is_cut_into_runs_of_a_script() -> None:
    assert pieces("Dr محمد علي 99%") == [("Dr ", None), ("محمد علي", "Arabic"), (" 99%", None)]
    assert pieces("สมชาย, राम") == [("สมชาย", "Thai"), (", ", None), ("राम", "Devanagari")]
    assert pieces("Grace 王小明 שלום") == [("Grace 王小明 שלום", None)]
    assert pieces("") == [("", None)]
    for text in ("می‌خواهم", "क्‍ष"):  # with joiners inside
        assert len(pieces(text)) == 1


@pytest.mark.parametrize("script", NAMES)
def test_a_label_is_drawn_in_its_script_within_the_width_it_says(script: str) -> None:
    need(script)
    image = np.zeros((80, 400, 3), np.uint8)
    put_text(image, NAMES[script], (20, 20), 30, (255, 255, 255))
    ink = np.flatnonzero(image.any(axis=(0, 2)))
    width, _ = text_size(NAMES[script], 30)
    assert ink[0] >= 20 - 2
    assert ink[-1] <= 20 + width + 2
    assert ink[-1] - ink[0] > 0.8 * width


def test_arabic_letters_join() -> None:
    need("Arabic")
    together = shaped("بيت", "Arabic", 60)
    apart = [shaped(letter, "Arabic", 60) for letter in "بيت"]
    assert together is not None
    assert together.advance < 0.9 * sum(each.advance for each in apart if each)
    # Joined, all three are one stroke: no empty column between them.
    ink = np.flatnonzero(together.mask.any(axis=0))
    assert len(ink) == ink[-1] - ink[0] + 1


def test_what_is_written_around_it_stays_where_it_is() -> None:
    need("Arabic")
    name, around = text_size("محمد", 30)[0], text_size("Dr 99%", 30)[0]
    assert name + around <= text_size("Dr محمد 99%", 30)[0] <= name + around + 30
    assert shorten("محمد علي بن أبي طالب", 30, 80) != "محمد علي بن أبي طالب"


def test_ink_outside_the_picture_is_cut_off() -> None:
    run = shaping.Shaped(np.full((10, 20), 255, np.uint8), left=0, top=-10, advance=20)
    for pen, painted in [((0, 10), 200), ((-15, 10), 50), ((35, 10), 50), ((0, 4), 80), ((0, 35), 100)]:
        image = np.zeros((30, 40, 3), np.uint8)
        put(image, run, pen, (1, 2, 3))
        assert int(image.any(axis=2).sum()) == painted
        assert {tuple(pixel) for pixel in image[image.any(axis=2)].tolist()} == {(1, 2, 3)}
    image = np.zeros((30, 40, 3), np.uint8)
    put(image, run, (50, 10), (1, 2, 3))
    put(image, run, (0, 60), (1, 2, 3))
    assert not image.any()


def test_half_covered_pixels_are_mixed_with_what_is_there() -> None:
    image = np.full((1, 1, 3), 100, np.uint8)
    put(image, shaping.Shaped(np.array([[51]], np.uint8), 0, 0, 1), (0, 0), (200, 100, 0))
    assert image[0, 0].tolist() == [120, 100, 80]


@pytest.mark.parametrize("missing", ["PIL", "a font"])
def test_without_pillow_or_a_font_opencv_draws_what_it_can(
    missing: str, monkeypatch: pytest.MonkeyPatch, afresh: None
) -> None:
    if missing == "PIL":
        monkeypatch.setitem(sys.modules, "PIL", None)
    else:
        monkeypatch.setattr("PIL.ImageFont.truetype", lambda *_, **__: (_ for _ in ()).throw(OSError))
    assert shaped("محمد", "Arabic", 30) is None
    image = np.zeros((80, 400, 3), np.uint8)
    put_text(image, "محمد ราม", (20, 20), 30, (255, 255, 255))
    assert image.any()
    assert text_size("محمد", 30)[0] > 0
