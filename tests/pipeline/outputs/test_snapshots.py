"""One picture of each decided track, the best there was, for its owner's eyes only."""

import base64
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import SinkError
from pipeline.outputs.events import Event, Events
from pipeline.outputs.snapshots import SNAPSHOT_SIDE, Snapshots, cutout, encoded
from pipeline.types import UNDECIDED, Frame, Identity, Look, Result, State, TrackedFace

ALICE = Identity(State.NAMED, "alice", 0.95, 3)


def result(index: int, identity: Identity, quality: float | None = None, track: int = 1) -> Result:
    """A frame as bright as it is late, with one face, which was looked at if there is a quality."""
    image = np.full((120, 160, 3), 20 * index, np.uint8)
    box = np.array([40, 30, 80, 80], np.float32)
    marks = np.zeros((5, 2), np.float32)
    looks = () if quality is None else (Look(track, box, marks, np.zeros(4, np.float32), quality),)
    face = TrackedFace(track, box, marks, 0.9, identity)
    return Result(Frame(image, index, index / 10, "a.mp4"), (face,), {}, looks)


def told(folder: Path | None, results: list[Result], thumbnails: bool = False) -> list[Event]:
    events, snapshots = Events(run="run"), Snapshots(folder, thumbnails, "run")
    found = [event for each in results for event in snapshots.attach(each, events.update(each))]
    return found + snapshots.attach(None, events.finish())


def test_a_decided_track_leaves_its_best_look(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    qualities = [0.1, 0.3, 0.9, 0.2]
    events = told(folder, [result(i, ALICE if i else UNDECIDED, q) for i, q in enumerate(qualities)])
    assert [(event.event, event.snapshot) for event in events] == [
        ("entered", None),
        ("recognised", str(folder / "run-1.jpg")),
        ("left", str(folder / "run-1.jpg")),
    ]
    assert cv2.imread(str(folder / "run-1.jpg")).mean() == pytest.approx(40, abs=2)
    assert os.listdir(folder) == ["run-1.jpg"]


def test_an_undecided_track_leaves_nothing(tmp_path: Path) -> None:
    told(tmp_path, [result(i, UNDECIDED, 0.9) for i in range(3)])
    assert os.listdir(tmp_path) == []


def test_only_the_owner_can_look(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        told(tmp_path / "faces", [result(1, ALICE, 0.5)])
    finally:
        os.umask(previous)
    assert (tmp_path / "faces").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "faces" / "run-1.jpg").stat().st_mode & 0o777 == 0o600


def test_a_thumbnail_comes_with_the_verdict(tmp_path: Path) -> None:
    events = told(None, [result(3, ALICE)], thumbnails=True)
    assert [event.thumbnail is not None for event in events] == [False, True, False]
    data = np.frombuffer(base64.b64decode(str(events[1].thumbnail)), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert max(picture.shape) <= 96
    assert picture.mean() == pytest.approx(60, abs=2)


def test_nothing_asked_for_changes_nothing() -> None:
    assert {event.snapshot for event in told(None, [result(1, ALICE)])} == {None}


def test_a_frame_without_its_picture_is_no_error(tmp_path: Path) -> None:
    bare = result(1, ALICE)
    bare = Result(Frame(np.zeros((0, 0, 3), np.uint8), 1, 0.1, "a.mp4"), bare.faces)
    assert [event.snapshot for event in told(tmp_path, [bare])] == [None, None, None]


def test_a_folder_that_cannot_be_made_is_a_sink_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="cannot make the folder"):
        Snapshots(tmp_path / "file", False, "run")
    with pytest.raises(SinkError, match="cannot make the folder"):
        Snapshots(tmp_path / "file" / "faces", False, "run")


def test_a_snapshot_that_cannot_be_written_is_a_sink_error(tmp_path: Path) -> None:
    (tmp_path / "run-1.jpg").mkdir()
    with pytest.raises(SinkError, match="cannot write"):
        told(tmp_path, [result(1, ALICE)])


def test_a_box_outside_the_picture_has_no_picture() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    assert cutout(image, np.array([50, 50, 60, 60], np.float32)) is None
    assert cutout(image, np.array([-5, -5, 5, 5], np.float32)).shape == (9, 9, 3)  # type: ignore[union-attr]


def test_a_large_face_is_scaled_down() -> None:
    data = np.frombuffer(encoded(np.zeros((2000, 1000, 3), np.uint8), SNAPSHOT_SIDE), np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape == (320, 160, 3)


def test_the_folders_above_that_of_the_snapshots_are_made(tmp_path: Path) -> None:
    told(tmp_path / "new" / "deep" / "faces", [result(1, ALICE, 0.5)])
    assert os.listdir(tmp_path / "new" / "deep" / "faces") == ["run-1.jpg"]


@pytest.mark.parametrize("shape", [(900, 1, 3), (1, 900, 3), (2000, 3, 3)])
def test_a_sliver_of_a_face_at_the_border_is_encoded(shape: tuple[int, int, int]) -> None:
    made = cv2.imdecode(np.frombuffer(encoded(np.zeros(shape, np.uint8), SNAPSHOT_SIDE), np.uint8), 1)
    assert max(made.shape) == SNAPSHOT_SIDE
    assert min(made.shape[:2]) == 1
