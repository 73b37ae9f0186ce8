"""The detector's figures: against a slow obvious version, examples by hand, and detectors that are told."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detection.evaluation import evaluate as evaluation
from pipeline.detection.evaluation import figures
from pipeline.detection.evaluation.evaluate import compare, evaluate, landmark_errors
from pipeline.detection.evaluation.precision import average_precision, match, redrawn
from pipeline.detection.training.prepare import Photo
from pipeline.errors import DetectorError
from pipeline.types import Detections, Floats, Image


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


def found(*rows: tuple[float, float, float, float, float], landmarks: Floats | None = None) -> Detections:
    """Detections `x1 y1 x2 y2 score`."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    points = np.full((len(table), 5, 2), np.nan, np.float32) if landmarks is None else landmarks
    return Detections(table[:, :4], table[:, 4], points)


class ByShade:
    """Tells the photographs apart by their shade, and finds what it is told for each."""

    digest = "0" * 64

    def __init__(self, *answers: Detections) -> None:
        self.answers = answers
        self.asked: list[int] = []

    def detect(self, image: Image) -> Detections:
        number = round(float(image.mean()) / 20)
        self.asked.append(number)
        return self.answers[number]


def photographs(folder: Path, *truths: Floats) -> list[Photo]:
    for number in range(len(truths)):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((200, 200, 3), 20 * number, np.uint8))
    return [Photo(folder / f"{number}.png", truth) for number, truth in enumerate(truths)]


def slow_average_precision(scores: list[float], hits: list[bool], faces: int) -> float:
    """The definition, word by word: every step of recall times the best precision from there on."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    precisions, recalls, right = [], [], 0
    for rank, i in enumerate(order, start=1):
        right += hits[i]
        precisions.append(right / rank)
        recalls.append(right / faces)
    area, before = 0.0, 0.0
    for i, recall in enumerate(recalls):
        area += (recall - before) * max(precisions[i:])
        before = recall
    return area


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=12), st.integers(1, 20))
def test_average_precision_is_what_its_definition_says(ranked: list[tuple[int, bool]], extra: int) -> None:
    scores, hits = [score / 8 for score, _ in ranked], [hit for _, hit in ranked]
    faces = max(sum(hits), 1) + extra - 1
    fast = average_precision(np.array(scores, np.float32), np.array(hits, np.bool_), faces)
    assert fast == pytest.approx(slow_average_precision(scores, hits, faces), abs=1e-6)


@pytest.mark.parametrize(
    ("hits", "faces", "expected"),
    [
        ([True, True], 2, 1.0),
        ([True, True], 4, 0.5),  # half of them were found, without an error
        ([False, True], 1, 0.5),
        ([True, False, True], 2, 0.5 + 0.5 * 2 / 3),
        ([False, False, True, True], 2, 0.5),  # the envelope: precision rises to 1/2 at the end
        ([False], 3, 0.0),
        ([], 3, 0.0),
        ([], 0, 0.0),
    ],
)
def test_average_precision_by_hand(hits: list[bool], faces: int, expected: float) -> None:
    scores = np.linspace(0.9, 0.1, len(hits), dtype=np.float32)
    assert average_precision(scores, np.array(hits, np.bool_), faces) == pytest.approx(expected)


def test_scores_rank_the_detections_whatever_their_order() -> None:
    scores, hits = np.array([0.2, 0.9, 0.5], np.float32), np.array([True, True, False])
    assert average_precision(scores, hits, 2) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_face_is_found_once_and_by_the_best_detection() -> None:
    overlaps = np.array([[0.6, 0.55], [0.9, 0.1], [0.7, 0.58]], np.float32)
    np.testing.assert_array_equal(match(overlaps, 0.5), [0, -1, 1])
    np.testing.assert_array_equal(match(overlaps, 0.65), [-1, 0, -1])


@pytest.mark.parametrize(("detections", "faces"), [(0, 0), (0, 2), (3, 0)])
def test_nothing_matches_where_there_is_nothing(detections: int, faces: int) -> None:
    matched = match(np.zeros((detections, faces), np.float32), 0.5)
    np.testing.assert_array_equal(matched, np.full(detections, -1))


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 6), st.sampled_from([0.3, 0.5, 0.7]))
def test_matches_are_one_to_one_and_leave_no_detection_with_a_free_face(
    seed: int, detections: int, faces: int, threshold: float
) -> None:
    random = np.random.default_rng(seed)
    overlaps = random.random((detections, faces), np.float32)
    matched = match(overlaps, threshold)
    taken = matched[matched >= 0]
    assert len(set(taken.tolist())) == len(taken)
    for row, face in enumerate(matched):
        earlier = set(matched[:row].tolist())
        free = [overlaps[row, other] for other in range(faces) if other not in earlier]
        if face >= 0:
            assert overlaps[row, face] == max(free) >= threshold
        else:
            assert max(free, default=0.0) < threshold


def test_landmark_errors_are_in_distances_of_the_eyes() -> None:
    given_points = np.array([[[0, 0], [10, 0], [5, 5], [2, 9], [8, 9]]], np.float32)
    np.testing.assert_allclose(
        landmark_errors(given_points + np.array([3, 4], np.float32), given_points), [0.5]
    )
    moved = given_points.copy()
    moved[0, 2] += (0, 5)
    np.testing.assert_allclose(landmark_errors(moved * 7, given_points * 7), [0.1])


def test_a_report_by_hand(tmp_path: Path) -> None:
    photos = photographs(
        tmp_path,
        boxes((0, 0, 10, 10), (50, 50, 80, 80)),  # a tiny face and a small one
        boxes((0, 0, 100, 100)),  # a large one
        boxes((10, 10, 60, 60)),  # not found
    )
    detector = ByShade(
        found((50, 50, 80, 80, 0.9), (0, 0, 10, 10, 0.3)),
        found((0, 0, 100, 60, 0.8)),  # IoU 0.6 with the large face
        found((150, 150, 180, 180, 0.1)),
    )
    report = evaluate(detector, photos, confidence=0.4)
    assert (report.photos, report.faces, report.without_faces) == (3, 4, 1)
    assert report.faces_by_size == {"<16": 1, "16-32": 1, "32-96": 1, ">96": 1}
    # The tiny face was found below the confidence of use: it counts for AP and not for recall.
    assert report.recall == {"<16": 0, "16-32": 1, "32-96": 0, ">96": 1}
    assert report.ap50 == pytest.approx(0.75)
    # From IoU 0.65 on, the second of four detections is false.
    strict = average_precision(np.array([4, 3, 2, 1], np.float32), np.array([1, 0, 1, 0], bool), 4)
    assert report.ap50_95 == pytest.approx(0.3 * 0.75 + 0.7 * strict)
    assert report.landmark_median is None
    assert report.milliseconds > 0


def test_what_overlaps_a_face_that_is_not_asked_for_counts_neither_way(tmp_path: Path) -> None:
    (photo,) = photographs(tmp_path, boxes((0, 0, 40, 40)))
    other = Photo(photo.path, photo.boxes, ignored=boxes((100, 100, 140, 140)))
    both = found((100, 100, 140, 142, 0.9), (0, 0, 40, 40, 0.8))
    assert evaluate(ByShade(both), [photo]).ap50 == pytest.approx(0.5)
    report = evaluate(ByShade(both), [other])
    assert (report.ap50, report.faces, report.right) == (1, 1, 1)


def test_nor_does_what_lies_in_a_place_that_nobody_could_judge(tmp_path: Path) -> None:
    (photo,) = photographs(tmp_path, boxes((0, 0, 40, 40)))
    dark = Photo(photo.path, photo.boxes, unsure=boxes((90, 90, 180, 180), (0, 0, 40, 40)))
    inside = found((100, 100, 110, 110, 0.9), (60, 100, 100, 140, 0.85), (0, 0, 40, 40, 0.8))
    report = evaluate(ByShade(inside), [dark])  # the second lies in it by a quarter: that is a false alarm
    assert report.ap50 == pytest.approx(0.5)
    assert (report.found, report.right) == (1, 0.5)


def test_average_precision_of_larger_faces_leaves_the_smaller_out_with_what_is_found_of_them(
    tmp_path: Path,
) -> None:
    # Of 200 pixels, shown as 416: sides of 6, 12 and 24 pixels are 12.5, 25 and 50 there.
    photos = photographs(tmp_path, boxes((0, 0, 6, 6), (50, 50, 62, 62), (100, 100, 124, 124)))
    answer = found((0, 0, 6, 6, 0.9), (150, 0, 156, 6, 0.8), (50, 50, 62, 62, 0.7), (100, 0, 120, 20, 0.6))
    report = evaluate(ByShade(answer), photos)
    assert report.ap50_from["8"] == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    assert report.ap50_from["16"] == pytest.approx(1 / 2)
    assert report.ap50_from["32"] == 0
    none = evaluate(ByShade(answer), photographs(tmp_path, boxes((0, 0, 6, 6))))
    assert none.ap50_from["16"] is None


def test_in_use_counts_what_is_sure_enough(tmp_path: Path) -> None:
    photos = photographs(tmp_path, boxes((0, 0, 40, 40), (50, 50, 90, 90), (100, 100, 140, 140)))
    answer = found(
        (0, 0, 40, 40, 0.9), (150, 150, 180, 180, 0.5), (50, 50, 90, 90, 0.41), (100, 100, 140, 140, 0.3)
    )
    report = evaluate(ByShade(answer), photos, confidence=0.4)
    assert report.found == pytest.approx(2 / 3)
    assert report.right == pytest.approx(2 / 3)
    silent = evaluate(ByShade(answer), photos, confidence=0.95)
    assert (silent.found, silent.right) == (0, None)


def test_faces_are_told_apart_by_how_far_they_are_turned(tmp_path: Path) -> None:
    front = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], np.float32)
    side = np.array([[28, 10], [34, 10], [40, 20], [28, 30], [33, 30]], np.float32)
    truth = boxes((0, 0, 40, 40), (100, 0, 140, 40), (100, 100, 140, 140))
    right, down = np.array([100, 0], np.float32), np.array([100, 100], np.float32)
    answer = found((0, 0, 40, 40, 0.9), (100, 0, 140, 40, 0.8), landmarks=np.stack([front + 4, side + right]))
    known = np.stack([front, side + right, side + down])
    report = evaluate(ByShade(answer), photographs(tmp_path, truth), [known])
    assert (report.turned["<20"].faces, report.turned["<20"].found) == (1, 1)
    assert report.turned["<20"].landmarks == pytest.approx(np.hypot(4, 4) / 40, abs=1e-5)
    assert (report.turned[">60"].faces, report.turned[">60"].found) == (2, 0.5)
    assert report.turned[">60"].landmarks == 0
    assert (report.turned["20-40"].faces, report.turned["20-40"].found) == (0, None)
    assert json.loads(json.dumps(report.as_dict()))["turned"][">60"]["faces"] == 2
    heading, line = figures.table_of_turns({"one": report})
    assert len(heading) == len(line) == 13


def test_a_second_box_on_a_face_is_a_false_one(tmp_path: Path) -> None:
    photos = photographs(tmp_path, boxes((0, 0, 40, 40), (100, 100, 140, 140)))
    twice = ByShade(found((0, 0, 40, 40, 0.9), (0, 0, 40, 41, 0.8), (100, 100, 140, 140, 0.7)))
    assert evaluate(twice, photos).ap50 == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_faces_of_different_photographs_do_not_meet(tmp_path: Path) -> None:
    photos = photographs(tmp_path, boxes((0, 0, 40, 40)), boxes((100, 100, 140, 140)))
    swapped = ByShade(found((100, 100, 140, 140, 0.9)), found((0, 0, 40, 40, 0.9)))
    report = evaluate(swapped, photos)
    assert report.ap50 == 0
    assert report.without_faces == 0


def test_landmarks_are_compared_where_both_are_known_and_the_face_was_found(tmp_path: Path) -> None:
    points = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], np.float32)
    unknown = np.full((5, 2), np.nan, np.float32)
    aside, right, down = np.array([(60, 0), (2, 0), (0, 4)], np.float32)
    truth = boxes((0, 0, 40, 40), (60, 0, 100, 40), (0, 60, 40, 100), (150, 150, 190, 190))
    given_points = np.stack([points, points + aside, unknown, points + 150])
    answer = found(
        (60, 0, 100, 40, 0.9),
        (0, 0, 40, 40, 0.8),
        (0, 60, 40, 100, 0.7),
        landmarks=np.stack([points + aside + right, points + down, points]),
    )
    report = evaluate(ByShade(answer), photographs(tmp_path, truth), [given_points])
    assert report.landmarks_compared == 2
    assert report.landmark_median == pytest.approx(0.15)
    assert report.landmark_p90 == pytest.approx(0.19)


def test_detectors_see_the_same_photographs_and_keep_their_names(tmp_path: Path) -> None:
    photos = photographs(tmp_path, boxes((0, 0, 40, 40)), boxes((0, 0, 40, 40)))
    good = ByShade(found((0, 0, 40, 40, 0.9)), found((0, 0, 40, 40, 0.9)))
    blind = ByShade(Detections.empty(), Detections.empty())
    seen: list[int] = []
    makers = {"good": lambda: good, "blind": lambda: blind}
    reports = compare(makers, photos, progress=lambda: seen.append(len(good.asked)))
    assert seen == [2, 3, 3, 3]
    assert {name: report.ap50 for name, report in reports.items()} == {"good": 1.0, "blind": 0.0}
    assert reports["blind"].without_faces == 2
    assert good.asked == blind.asked == [0, 0, 1]  # the first one twice: a pass to warm up
    heading, *lines = figures.table(reports)
    assert [len(line) for line in lines] == [len(heading)] * 2
    assert [line[:2] for line in lines] == [["good", "1.000"], ["blind", "0.000"]]


def test_a_report_is_plain_json_and_holds_no_arrays(tmp_path: Path) -> None:
    photos = photographs(tmp_path, boxes((0, 0, 40, 40)))
    report = evaluate(ByShade(found((0, 0, 40, 40, 0.9))), photos)
    plain = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert plain["ap50"] == 1
    assert plain["recall"] == {"<16": None, "16-32": None, "32-96": 1, ">96": None}
    assert not {"scores", "hits", "drawn"} & plain.keys()


def test_the_curves_are_drawn_without_a_screen(tmp_path: Path) -> None:
    photos = photographs(tmp_path, boxes((0, 0, 40, 40)))
    good, blind = ByShade(found((0, 0, 40, 40, 0.9))), ByShade(Detections.empty())
    reports = compare({"good": lambda: good, "blind": lambda: blind}, photos)
    figures.plot(reports, tmp_path / "made" / "curve.png", "two detectors")
    image = cv2.imread(str(tmp_path / "made" / "curve.png"))
    assert image is not None
    assert image.std() > 5


def test_the_held_out_photographs_are_the_fifths_of_all_folders(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        rows = "".join(f"{n}.jpg,9,9,1,1,5,5,bare\n" for n in range(1, 11))
        (tmp_path / folder / "boxes.csv").write_text("image,width,height,x1,y1,x2,y2,kind\n" + rows)
    photos = evaluation.held_out([tmp_path / "one", tmp_path / "two"])
    assert [(p.path.parts[-3], p.path.stem) for p in photos] == [
        ("one", "10"), ("one", "5"), ("two", "10"), ("two", "5"),
    ]  # fmt: skip


def test_no_photographs_or_an_unreadable_one_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="no photographs"):
        evaluate(ByShade(), [])
    (tmp_path / "1.jpg").write_text("no image")
    with pytest.raises(DetectorError, match=r"1\.jpg: cannot be read"):
        evaluate(ByShade(), [Photo(tmp_path / "1.jpg", boxes((0, 0, 1, 1)))])


def slow_redrawn(
    scores: Floats, hits: Floats, photos: Floats, faces: Floats, samples: int, seed: int
) -> list[float]:
    """Each draw written out: the detections of a photograph as often as it was drawn."""
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(samples):
        chosen = random.integers(len(faces), size=len(faces))
        rows = np.concatenate([np.flatnonzero(photos == photo) for photo in chosen]).astype(int)
        drawn.append(average_precision(scores[rows], hits[rows], int(faces[chosen].sum())))
    return drawn


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 12))
def test_a_draw_is_the_precision_of_the_drawn_photographs(seed: int, photos: int, count: int) -> None:
    random = np.random.default_rng(seed)
    of = random.integers(photos, size=count)
    scores = random.permutation(count).astype(np.float32) / count  # equal scores rank by their order
    hits = random.random((2, count)) < 0.6
    faces = np.maximum(1, np.bincount(of, hits[0], photos).astype(int) + random.integers(0, 2, photos))
    drawn = redrawn(scores, hits, of, faces, samples=20, seed=7)
    assert drawn.shape == (2, 20)
    for row in range(2):
        expected = slow_redrawn(scores, hits[row], of, faces, 20, 7)
        np.testing.assert_allclose(drawn[row], expected, atol=1e-5)


def test_the_interval_holds_the_figure_and_narrows_with_more_photographs(tmp_path: Path) -> None:
    truth = boxes((0, 0, 40, 40), (100, 100, 140, 140))
    answers = [
        found((0, 0, 40, 40, 0.9), (60, 0, 90, 40, 0.5 + n / 30), (100, 100, 140, 140, 0.6)) if n % 3 else
        found((0, 0, 40, 40, 0.8))
        for n in range(12)
    ]  # fmt: skip
    few = evaluate(ByShade(*answers), photographs(tmp_path, *[truth] * 6))
    many = evaluate(ByShade(*answers), photographs(tmp_path, *[truth] * 12))
    for report in (few, many):
        low, high = report.ap50_interval
        assert low < report.ap50 < high
    assert np.ptp(many.ap50_interval) < np.ptp(few.ap50_interval)


def test_a_detector_that_finds_nothing_has_no_precision_and_is_sure_of_it(tmp_path: Path) -> None:
    report = evaluate(ByShade(Detections.empty()), photographs(tmp_path, boxes((0, 0, 40, 40))))
    assert (report.ap50, tuple(report.ap50_interval)) == (0, (0, 0))


def test_sets_weigh_the_same_in_the_mean_whatever_their_size(tmp_path: Path) -> None:
    truth = boxes((0, 0, 40, 40))
    good, blind = found((0, 0, 40, 40, 0.9)), Detections.empty()
    sets = {
        "large": {"d": evaluate(ByShade(good, good, good), photographs(tmp_path, truth, truth, truth))},
        "small": {"d": evaluate(ByShade(blind), photographs(tmp_path, truth))},
    }
    value, (low, high) = figures.mean_of_sets(sets)["d"]
    assert (value, low, high) == (0.5, 0.5, 0.5)


def test_one_detector_is_alive_at_a_time(tmp_path: Path) -> None:
    alive: list[str] = []

    class Counted(ByShade):
        digest = "0" * 64

        def __init__(self, name: str) -> None:
            super().__init__(Detections.empty())
            self.name = name
            alive.append(name)
            assert alive == [name]

        def __del__(self) -> None:
            alive.remove(self.name)

    makers = {name: lambda name=name: Counted(name) for name in ("one", "two")}  # type: ignore[misc]
    compare(makers, photographs(tmp_path, boxes((0, 0, 40, 40))))
    assert alive == []


def test_proposed_landmarks_go_with_the_boxes_that_people_drew(tmp_path: Path) -> None:
    points = np.array([[[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]]], np.float32)
    seen = found(
        (0, 0, 40, 40, 0.9), (100, 0, 140, 40, 0.95), landmarks=np.concatenate([points, points + 100])
    )
    photos = photographs(tmp_path, boxes((150, 150, 190, 190), (0, 0, 40, 42)))
    (landmarks,) = evaluation.proposed_landmarks(photos, [ByShade(seen)])
    assert landmarks.shape == (2, 5, 2)  # the proposal that nobody drew is no row
    assert np.isnan(landmarks[0]).all()
    np.testing.assert_array_equal(landmarks[1], points[0])
