"""The second stage's network: what it is shown in training, that it learns, what its file says."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.detection.second_stage import INPUT, SHOWN, SecondStage
from pipeline.detection.training.candidates import KEPT, PER_SIDE, Candidates
from pipeline.errors import DetectorError
from pipeline.types import Detections

pytest.importorskip("torch", reason="torch is not installed: uv sync --extra train")

from pipeline.detection.training import second_stage as training


def places(count: int, seed: int = 0) -> Candidates:
    """White squares are faces, a little off and of another size than their boxes; noise is none."""
    random = np.random.default_rng(seed)
    crops = random.integers(0, 120, (count, KEPT, KEPT, 3)).astype(np.uint8)
    faces = np.full((count, 4), np.nan, np.float32)
    overlaps = np.zeros(count, np.float32)
    for row in range(0, count, 2):
        x, y, side = *random.uniform(-0.1, 0.1, 2), random.uniform(0.8, 1.2)
        low = np.round(KEPT / 2 + (np.array([x, y]) - side / 2) * PER_SIDE).astype(int)
        high = np.round(KEPT / 2 + (np.array([x, y]) + side / 2) * PER_SIDE).astype(int)
        crops[row, low[1] : high[1], low[0] : high[0]] = 255
        middle, size = ((low + high) / 2 - KEPT / 2) / PER_SIDE, (high - low) / PER_SIDE
        faces[row] = [*middle, *size]
        overlaps[row] = training._overlap((0, 0, 1, 1), tuple(faces[row]))
    scores = random.uniform(0.1, 0.9, count).astype(np.float32)
    return Candidates(crops, scores, overlaps, np.ones((count, 2), np.float32), faces)


def test_what_is_to_be_said_of_a_box_is_where_the_face_is_in_the_crop() -> None:
    given, random = places(40), np.random.default_rng(1)
    for row in range(0, 40, 2):
        seen, overlap, box = training.varied(given, row, random)
        bright = np.argwhere(seen[:, :, 0] > 180)
        if (bright.min() == 0) or (bright.max() == INPUT - 1):
            continue  # the picture ends in the square
        middle = (bright.min(axis=0) + bright.max(axis=0))[::-1] / 2
        expected = (INPUT - 1) / 2 + box[:2] * INPUT / SHOWN
        assert middle == pytest.approx(expected, abs=1.5)
        side = np.sqrt(len(bright)) / (INPUT / SHOWN)
        assert np.exp(box[2:].mean()) == pytest.approx(side, rel=0.12)
        assert 0 < overlap <= 1


def test_a_place_without_a_face_stays_one_without() -> None:
    given, random = places(4), np.random.default_rng(1)
    _, overlap, box = training.varied(given, 1, random)
    assert overlap == 0
    assert (box == 0).all()


@pytest.fixture(scope="module")
def learned() -> training.Network:
    """After forty steps, however long they take."""
    steps = itertools.count()
    return training.train(places(48), 40 / 60, clock=lambda: float(next(steps)))


def test_it_learns_what_a_face_is_and_where(learned: training.Network) -> None:
    held = places(40, seed=5)
    told = training.logits(learned, training.plain(held))
    assert told[::2, 0].min() > told[1::2, 0].max()
    off = np.abs(told[::2, 1:3] - held.faces[::2, :2]).mean()
    assert off < np.abs(held.faces[::2, :2]).mean()


def test_what_is_looked_at_in_use_is_shown_more_often_and_what_fools_detectors_most() -> None:
    given = places(6)
    scores = np.array([0.03, 0.07, 0.5, 0.25, 0.95, 0.5], np.float32)  # every second one is a face
    shares = training._shares(replace(given, scores=scores))
    assert shares == pytest.approx([0.12, 0.4, 1, 1, 0.4, 3])
    rows = np.concatenate(list(itertools.islice(training._batches(shares, np.random.default_rng(1)), 2000)))
    often = np.bincount(rows, minlength=6) / np.bincount(rows)[2]
    assert often == pytest.approx(shares, rel=0.15)


def test_a_room_is_where_a_camera_mostly_looks_so_a_place_is_more_often_nobodys(
    learned: training.Network,
) -> None:
    held = places(60, seed=7)
    as_they_are, rarer = (training.weigh(learned, held, 0.1, rooms) for rooms in (1.0, 4.0))
    assert as_they_are[0] - rarer[0] == pytest.approx(np.log(4))
    assert as_they_are[1:] == rarer[1:]


def test_its_word_and_the_first_networks_are_weighed_on_what_it_did_not_see(
    learned: training.Network,
) -> None:
    added, first, second = training.weigh(learned, places(60, seed=7), 0.1)
    assert second > abs(first)
    assert np.isfinite(added)


def test_weights_are_kept_to_go_on_from_and_other_files_are_refused(
    learned: training.Network, tmp_path: Path
) -> None:
    kept = tmp_path / "second-stage.pt"
    training.keep(learned, kept)
    crops = training.plain(places(4))
    again = training.restored(kept).eval()
    np.testing.assert_array_equal(training.logits(again, crops), training.logits(learned, crops))
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    kept.write_bytes(b"no weights")
    with pytest.raises(DetectorError, match="not the weights of a second stage"):
        training.restored(kept)
    with pytest.raises(DetectorError, match="cannot be written"):
        training.keep(learned, tmp_path / "nowhere" / "second-stage.pt")


def test_the_file_says_what_the_network_says(learned: training.Network, tmp_path: Path) -> None:
    held = places(40, seed=9)
    crops = training.plain(held)
    file = tmp_path / "second-stage.onnx"
    training.write(learned, [0.0, 0.0, 1.0], file)
    stage = SecondStage(file)
    side = INPUT / SHOWN
    box = np.array([[side / 2, side / 2, side * 1.5, side * 1.5]], np.float32)
    one = Detections(box, np.array([0.5], np.float32), np.zeros((1, 5, 2), np.float32))
    said = [stage.look(crop, one).scores[0] for crop in crops]
    assert np.mean([(score > 0.5) == (row % 2 == 0) for row, score in enumerate(said)]) > 0.9
    with pytest.raises(DetectorError, match="cannot be written"):
        training.write(learned, [0.0, 0.0, 1.0], tmp_path / "nowhere" / "second-stage.onnx")
