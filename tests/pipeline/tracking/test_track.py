"""Which face is which, on boxes that move as we say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import TrackSettings
from pipeline.tracking.track import Tracker
from pipeline.types import Detections, Ints

FRAME = 0.04  # seconds between frames
AT_ONCE = TrackSettings(confirm=1)


def faces(*centers: tuple[float, float], side: float = 40) -> Detections:
    """One square box around each centre."""
    middles = np.array(centers, np.float32).reshape(-1, 2)
    boxes = np.concatenate([middles - side / 2, middles + side / 2], axis=1)
    return Detections(boxes, np.ones(len(boxes), np.float32), np.full((len(boxes), 5, 2), np.nan, np.float32))


def ids_of(tracker: Tracker, detections: Detections, seconds: float) -> Ints:
    """The ids after an update; no detection is left out."""
    tracks = tracker.update(detections, seconds)
    np.testing.assert_array_equal(tracks.faces.boxes, detections.boxes)
    return tracks.ids


def test_ids_stay_with_their_faces_whatever_the_order_of_rows() -> None:
    tracker, random = Tracker(AT_ONCE), np.random.default_rng(0)
    for frame in range(30):
        centers = [(100 + 2 * frame, 100), (300, 100 + frame), (500 - 3 * frame, 300)]
        order = random.permutation(3) if frame else np.arange(3)
        ids = ids_of(tracker, faces(*[centers[i] for i in order]), frame * FRAME)
        np.testing.assert_array_equal(ids, order)
        assert ids.dtype == np.int64


def test_a_face_counts_only_once_it_was_seen_often_enough() -> None:
    tracker = Tracker(TrackSettings(confirm=3))
    seen = [int(ids_of(tracker, faces((100, 100)), frame * FRAME)[0]) for frame in range(5)]
    assert seen == [-1, -1, 0, 0, 0]
    assert tracker.alive() == {0}


def test_rows_of_new_and_known_faces_stay_aligned() -> None:
    tracker = Tracker(TrackSettings(confirm=2))
    ids_of(tracker, faces((300, 300)), 0.0)
    np.testing.assert_array_equal(ids_of(tracker, faces((100, 100), (300, 300)), FRAME), [-1, 0])
    np.testing.assert_array_equal(ids_of(tracker, faces((300, 300), (100, 100)), 2 * FRAME), [0, 1])


def test_two_faces_that_cross_keep_their_ids() -> None:
    tracker, last = Tracker(AT_ONCE), 40
    for frame in range(last + 1):
        to_the_right = (100 + 6 * frame, 100)
        to_the_left = (340 - 6 * frame, 112)
        ids = ids_of(tracker, faces(to_the_right, to_the_left), frame * FRAME)
    np.testing.assert_array_equal(ids, [0, 1])


def test_a_fast_face_is_followed_by_its_velocity() -> None:
    tracker = Tracker(AT_ONCE)
    for frame in range(6):  # it gets faster, to three quarters of its size a frame
        ids = ids_of(tracker, faces((100 + frame * 10, 100)), frame * FRAME)
    for frame in range(6, 20):
        position = 150 + (frame - 5) * 10 + 20 * max(0, frame - 10)
        ids = ids_of(tracker, faces((position, 100)), frame * FRAME)
        np.testing.assert_array_equal(ids, [0])


@pytest.mark.parametrize(("away", "same"), [(0.3, True), (0.9, True), (1.1, False), (30.0, False)])
def test_a_face_that_comes_back_within_patience_is_the_same(away: float, same: bool) -> None:
    tracker = Tracker(TrackSettings(confirm=1, patience=1.0))
    ids_of(tracker, faces((100, 100)), 0.0)
    seconds = FRAME
    while seconds < away:
        assert ids_of(tracker, Detections.empty(), seconds).shape == (0,)
        seconds += FRAME
    assert (ids_of(tracker, faces((100, 100)), away)[0] == 0) == same


def test_a_face_that_is_hidden_does_not_give_its_id_to_another() -> None:
    tracker = Tracker(AT_ONCE)
    for frame in range(5):
        ids_of(tracker, faces((100, 100), (300, 100)), frame * FRAME)
    for frame in range(5, 15):
        np.testing.assert_array_equal(ids_of(tracker, faces((300, 100)), frame * FRAME), [1])
    np.testing.assert_array_equal(ids_of(tracker, faces((100, 100), (300, 100)), 15 * FRAME), [0, 1])


def test_an_id_is_never_used_again() -> None:
    tracker = Tracker(TrackSettings(confirm=1, patience=0.1))
    used = [int(ids_of(tracker, faces((100, 100)), visit * 10.0)[0]) for visit in range(6)]
    assert used == list(range(6))
    assert tracker.alive() == {5}


def test_two_trackers_count_for_themselves() -> None:
    one, other = Tracker(AT_ONCE), Tracker(AT_ONCE)
    ids_of(one, faces((100, 100), (300, 100)), 0.0)
    np.testing.assert_array_equal(ids_of(other, faces((500, 100)), 0.0), [0])
    assert one.alive() == {0, 1}


def test_a_face_elsewhere_is_another_face() -> None:
    tracker = Tracker(AT_ONCE)
    ids_of(tracker, faces((100, 100)), 0.0)
    np.testing.assert_array_equal(ids_of(tracker, faces((400, 100)), FRAME), [1])


def test_two_frames_of_the_same_time_do_no_harm() -> None:
    tracker = Tracker(AT_ONCE)
    ids_of(tracker, faces((100, 100)), 1.0)
    np.testing.assert_array_equal(ids_of(tracker, faces((103, 100)), 1.0), [0])
    np.testing.assert_array_equal(ids_of(tracker, faces((103, 100)), 1.0 + FRAME), [0])


def test_no_faces_give_no_ids() -> None:
    ids = ids_of(Tracker(AT_ONCE), Detections.empty(), 0.0)
    assert ids.shape == (0,)
    assert ids.dtype == np.int64


frames = st.lists(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=5), min_size=1, max_size=15
)


@settings(deadline=None)
@given(frames, st.integers(1, 3), st.floats(0.05, 1))
def test_no_two_faces_of_a_frame_share_an_id_and_new_ids_only_grow(
    centers: list[list[tuple[int, int]]], confirm: int, patience: float
) -> None:
    tracker = Tracker(TrackSettings(confirm=confirm, patience=patience))
    last_seen: dict[int, float] = {}
    for number, frame in enumerate(centers):
        seconds = number * 0.1
        ids: list[int] = ids_of(tracker, faces(*frame), seconds).tolist()
        known = [i for i in ids if i >= 0]
        assert len(ids) == len(frame)
        assert len(set(known)) == len(known)
        for i in known:
            assert i in last_seen or i == len(last_seen)  # the next number, and none left out
            assert seconds - last_seen.get(i, seconds) <= patience + 1e-9
            last_seen[i] = seconds
        assert set(known) <= tracker.alive()


def scored(detections: Detections, *scores: float) -> Detections:
    return Detections(detections.boxes, np.array(scores, np.float32), detections.landmarks)


def test_a_weak_detection_continues_a_track_but_begins_none() -> None:
    tracker = Tracker(AT_ONCE, confident=0.4)
    tracker.update(scored(faces((100, 100)), 0.9), 0.0)
    for frame in range(1, 40):  # longer than patience would last
        tracks = tracker.update(scored(faces((100 + frame, 100), (300, 100)), 0.2, 0.3), frame * FRAME)
        assert tracks.ids.tolist() == [0]  # the second one is nobody
        assert tracks.faces.scores.tolist() == pytest.approx([0.2])
    assert tracker.update(scored(faces((300, 100)), 0.9), 40 * FRAME).ids.tolist() == [1]


def test_a_weak_detection_takes_no_track_from_a_confident_one() -> None:
    tracker = Tracker(AT_ONCE, confident=0.4)
    tracker.update(faces((100, 100)), 0.0)
    tracks = tracker.update(scored(faces((101, 100), (108, 100)), 0.2, 0.9), FRAME)
    assert (tracks.ids.tolist(), tracks.faces.scores.tolist()) == ([0], pytest.approx([0.9]))


def test_between_detections_faces_go_on_as_they_moved() -> None:
    tracker = Tracker(TrackSettings(confirm=2))
    for frame in range(0, 13, 4):
        tracker.update(faces((100 + 3 * frame, 100), (300, 100)), frame * FRAME)
    for frame in range(13, 16):
        tracks = tracker.predict(frame * FRAME)
        assert (tracks.ids.tolist(), tracks.found) == ([0, 1], False)
        middles = tracks.faces.boxes.reshape(-1, 2, 2).mean(axis=1)
        np.testing.assert_allclose(middles, [[100 + 3 * frame, 100], [300, 100]], atol=1.5)


def test_who_was_not_found_is_not_shown_between_detections_either() -> None:
    tracker = Tracker(AT_ONCE)
    tracker.update(faces((100, 100), (300, 100)), 0.0)
    tracker.update(faces((300, 100)), 4 * FRAME)
    assert tracker.predict(5 * FRAME).ids.tolist() == [1]
    tracker.reset()
    assert len(tracker.predict(6 * FRAME).faces) == 0


def test_a_track_has_a_key_from_its_first_sighting_on() -> None:
    tracker = Tracker(TrackSettings(confirm=3))
    seen = [tracker.update(faces((100, 100), (300, 100)), frame * FRAME) for frame in range(4)]
    assert [tracks.keys.tolist() for tracks in seen] == [[0, 1]] * 4
    assert [tracks.ids.tolist() for tracks in seen] == [[-1, -1], [-1, -1], [0, 1], [0, 1]]


def test_a_face_that_jumps_by_more_than_its_size_between_two_detections_is_followed() -> None:
    tracker = Tracker(AT_ONCE)
    tracker.update(faces((100, 100)), 0.0)
    assert tracker.update(faces((140, 100)), 4 * FRAME).ids.tolist() == [0]


def test_a_track_that_has_gone_over_to_another_face_ends_and_a_confirmed_one_goes_on_in_its_place() -> None:
    tracker = Tracker(TrackSettings(confirm=2))
    for frame in range(3):
        before = tracker.update(faces((100, 100), (300, 100)), frame * FRAME)
    number, key = tracker.part(int(before.ids[0]))
    after = tracker.update(faces((100, 100), (300, 100)), 3 * FRAME)
    assert after.ids.tolist() == [number, before.ids[1]]
    assert after.keys.tolist() == [key, before.keys[1]]
    assert number not in before.ids
    assert key not in before.keys
    assert tracker.alive() == {number, int(before.ids[1])}
