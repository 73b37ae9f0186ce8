"""Collecting, with frames whose shade is their number and keys pressed by a script."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import ConfigError, SinkError
from pipeline.training.collect import Window, center_square, collect
from pipeline.types import Frame, Image
from siamese.lfw.triplets import OWN, read_triplets

STEP = 10  # shades between frames, more than JPEG changes a flat picture


class Keys:
    """A preview that presses the given keys, one a frame, and remembers what it was shown."""

    def __init__(self, keys: str) -> None:
        self.keys = list(keys)
        self.shown: list[Image] = []
        self.closed = False

    def show(self, image: Image) -> str:
        self.shown.append(image)
        key = self.keys.pop(0) if self.keys else ""
        return "" if key == " " else key

    def close(self) -> None:
        self.closed = True


def frames(count: int = 20, seconds: float = 0.1, height: int = 48, width: int = 64) -> Iterator[Frame]:
    for i in range(count):
        yield Frame(np.full((height, width, 3), STEP * i, np.uint8), i, i * seconds, "camera 0")


def saved(out: Path) -> dict[str, list[int]]:
    """The numbers of the frames that were saved, in the order of their names."""
    return {
        folder.name: [round(float(np.mean(read(path))) / STEP) for path in sorted(folder.iterdir())]
        for folder in out.iterdir()
    }


def read(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None
    return image.astype(np.uint8)


def test_a_saves_an_anchor_p_a_positive_and_q_ends(tmp_path: Path) -> None:
    keys = Keys(" a p PA xq a")
    assert collect(frames(), tmp_path, preview=keys) == {"anchor": 2, "positive": 2}
    assert saved(tmp_path) == {"anchor": [1, 6], "positive": [3, 5]}
    assert len(keys.shown) == 10
    assert keys.closed


def test_escape_ends_too(tmp_path: Path) -> None:
    assert collect(frames(), tmp_path, preview=Keys("a\x1ba")) == {"anchor": 1, "positive": 0}


def test_without_a_screen_anchors_and_positives_are_saved_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_window(*_: object) -> None:
        raise AssertionError("a window was touched")

    for name in ("namedWindow", "imshow", "waitKey", "destroyWindow"):
        monkeypatch.setattr(cv2, name, no_window)
    assert collect(frames(), tmp_path, show=False, every=0.5) == {"anchor": 2, "positive": 2}
    assert saved(tmp_path) == {"anchor": [0, 10], "positive": [5, 15]}


def test_a_preview_and_a_clock_go_together(tmp_path: Path) -> None:
    collect(frames(12), tmp_path, every=0.5, preview=Keys("  p"))
    assert saved(tmp_path) == {"anchor": [0, 7], "positive": [2]}


def test_the_limit_holds_for_each_kind_and_ends_when_both_are_full(tmp_path: Path) -> None:
    keys = Keys("aaap pap")
    assert collect(frames(), tmp_path, limit=2, preview=keys) == {"anchor": 2, "positive": 2}
    assert saved(tmp_path) == {"anchor": [0, 1], "positive": [3, 5]}
    assert len(keys.shown) == 6


def test_what_is_saved_can_be_trained_from(tmp_path: Path) -> None:
    collect(frames(), tmp_path, preview=Keys("aapp"))
    (tmp_path / "negative").mkdir()
    (tmp_path / "negative" / "other.jpg").touch()
    rows = read_triplets(tmp_path)
    assert [(round(read(a).mean() / STEP), round(read(p).mean() / STEP)) for a, p, _ in rows] == [
        (0, 2),
        (1, 3),
    ]


def test_names_are_our_own_and_nothing_else_is_left(tmp_path: Path) -> None:
    collect(frames(), tmp_path, show=False, every=0)
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(paths) == 20
    assert all(OWN.fullmatch(path.name) for path in paths)


def test_the_image_is_the_tutorials_square_from_the_middle(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    np.testing.assert_array_equal(center_square(image, 250), image[115:365, 195:445])


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (640, 480), (240, 320)])
def test_the_square_shows_the_same_part_of_any_cameras_picture(height: int, width: int) -> None:
    across = np.abs(np.arange(width) - (width - 1) / 2)
    down = np.abs(np.arange(height) - (height - 1) / 2)
    off_center = np.maximum(across, down[:, None]) / (min(height, width) * 250 / 480 / 2)
    shades = np.select([off_center < 0.5, off_center < 1], [0, 100], 255).astype(np.uint8)
    square = center_square(np.repeat(shades[..., None], 3, axis=2), 250)
    assert square.shape == (250, 250, 3)
    assert square.dtype == np.uint8
    # A quarter of it black and the rest grey; a smaller part would be darker, a larger one lighter.
    assert square.mean() == pytest.approx(75, abs=4)


def test_the_smallest_picture_still_makes_a_square() -> None:
    assert center_square(np.zeros((1, 1, 3), np.uint8), 250).shape == (250, 250, 3)


def test_the_preview_shows_what_is_saved(tmp_path: Path) -> None:
    keys = Keys("a")
    collect(frames(1), tmp_path, size=100, preview=keys)
    assert keys.shown[0].shape == (100, 100, 3)
    assert read(next((tmp_path / "anchor").iterdir())).shape == (100, 100, 3)


def test_another_crop_may_be_given_and_may_find_nothing(tmp_path: Path) -> None:
    def bright(image: Image) -> Image | None:
        return image[:10, :10] if image.mean() >= 3 * STEP else None

    keys = Keys("aaaa")
    assert collect(frames(5), tmp_path, crop=bright, preview=keys) == {"anchor": 1, "positive": 0}
    assert keys.shown[0].shape == (48, 64, 3)  # with nothing to save, the camera's picture
    assert read(next((tmp_path / "anchor").iterdir())).shape == (10, 10, 3)


def test_the_clock_waits_for_something_to_save(tmp_path: Path) -> None:
    def second(image: Image) -> Image | None:
        return image if image.mean() >= 2 * STEP else None

    collect(frames(6), tmp_path, show=False, every=0.25, crop=second)
    assert saved(tmp_path) == {"anchor": [2], "positive": [5]}


def test_settings_by_which_nothing_could_be_saved_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="every how many seconds"):
        collect(frames(), tmp_path, show=False)
    with pytest.raises(ConfigError, match="at least 1"):
        collect(frames(), tmp_path, show=False, every=1, limit=0)


def test_the_preview_is_closed_when_the_camera_fails(tmp_path: Path) -> None:
    def failing() -> Iterator[Frame]:
        yield from frames(1)
        raise RuntimeError("unplugged")

    keys = Keys("a")
    with pytest.raises(RuntimeError, match="unplugged"):
        collect(failing(), tmp_path, preview=keys)
    assert keys.closed
    assert saved(tmp_path) == {"anchor": [0]}


def test_a_folder_that_cannot_be_written_is_a_sink_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(SinkError, match="cannot be written"):
        collect(frames(), tmp_path / "data", show=False, every=1)


def test_a_write_that_fails_leaves_no_part_of_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SinkError, match="No space left on device"):
        collect(frames(), tmp_path, show=False, every=1)
    assert list((tmp_path / "anchor").iterdir()) == []


def test_without_a_display_linux_is_never_asked_for_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SinkError, match="there is no screen"):
        collect(frames(), tmp_path)


class Screen:
    """OpenCV's windows, without a screen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int = -1) -> None:
        self.open = False
        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr(cv2, "namedWindow", lambda title: setattr(self, "open", True))
        monkeypatch.setattr(cv2, "getWindowProperty", lambda title, what: float(self.open))
        monkeypatch.setattr(cv2, "imshow", lambda title, image: None)
        monkeypatch.setattr(cv2, "waitKey", lambda milliseconds: code)
        monkeypatch.setattr(cv2, "destroyWindow", self.destroy)

    def destroy(self, title: str) -> None:
        if not self.open:
            raise cv2.error("NULL window")
        self.open = False


@pytest.mark.parametrize(("code", "key"), [(-1, ""), (ord("a"), "a"), (0x100000 + ord("p"), "p")])
def test_a_window_returns_the_key_that_was_pressed(
    monkeypatch: pytest.MonkeyPatch, code: int, key: str
) -> None:
    screen = Screen(monkeypatch, code)
    window = Window()
    assert window.show(np.zeros((2, 2, 3), np.uint8)) == key
    window.close()
    assert not screen.open


def test_closing_the_window_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch, ord("a"))

    def closing() -> Iterator[Frame]:
        for frame in frames():
            screen.open = frame.index < 3
            yield frame

    assert collect(closing(), tmp_path) == {"anchor": 3, "positive": 0}


def test_an_opencv_without_windows_is_a_sink_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Screen(monkeypatch)

    def headless(title: str) -> None:
        raise cv2.error("The function is not implemented")

    monkeypatch.setattr(cv2, "namedWindow", headless)
    with pytest.raises(SinkError, match="headless"):
        collect(frames(), tmp_path)
