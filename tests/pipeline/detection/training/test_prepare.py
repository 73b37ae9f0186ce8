"""The detector's training set, with photographs painted here and a proposer that says what it is told."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.detection.training.prepare import (
    FACE_CLASS,
    UNSURE_CLASS,
    Photo,
    doubtful,
    empty_piece,
    is_test,
    label,
    name_of,
    paint_over,
    prepare,
    propose,
    read_photos,
    write_label,
)
from pipeline.errors import DetectorError
from pipeline.types import Detections, Floats, Image

LIST = Path(__file__).parents[4] / "configs" / "detector-test.txt"
NOBODY = np.zeros((0, 4), np.float32)


def proposals(*rows: tuple[float, float, float, float, float]) -> Detections:
    """Proposals `x1 y1 x2 y2 score`, each with its five landmarks in the middle of the box."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    middles = (table[:, :2] + table[:, 2:4]) / 2
    return Detections(table[:, :4], table[:, 4], np.repeat(middles[:, None], 5, axis=1))


class Says:
    """A proposer that proposes the same in every image."""

    digest = "0" * 64

    def __init__(self, found: Detections) -> None:
        self.found = found

    def detect(self, image: Image) -> Detections:
        return self.found


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


def paint(path: Path, width: int = 100, height: int = 80) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


def read_label(path: Path) -> Floats:
    """(n, 20): class, cx cy w h, five times x y visible."""
    rows = [[float(value) for value in line.split()] for line in path.read_text().splitlines() if line]
    return np.array(rows, np.float32).reshape(-1, 20)


def test_human_boxes_keep_their_order_and_take_the_landmarks_that_fit() -> None:
    drawn = boxes((50, 50, 70, 70), (0, 0, 20, 20))
    taken, landmarks = label(drawn, proposals((1, 1, 21, 21, 0.9), (51, 50, 70, 70, 0.6)))
    np.testing.assert_array_equal(taken, drawn)
    np.testing.assert_allclose(landmarks[:, 0], [(60.5, 60), (11, 11)])


def test_a_face_that_nobody_proposed_keeps_its_box_and_has_no_landmarks() -> None:
    taken, landmarks = label(boxes((0, 0, 20, 20), (50, 50, 70, 70)), proposals((0, 0, 20, 20, 0.9)))
    assert len(taken) == 2
    assert np.isfinite(landmarks[0]).all()
    assert np.isnan(landmarks[1]).all()


def test_of_the_proposals_that_fit_the_most_confident_gives_the_landmarks() -> None:
    several = proposals((0, 0, 20, 20, 0.5), (2, 0, 22, 20, 0.8), (10, 0, 40, 20, 0.99))
    _, landmarks = label(boxes((0, 0, 20, 20)), several)
    np.testing.assert_allclose(landmarks[0, 0], (12, 10))


def test_in_a_crowd_a_proposal_belongs_to_the_head_it_fits_best() -> None:
    # Two heads overlap by more than a third; the neighbour's proposal is the more confident one.
    drawn = boxes((0, 0, 20, 20), (8, 0, 28, 20))
    _, landmarks = label(drawn, proposals((0, 0, 20, 20, 0.6), (7, 0, 27, 20, 0.9)))
    np.testing.assert_allclose(landmarks[:, 0], [(10, 10), (17, 10)])


def test_a_confident_face_that_nobody_drew_is_added_once_and_after_the_others() -> None:
    several = proposals((50, 50, 60, 60, 0.9), (51, 50, 61, 60, 0.8), (80, 0, 90, 10, 0.74))
    taken, landmarks = label(boxes((0, 0, 20, 20)), several)
    np.testing.assert_array_equal(taken, boxes((0, 0, 20, 20), (50, 50, 60, 60)))
    assert np.isnan(landmarks[0]).all()
    np.testing.assert_allclose(landmarks[1, 0], (55, 55))


def test_a_confident_proposal_beside_a_human_box_is_no_other_face() -> None:
    taken, _ = label(boxes((0, 0, 20, 20)), proposals((8, 0, 28, 20, 0.99)))
    assert len(taken) == 1


def test_without_human_boxes_or_proposals_there_is_nothing_to_learn() -> None:
    taken, landmarks = label(NOBODY, Detections.empty())
    assert taken.shape == (0, 4)
    assert landmarks.shape == (0, 5, 2)


def test_proposals_of_all_scales_come_together_best_first() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    scales = [Says(proposals((0, 0, 1, 1, 0.3), (0, 0, 2, 2, 0.9))), Says(proposals((0, 0, 3, 3, 0.5)))]
    found = propose(image, scales)
    np.testing.assert_array_equal(found.boxes[:, 2], [2, 3, 1])


def test_a_label_is_the_centre_the_size_and_five_points_as_shares_of_the_image(tmp_path: Path) -> None:
    points = np.array([[[12, 12], [18, 12], [15, 15], [12, 18], [18, 18]]], np.float32)
    write_label(tmp_path / "a.txt", boxes((10, 10, 20, 30)), points, (80, 100, 3))
    row = read_label(tmp_path / "a.txt")[0]
    np.testing.assert_allclose(row[:5], [0, 0.15, 0.25, 0.1, 0.25])
    np.testing.assert_allclose(row[5:].reshape(5, 3)[:, :2], points[0] / (100, 80), rtol=1e-5)
    np.testing.assert_array_equal(row[5:].reshape(5, 3)[:, 2], 2)


def test_landmarks_that_are_unknown_or_outside_are_written_as_invisible(tmp_path: Path) -> None:
    points = np.array([[[-1, 5], [5, 5], [np.nan, np.nan], [5, 81], [100, 80]]], np.float32)
    write_label(tmp_path / "a.txt", boxes((0, 0, 50, 40)), points, (80, 100, 3))
    row = read_label(tmp_path / "a.txt")[0, 5:].reshape(5, 3)
    np.testing.assert_array_equal(row[:, 2], [0, 2, 0, 0, 2])
    np.testing.assert_array_equal(row[[0, 2, 3]], 0)


def test_boxes_are_cut_to_the_image_and_left_out_beyond_it(tmp_path: Path) -> None:
    nothing = np.full((2, 5, 2), np.nan, np.float32)
    write_label(tmp_path / "a.txt", boxes((-10, -8, 10, 8), (100, 0, 120, 10)), nothing, (80, 100, 3))
    np.testing.assert_allclose(read_label(tmp_path / "a.txt")[:, :5], [[0, 0.05, 0.05, 0.1, 0.1]])


def test_photographs_are_read_with_all_their_boxes(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text(
        "image,width,height,x1,y1,x2,y2,kind\n2.jpg,9,9,1,2,3,4,bare\n1.jpg,9,9,5,5,6,6,bare\n"
        "2.jpg,9,9,0,0,1.5,2,masked\n"
    )
    one, two = read_photos(tmp_path)
    assert [one.path, two.path] == [tmp_path / "images" / "1.jpg", tmp_path / "images" / "2.jpg"]
    np.testing.assert_array_equal(two.boxes, [(1, 2, 3, 4), (0, 0, 1.5, 2)])
    with pytest.raises(DetectorError, match=r"boxes\.csv: not found"):
        read_photos(tmp_path / "elsewhere")


def test_the_test_fifth_is_by_number_and_a_name_without_number_always_falls_the_same_way() -> None:
    assert [is_test(Path(f"{n:05}.jpg")) for n in range(6)] == [True, False, False, False, False, True]
    falls = [is_test(Path(f"holiday {n}.jpg")) for n in range(500)]
    assert falls == [is_test(Path("elsewhere") / f"holiday {n}.png") for n in range(500)]
    assert 60 < sum(falls) < 140


def test_the_test_fifth_is_left_out_and_every_tenth_photograph_chooses_the_epoch(tmp_path: Path) -> None:
    wild = [
        Photo(paint(tmp_path / "set" / "images" / f"{n:05}.png"), boxes((10, 10, 40, 50)))
        for n in range(1, 21)
    ]
    single = [paint(tmp_path / "people" / "Ann" / "Ann_0001.png")]
    out, seen = tmp_path / "out", []
    counts = prepare(wild, single, out, [Says(proposals((10, 10, 40, 50, 0.9)))], progress=seen.append)
    written = {part: sorted(p.stem for p in (out / "images" / part).iterdir()) for part in ("train", "val")}
    assert written["val"] == ["set_images_00001", "set_images_00011"]
    expected = [f"set_images_{n:05}" for n in range(1, 21) if n % 5 and n % 10 != 1]
    expected += [f"{name}_without" for name in expected if int(name[-5:]) % 3 == 0]
    assert written["train"] == sorted([*expected, "Ann_Ann_0001"])
    # Beside the faces of 10..40 of 100 pixels there is room: every third photograph gives a piece of it.
    assert counts == {
        "train": 15, "val": 2, "faces": 17, "with landmarks": 17, "unsure": 0, "without faces": 5,
    }  # fmt: skip
    assert len(seen) == 17
    for part, names in written.items():
        assert sorted(p.stem for p in (out / "labels" / part).iterdir()) == names
    np.testing.assert_allclose(read_label(out / "labels" / "train" / "Ann_Ann_0001.txt")[0, 1], 0.25)


def test_preparing_again_leaves_nothing_of_the_time_before(tmp_path: Path) -> None:
    photo = Photo(paint(tmp_path / "set" / "images" / "00002.png"), boxes((10, 10, 40, 50)))
    other = Photo(paint(tmp_path / "set" / "images" / "00004.png"), boxes((10, 10, 40, 50)))
    prepare([photo], [], tmp_path / "out", [Says(Detections.empty())])
    prepare([other], [], tmp_path / "out", [Says(Detections.empty())])
    assert [p.stem for p in (tmp_path / "out" / "images" / "train").iterdir()] == ["set_images_00004"]
    assert len(list((tmp_path / "out" / "labels" / "train").iterdir())) == 1


def test_the_description_mirrors_eyes_and_mouth_corners(tmp_path: Path) -> None:
    prepare([], [], tmp_path / "out", [])
    lines = (tmp_path / "out" / "dataset.yaml").read_text().splitlines()
    assert f"path: {(tmp_path / 'out').resolve()}" in lines
    assert "flip_idx: [1, 0, 2, 4, 3]" in lines
    assert "kpt_shape: [5, 3]" in lines


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "00001.jpg").write_text("no image")
    with pytest.raises(DetectorError, match=r"00001\.jpg: cannot be read"):
        prepare([Photo(tmp_path / "00001.jpg", NOBODY)], [], tmp_path / "out", [])


@pytest.fixture(scope="session")
def photographs(shared: Path) -> list[str]:
    """The names of all photographs in the shared archives, as `ilc448/00005.jpg`."""
    import tarfile

    archives = [shared / "detection" / name for name in ("ilc448.tgz", "mask853.tgz")]
    for archive in archives:
        if not archive.is_file():
            pytest.skip(f"needs the photographs: {archive} is missing")
    names: list[str] = []
    for archive in archives:
        with tarfile.open(archive) as members:
            names += [name_of(Path(name)) for name in members.getnames() if name.endswith(".jpg")]
    return names


def test_the_committed_list_is_the_test_fifth_of_the_photographs(photographs: list[str]) -> None:
    listed = LIST.read_text().splitlines()
    assert len(listed) == len(set(listed)) == 519
    assert listed == sorted(name for name in photographs if is_test(Path(name)))


def test_no_photograph_of_the_committed_list_is_ever_written(tmp_path: Path) -> None:
    listed = LIST.read_text().splitlines()
    beside = [f"{name[:-5]}{(int(name[-5]) + 1) % 10}.jpg" for name in listed[:3]]  # the next in number
    pixel = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    wild = []
    for name in [*listed, *beside]:
        path = tmp_path / Path(name).parent / "images" / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pixel)
        wild.append(Photo(path, boxes((1, 1, 7, 7))))
    prepare(wild, [], tmp_path / "out", [Says(Detections.empty())])
    written = {path.name for path in (tmp_path / "out" / "images").rglob("*.jpg")}
    assert written == {name.replace("/", "_images_") for name in beside}


def test_small_proposals_that_may_be_faces_are_doubtful_unless_they_touch_a_labelled_box() -> None:
    several = proposals(
        (50, 50, 70, 70, 0.6),  # doubtful
        (0, 0, 20, 20, 0.6),  # a labelled face
        (15, 0, 35, 20, 0.6),  # its neighbour
        (50, 10, 90, 50, 0.6),  # would have been drawn
        (80, 60, 95, 75, 0.4),  # hardly a proposal
    )
    doubts = doubtful(boxes((0, 0, 20, 20)), several)
    np.testing.assert_array_equal(doubts, boxes((50, 50, 70, 70)))
    assert len(doubtful(NOBODY, several)) == 3
    assert doubtful(NOBODY, Detections.empty()).shape == (0, 4)


def test_what_is_painted_over_has_the_colour_around_it_and_the_original_stays() -> None:
    image = np.full((80, 100, 3), (10, 90, 200), np.uint8)
    image[20:40, 30:50] = 255
    image[70:, 90:] = 255
    before = image.copy()
    painted = paint_over(image, boxes((30, 20, 50, 40), (90, 70, 100, 80)))
    np.testing.assert_array_equal(image, before)
    assert (painted[15:45, 25:55] == (10, 90, 200)).all()
    assert painted[79, 99].tolist() in ([10, 90, 200], [255, 255, 255])  # a corner: half of it is the face
    np.testing.assert_array_equal(paint_over(image, NOBODY), image)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (boxes((60, 10, 90, 70)), (0, 0, 60, 80)),  # left of it
        (boxes((5, 10, 30, 70)), (30, 0, 100, 80)),  # right
        (boxes((5, 50, 95, 78)), (0, 0, 100, 50)),  # above
        (boxes((5, 2, 95, 30)), (0, 30, 100, 80)),  # below
        (boxes((60.5, 10, 90, 70), (70, 5, 99, 20)), (0, 0, 60, 80)),  # whole pixels that touch none
        (boxes((20, 10, 80, 70)), None),  # too narrow on every side
        (boxes((-5, -5, 200, 200)), None),
        (NOBODY, (0, 0, 100, 80)),
    ],
)
def test_the_largest_strip_beside_all_faces_is_empty(
    taken: Floats, expected: tuple[int, int, int, int] | None
) -> None:
    assert empty_piece((80, 100, 3), taken) == expected


def test_doubtful_faces_are_unsure_in_what_teaches_and_not_in_what_chooses(tmp_path: Path) -> None:
    wild = []
    for n in (1, 2):
        path = paint(tmp_path / "set" / "images" / f"{n:05}.png")
        wild.append(Photo(path, boxes((0, 0, 30, 40))))
    says = Says(proposals((0, 0, 30, 40, 0.9), (70, 40, 90, 60, 0.6)))
    counts = prepare(wild, [], tmp_path / "out", [says])
    assert counts["unsure"] == 1
    (train,) = (tmp_path / "out" / "images" / "train").iterdir()
    (val,) = (tmp_path / "out" / "images" / "val").iterdir()
    labels = tmp_path / "out" / "labels"
    assert read_label(labels / "train" / f"{train.stem}.txt")[:, 0].tolist() == [FACE_CLASS, UNSURE_CLASS]
    assert read_label(labels / "val" / f"{val.stem}.txt")[:, 0].tolist() == [FACE_CLASS]


def test_pieces_without_faces_and_negatives_are_written_with_empty_labels(tmp_path: Path) -> None:
    photo = Photo(paint(tmp_path / "set" / "images" / "00003.png"), boxes((60, 10, 90, 70)))
    cat = paint(tmp_path / "others" / "cat.png")
    out = tmp_path / "out"
    counts = prepare([photo], [], out, [Says(Detections.empty())], [cat])
    assert counts["without faces"] == 2
    for name, width in (("set_images_00003_without", 60), ("negative_cat", 100)):
        image = cv2.imread(str(out / "images" / "train" / f"{name}.jpg"))
        assert image is not None
        assert image.shape == (80, width, 3)
        assert (out / "labels" / "train" / f"{name}.txt").read_text() == ""


def test_a_negative_in_which_a_face_is_proposed_is_none(tmp_path: Path) -> None:
    crowd = paint(tmp_path / "others" / "crowd.png")
    counts = prepare([], [], tmp_path / "out", [Says(proposals((0, 0, 30, 40, 0.6)))], [crowd])
    assert counts["without faces"] == 0
    assert list((tmp_path / "out" / "images" / "train").iterdir()) == []
