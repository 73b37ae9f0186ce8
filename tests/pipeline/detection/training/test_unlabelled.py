"""Sets of photographs, painted here, with a proposer that finds what is painted."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.detection.training.pieces import Piece
from pipeline.detection.training.prepare import read_photos
from pipeline.detection.training.unlabelled import add, digest, is_tenth, is_validation, read_set, shown
from pipeline.errors import DetectorError
from pipeline.types import Detections, Floats, Image

FACE, HALF = 30, 0.45  # side in pixels, and the score of a face that is painted darker


def propose(image: Image, size: int) -> Detections:
    """Every red square is a face: a bright one surely, a dark one perhaps."""
    red = ((image[:, :, 2] > 100) & (image[:, :, 0] < 60)).astype(np.uint8)
    _, _, found, _ = cv2.connectedComponentsWithStats(red)
    rows = [(x, y, x + w, y + h) for x, y, w, h, _ in found[1:].tolist()]
    boxes = np.array(rows, np.float32).reshape(-1, 4)
    middles = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(int)
    scores = np.array([0.95 if image[y, x, 2] > 200 else HALF for x, y in middles.tolist()], np.float32)
    return Detections(boxes, scores, landmarks(boxes, 0))


def landmarks(boxes: Floats, degrees: float) -> Floats:
    """Points (n, 5, 2) of heads that look so far to the side."""
    shape = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    turn = np.radians(degrees)
    shape[:2, 0] = 0.5 + np.array([-0.2, 0.2]) * np.cos(turn)
    shape[2, 0] = 0.5 + 0.2 * np.sin(turn)
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes[:, None, :2] + shape[None] * sides[:, None], np.float32)


def paint(path: Path, seed: int, dark: bool = False) -> None:
    """A photograph of three faces, one of them perhaps a doubtful one, on a ground that no other has."""
    image = np.full((300, 400, 3), (90, 60 + seed % 100, 40 + seed // 100), np.uint8)
    for place, (x, y) in enumerate(((40, 40), (180, 60), (300, 200))):
        image[y : y + FACE, x : x + FACE] = (0, 0, 150 if dark and place == 1 else 255)
    cv2.imwrite(str(path), image)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixty photographs, in the second of which one face is doubtful."""
    images = tmp_path / "crowds" / "images"
    images.mkdir(parents=True)
    for number in range(60):
        paint(images / f"{number:02}.png", number, dark=number == 1)
    return tmp_path / "crowds"


def parts(folder: Path) -> dict[str, list[Path]]:
    """The photographs by where they should go."""
    of: dict[str, list[Path]] = {"test": [], "val": [], "train": []}
    for path in sorted((folder / "images").iterdir()):
        known_by = digest(path, path.read_bytes())
        of["test" if is_tenth(known_by) else "val" if is_validation(known_by) else "train"].append(path)
    return of


def test_a_tenth_is_for_testing_and_nothing_of_it_is_learned_from(folder: Path, tmp_path: Path) -> None:
    out = prepared(tmp_path)
    of = parts(folder)
    assert of["test"]
    assert of["val"]
    counts = add(folder, out, propose)
    assert (counts["test"], counts["val"]) == (len(of["test"]), len(of["val"]))
    tested = read_photos(out / "test" / "crowds")
    assert {photo.path.name for photo in tested} == {path.name for path in of["test"]}
    assert all(len(photo.boxes) == 3 for photo in tested)
    learned = list((out / "images" / "train").iterdir())
    assert len(learned) == counts["train"] >= len(of["train"])
    for path in learned:
        assert (out / "labels" / "train" / f"{path.stem}.txt").read_text()
    again = {path.name for path in learned}
    add(folder, out, propose)
    assert {path.name for path in (out / "images" / "train").iterdir()} == again


def prepared(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    for kind in ("images", "labels"):
        for part in ("train", "val"):
            (out / kind / part).mkdir(parents=True)
    return out


def test_heads_that_people_marked_are_unsure_where_no_face_is_seen(folder: Path, tmp_path: Path) -> None:
    of = parts(folder)["train"][0]
    named = "00000002" * 2 + ".png"
    lines = ["image,x1,y1,x2,y2", f"{named},30,30,80,80", f"{named},100,200,130,230"]
    (folder / "heads.csv").write_text("\n".join(lines) + "\n")
    for path in (folder / "images").iterdir():
        if path != of:
            path.unlink()
    of.rename(of.with_name(named))  # named by a digest that is neither tested nor judged by
    out = prepared(tmp_path)
    add(folder, out, propose)
    whole = next(path for path in (out / "images" / "train").iterdir() if path.stem.endswith("_0"))
    lines = (out / "labels" / "train" / f"{whole.stem}.txt").read_text().splitlines()
    unsure = [[float(value) for value in line.split()[1:]] for line in lines if line.startswith("1 ")]
    (head,) = (row[:4] for row in unsure if row[0] < 0.5 < row[1])  # the other lies on a face
    size = np.array(cv2.imread(str(whole)).shape[1::-1])  # type: ignore[union-attr]
    np.testing.assert_allclose(np.array(head[:2]) * size * 400 / size.max(), [115, 215], atol=1)


def test_faces_that_people_drew_are_labels_and_the_smallest_are_unsure(folder: Path, tmp_path: Path) -> None:
    learned = parts(folder)["train"][0]
    for path in (folder / "images").iterdir():
        if path != learned:
            path.unlink()
    rows = [f"{learned.name},{x},{y},{x + side},{y + side}" for x, y, side in ((42, 42, 26), (10, 250, 4))]
    (folder / "faces.csv").write_text("\n".join(["image,x1,y1,x2,y2", *rows]) + "\n")
    out = prepared(tmp_path)
    add(folder, out, propose)
    whole = next(path for path in (out / "labels" / "train").iterdir() if path.stem.endswith("_0"))
    lines = [line.split() for line in whole.read_text().splitlines()]
    found = sorted((line[0], round(float(line[1]) * 400), round(float(line[2]) * 300)) for line in lines)
    # The drawn one; two that the proposer is sure of and nobody drew; and one of three pixels.
    assert found == [("0", 55, 55), ("0", 195, 75), ("0", 315, 215), ("1", 12, 252)]


def test_a_photograph_that_is_named_by_a_digest_is_known_by_it(tmp_path: Path) -> None:
    assert digest(tmp_path / f"{'0a' * 8}.png", b"stretched") == "0a" * 8
    assert digest(tmp_path / "crowd.png", b"").startswith("e3b0c442")
    assert digest(tmp_path / "0a0a.png", b"").startswith("e3b0c442")


def test_sets_that_are_none_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DetectorError, match="no such folder of photographs"):
        read_set(tmp_path / "nowhere")
    (folder / "heads.csv").write_text("image,x1\n00.png,1\n")
    with pytest.raises(DetectorError, match="expected image,x1,y1,x2,y2"):
        read_set(folder)
    (folder / "heads.csv").unlink()
    (folder / "faces.csv").write_text("image,x1,y1,x2,y2\n00,1,1,9,9\n")  # without its suffix
    with pytest.raises(DetectorError, match=r"faces\.csv: 00 is not in images/"):
        read_set(folder)
    (folder / "faces.csv").unlink()
    (folder / "images" / "00.png").write_bytes(b"no image")
    with pytest.raises(DetectorError, match="cannot be read"):
        add(folder, prepared(tmp_path), propose)


def of_one(side: int, degrees: float) -> Piece:
    image = np.full((400, 400, 3), 90, np.uint8)
    boxes = np.array([[100, 100, 100 + side, 100 + side]], np.float32)
    return Piece(image, boxes, landmarks(boxes, degrees))


def kinds(whole: Piece, draws: int = 40) -> list[str]:
    return [kind for seed in range(draws) for kind, _ in shown(whole, random.Random(seed))]


def test_of_portraits_from_the_front_one_in_four_is_shown() -> None:
    assert 3 <= len(kinds(of_one(100, 5))) <= 18


def test_a_head_that_is_turned_far_fills_a_picture_of_its_own() -> None:
    seen = kinds(of_one(100, 60))
    assert seen.count("whole") == seen.count("close-up") == 40
    sides = [
        float(np.sqrt((of.boxes[0, 2:] - of.boxes[0, :2]).prod())) / max(of.image.shape)
        for seed in range(40)
        for kind, of in shown(of_one(100, 60), random.Random(seed))
        if kind == "close-up"
    ]
    assert min(sides) > 0.25
    assert max(sides) > 0.6


def test_faces_too_small_to_learn_from_are_shown_in_pieces_that_hold_them() -> None:
    whole = of_one(12, 30)
    for seed in range(20):
        for kind, of in shown(whole, random.Random(seed)):
            assert len(of.boxes) == 1
            if kind == "piece":
                assert 10 <= float(np.sqrt((of.boxes[0, 2:] - of.boxes[0, :2]).prod())) <= 45
