"""What a benchmark measured is not lost in the end: its outputs are checked before it begins."""

from __future__ import annotations

import argparse
import ast
import importlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.outputs.places import output_file, output_folder

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(BENCHMARKS.glob("*.py"))
WRITTEN = ("--out", "--cache")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_benchmark_checks_its_outputs_before_it_begins(script: Path) -> None:
    for call in ast.walk(ast.parse(script.read_text())):
        if not (isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "add_argument"):
            continue
        if getattr(call.args[0], "value", None) not in WRITTEN:
            continue
        given = {each.arg: each.value for each in call.keywords}
        assert getattr(given["type"], "id", None) in ("output_file", "output_folder"), script.name
        # argparse makes what `type` says of a default only where that is text
        assert isinstance(given.get("default"), ast.Constant | None), (
            f"{script.name}: the default is not checked"
        )


def test_a_missing_folder_is_made_before_the_work(tmp_path: Path) -> None:
    assert output_file(str(tmp_path / "a" / "b.json")).parent.is_dir()
    assert output_folder(str(tmp_path / "c" / "d")).is_dir()


@pytest.mark.parametrize("kind", [output_file, output_folder])
def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path, kind: object) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(argparse.ArgumentTypeError, match="no folder"):
        kind(str(tmp_path / "file" / "below"))  # type: ignore[operator]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(argparse.ArgumentTypeError, match="no permission"):
        output_file(str(tmp_path / "locked" / "a.json"))


def test_a_head_that_turned_the_other_way_before_does_not_answer_a_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes from the left to the right too fast to be seen from the front in between."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    heads, move = (
        importlib.import_module("heads"),
        importlib.import_module("pipeline.liveness.challenge").Move,
    )

    def found(*turns: float) -> dict[object, tuple[int, ...]]:
        places, known = np.ones((len(turns), 3), np.float32), np.ones(len(turns), bool)
        ways = heads.ways(np.array(turns, np.float32), np.full(len(turns), 0.55, np.float32), places, known)
        return {each: way.frames for each, way in ways.items()}

    there = (0.0, 0.0, 0.2, 0.4, 0.15)
    assert move.RIGHT not in found(*there, -0.15, -0.4, -0.4)
    assert found(*there, 0.0, -0.15, -0.3, -0.4)[move.RIGHT] == (5, 6, 7, 8)


def test_between_two_places_of_a_film_a_head_is_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    between = importlib.import_module("heads").between
    texture = np.random.default_rng(0).integers(120, 255, (24, 24, 3), np.uint8)
    texture = cv2.resize(texture, (72, 72), interpolation=cv2.INTER_CUBIC)

    def head_at(left: int) -> np.ndarray:
        image = np.zeros((120, 160, 3), np.uint8)
        image[24:96, left : left + 72] = texture
        return image

    halfway, laid_over = between(head_at(40), head_at(50), 0.5), (head_at(40) / 2 + head_at(50) / 2)
    off = [np.abs(each.astype(float) - head_at(45))[30:90, 52:110].mean() for each in (halfway, laid_over)]
    assert off[0] < 0.3 * off[1]
    np.testing.assert_array_equal(between(head_at(40), head_at(50), 0.0), head_at(40))


@pytest.mark.parametrize("degrees", [20.0, -20.0])
def test_a_head_is_tilted_about_its_chin_and_what_is_far_stays(
    monkeypatch: pytest.MonkeyPatch, degrees: float
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    heads = importlib.import_module("heads")
    chin, eye = np.float32([100, 140]), np.float32([110, 90])
    image = np.zeros((200, 300, 3), np.uint8)
    for x, y in (eye, (290, 20)):
        cv2.circle(image, (int(x), int(y)), 3, (255, 255, 255), cv2.FILLED)
    seen = heads.tilted(image, degrees, chin, height=60.0)
    np.testing.assert_array_equal(seen[:, 250:], image[:, 250:])
    y, x = (float(np.mean(each)) for each in np.nonzero(seen[:, :250, 0] > 127))
    assert (x, y) == pytest.approx(heads.about(chin, degrees, eye), abs=0.6)
    assert (x > 110) is (degrees > 0)  # the head's own left is right in the picture
