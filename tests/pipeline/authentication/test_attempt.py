"""Attempts by landmarks alone: a head that answers, and everything that is not the claimed person's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from types import ModuleType

import numpy as np
import pytest

from pipeline.authentication.attempt import ARRIVED, SHARE, Attempt
from pipeline.authentication.claimed import Claimed
from pipeline.authentication.policy import Part, decide
from pipeline.authentication.watch import Sight
from pipeline.config import TrackSettings
from pipeline.faces.turn import yaw
from pipeline.liveness import geometry
from pipeline.liveness.challenge import Challenge, Move, Step, draw
from pipeline.liveness.cues import Cues
from pipeline.liveness.relief import Crop, together
from pipeline.types import Detections, Floats
from siamese.calibration import Calibration

FPS = 20
SHAPE = (480, 640, 3)
ALICE, MALLORY = np.eye(8, dtype=np.float32)[:2] * 10
CALIBRATION = Calibration(intercept=20.0, slope=1.5, ceiling=9.0, genuine=100, impostor=30_000)
Change = Callable[[Sight, int], Sight]


def claimed(photographs: Floats = ALICE[None]) -> Claimed:
    return Claimed("alice", photographs, CALIBRATION, np.zeros((0, 8), np.float32))


def sight(
    landmarks: Floats, now: float, number: int, embedding: Floats = ALICE, face: Crop | None = None
) -> Sight:
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    box = np.concatenate([low - 30, high + 30]).astype(np.float32)
    found = Detections(box[None], np.array([0.9], np.float32), landmarks[None].astype(np.float32))
    seen = Cues(0.0, 2.0, 2.0, 4.0, 4.0, np.full(4, np.nan, np.float32), box)
    return Sight(now, SHAPE, number.to_bytes(4, "big"), found, 0, "", embedding, 0.8, seen, face=face)


def attempt(
    heads: ModuleType,
    change: Change = lambda seen, index: seen,
    challenge: Challenge | None = None,
    depth: float = 1.0,
    radius: float | None = None,
    allow_bent: bool = False,
    photographs: Floats = ALICE[None],
) -> Attempt:
    """Somebody does as asked, with noisy landmarks; `change` makes of each sight what a test is about.

    Args:
        depth: of the landmarks.
        radius: of the cylinder around which the face is bent whose pixels are seen; None of a head.
        photographs: (t, 8) of the person who is claimed.
    """
    steps = challenge or draw(random=Random(5))
    made = Attempt(claimed(photographs), steps, TrackSettings(), 0.4, allow_bent=allow_bent)
    actor, random = heads.Actor(FPS), np.random.default_rng(0)
    for index in range(16 * FPS):
        now = index / FPS
        left, up, away, roll = actor.move(now, made._response.asked)
        points = heads.noisy(heads.head(left, up, roll, away=away, depth=depth), 0.008, random)
        pixels = heads.crop_of(heads.nosed if radius is None else heads.sheet(radius, 20), round(left))
        face = replace(pixels, turn=yaw(points))
        made.take(change(sight(points, now, index, face=face), index), cut=False)
        if made.ended:
            break
    return made


def refused_for(made: Attempt) -> Part | None:
    """Which part refuses, everything else being well."""
    known = made.findings()
    held = {part: known.get(part, next(iter(known.values()))) for part in Part}
    for part in (Part.TRIES, Part.PLACE, Part.CAMERA, Part.INTENT):
        held[part] = replace(held[part], holds=True)
    return decide(held).part


@pytest.mark.parametrize("seed", range(10))
def test_alice_who_does_what_is_asked_is_accepted_within_six_seconds(heads: ModuleType, seed: int) -> None:
    made = attempt(heads, challenge=draw(random=Random(seed)))
    assert refused_for(made) is None, made.findings()
    assert made.seconds < 6
    assert made.words == "thank you"
    assert made.steps == (3, 3)


def test_somebody_else_in_a_single_frame_ends_it(heads: ModuleType) -> None:
    made = attempt(heads, lambda seen, i: replace(seen, embedding=MALLORY) if i == 30 else seen)
    assert refused_for(made) is Part.IDENTITY
    assert made.seconds == 30 / FPS


def test_a_stranger_is_refused_at_once(heads: ModuleType) -> None:
    made = attempt(heads, lambda seen, i: replace(seen, embedding=MALLORY))
    assert refused_for(made) is Part.IDENTITY
    assert made.judged


def test_a_face_that_resembles_her_a_little_in_every_frame_is_refused(heads: ModuleType) -> None:
    """Each frame is let through, all of them together are not enough."""
    alike = np.array([6.0, 4.2, 0, 0, 0, 0, 0, 0], np.float32)
    made = attempt(heads, lambda seen, i: replace(seen, embedding=alike))
    assert made._response.done
    assert refused_for(made) is Part.IDENTITY


def test_a_face_between_her_photographs_is_accepted(heads: ModuleType) -> None:
    """It is no nearer to any of them than somebody else may be, but to all of them together."""
    photographs = np.array([[10, 4] + 6 * [0], [10, -4] + 6 * [0]], np.float32)
    between = np.array([14] + 7 * [0], np.float32)
    made = attempt(heads, lambda seen, i: replace(seen, embedding=between), photographs=photographs)
    assert refused_for(made) is None, made.findings()


def test_somebody_who_resembles_only_one_of_her_photographs_is_refused(heads: ModuleType) -> None:
    photographs = np.array([[10, 10] + 6 * [0], [10, -10] + 6 * [0]], np.float32)
    made = attempt(heads, lambda seen, i: replace(seen, embedding=photographs[0]), photographs=photographs)
    assert made._response.done
    assert refused_for(made) is Part.IDENTITY
    assert "2 photographs enrolled" in made.findings()[Part.IDENTITY].why


def test_a_face_nobody_can_judge_for_longer_than_a_move_takes_is_refused(heads: ModuleType) -> None:
    """Else another face could be shown where it is turned or blurred."""
    made = attempt(heads, lambda seen, i: replace(seen, embedding=None) if 20 <= i < 40 else seen)
    assert refused_for(made) is Part.IDENTITY
    fine = attempt(heads, lambda seen, i: replace(seen, embedding=None) if 12 <= i < 24 else seen)
    assert refused_for(fine) is None


def test_a_face_nobody_can_judge_while_a_move_is_held_is_refused(heads: ModuleType) -> None:
    """Else somebody else could turn the head, briefly, and a photograph show the face before and after."""

    def far_aside(seen: Sight, index: int) -> Sight:
        pose = geometry.pose(seen.found.landmarks[0])
        return replace(seen, embedding=None) if pose is not None and abs(pose.turn) > 0.2 else seen

    made = attempt(heads, far_aside, Challenge(0.5, (Step(Move.NEARER, 0.2), Step(Move.LEFT, 0.2))))
    assert made._response.done
    assert refused_for(made) is Part.IDENTITY


def test_an_empty_chair_costs_no_try(heads: ModuleType) -> None:
    def nobody(seen: Sight, index: int) -> Sight:
        return replace(seen, row=None, why="no face found", found=Detections.empty(), embedding=None)

    made = attempt(heads, nobody)
    assert not made.judged
    assert refused_for(made) is not None
    assert "nobody was there" in made.findings()[Part.CHALLENGE].why


def far_until(heads: ModuleType, arrives: float, far: float = 0.15) -> tuple[Attempt, list[str]]:
    """Somebody whose face is `far` of its size until `arrives`, and who then does as is asked."""
    made, said = Attempt(claimed(), draw(random=Random(5)), TrackSettings(), 0.4), []
    actor, random = heads.Actor(FPS), np.random.default_rng(0)
    for index in range(16 * FPS):
        now = index / FPS
        left, up, away, roll = actor.move(now, made._response.asked)
        points = heads.noisy(heads.head(left, up, roll, away=away), 0.008, random)
        face = replace(heads.crop_of(heads.nosed, round(left)), turn=yaw(points))
        share = far + (1 - far) * min(1.0, max(0.0, now - arrives) / 0.8)
        small = ((points - (320, 200)) * share + (320, 200)).astype(np.float32)
        made.take(sight(small, now, index, face=face), cut=False)
        said.append(made.words)
        if made.ended:
            break
    return made, said


def test_a_face_that_is_too_small_is_asked_to_come_nearer_before_anything_begins(heads: ModuleType) -> None:
    made, said = far_until(heads, arrives=3.0)
    assert set(said[: 3 * FPS]) == {"come nearer to the camera"}
    assert refused_for(made) is None
    assert made.seconds < 3.0 + 0.8 + ARRIVED + 6.0


def test_a_face_that_stays_too_small_costs_no_try_and_the_reason_says_what_to_do(heads: ModuleType) -> None:
    made, said = far_until(heads, arrives=99.0)
    assert made.ended
    assert not made.judged
    assert refused_for(made) is not None
    assert "come nearer to the camera" in made.findings()[Part.CHALLENGE].why
    assert said[-2] == "come nearer to the camera"


def test_who_was_too_small_and_went_away_is_not_asked_to_come_nearer() -> None:
    made = Attempt(claimed(), draw(random=Random(5)), TrackSettings(), 0.4)
    seen = sight(np.array([[310, 195], [330, 195], [320, 200], [312, 205], [328, 205]], np.float32), 0.0, 0)
    made.take(seen, cut=False)
    assert made.words == "come nearer to the camera"
    gone = replace(seen, seconds=0.1, row=None, found=Detections.empty(), embedding=None)
    made.take(gone, cut=False)
    assert made.words == "look into the camera"


def test_a_face_that_becomes_smaller_once_it_has_begun_is_judged_like_any(heads: ModuleType) -> None:
    def leaves(seen: Sight, index: int) -> Sight:
        if index < FPS // 2:
            return seen
        points = ((seen.found.landmarks[0] - (320, 200)) * 0.3 + (320, 200)).astype(np.float32)
        return sight(points, seen.seconds, index)

    made = attempt(heads, leaves)
    assert made.judged
    assert refused_for(made) is not None
    assert all("come nearer to the camera" not in finding.why for finding in made.findings().values())


def test_a_second_face_ends_it(heads: ModuleType) -> None:
    def two(seen: Sight, index: int) -> Sight:
        if index < 30:
            return seen
        both = Detections(
            np.concatenate([seen.found.boxes, seen.found.boxes + 200]),
            np.array([0.9, 0.9], np.float32),
            np.concatenate([seen.found.landmarks, seen.found.landmarks + 200]),
        )
        return replace(seen, found=both, row=None, why="2 faces", embedding=None)

    assert refused_for(attempt(heads, two)) is Part.ONE_FACE


def test_a_face_swapped_in_the_middle_ends_it(heads: ModuleType) -> None:
    """Elsewhere in the picture, so that another track begins."""

    def swapped(seen: Sight, index: int) -> Sight:
        if index < 30:
            return seen
        moved = Detections(
            seen.found.boxes + np.float32(220), seen.found.scores, seen.found.landmarks + np.float32(220)
        )
        return replace(seen, found=moved)

    assert refused_for(attempt(heads, swapped)) in (Part.STREAM, Part.ONE_FACE)


def test_a_picture_that_comes_twice_ends_it(heads: ModuleType) -> None:
    made = attempt(heads, lambda seen, i: replace(seen, digest=b"same") if i in (3, 40) else seen)
    assert refused_for(made) is Part.STREAM


def test_a_cut_ends_it(heads: ModuleType) -> None:
    made = Attempt(claimed(), draw(), TrackSettings(), 0.4)
    made.take(sight(heads.head(), 0.0, 0), cut=False)
    made.take(sight(heads.head(), 0.05, 1), cut=True)
    assert made.ended
    assert refused_for(made) is Part.STREAM


@pytest.mark.parametrize("depth", [0.0, 0.25])
def test_what_is_flat_does_not_answer_a_turn(heads: ModuleType, depth: float) -> None:
    made = attempt(heads, challenge=Challenge(0.5, (Step(Move.LEFT, 0.5),)), depth=depth)
    assert refused_for(made) in (Part.CHALLENGE, Part.DEPTH)


@pytest.mark.parametrize("depth", [0.4, 0.45])
def test_less_than_half_of_a_heads_depth_is_not_enough(heads: ModuleType, depth: float) -> None:
    """As a print has that is bent around something."""
    made = attempt(heads, challenge=Challenge(0.5, (Step(Move.LEFT, 0.5),)), depth=depth)
    assert made._response.done
    assert refused_for(made) is Part.DEPTH


def test_a_bent_print_whose_landmarks_show_depth_is_refused_by_its_pixels(heads: ModuleType) -> None:
    """As a network guesses them that has only seen heads."""
    made = attempt(heads, challenge=Challenge(0.5, (Step(Move.LEFT, 0.5),)), radius=1.0)
    assert made.findings()[Part.DEPTH].holds
    assert refused_for(made) is Part.RELIEF
    assert "bent" in made.findings()[Part.RELIEF].why
    assert "--allow-bent" in made.findings()[Part.RELIEF].why


def test_where_it_is_allowed_what_is_bent_is_not_refused_for_that(heads: ModuleType) -> None:
    steps = Challenge(0.5, (Step(Move.LEFT, 0.5),))
    assert refused_for(attempt(heads, challenge=steps, radius=1.0, allow_bent=True)) is None
    shallow = attempt(heads, challenge=steps, depth=0.4, radius=1.0, allow_bent=True)
    assert refused_for(shallow) is Part.DEPTH, "the landmarks have their say as before"


def to_the_right(heads: ModuleType, axis: float) -> Change:
    """What is turned to the right is a print that is bent around this axis, whatever it was before."""
    sheet = heads.sheet(1.0, axis)

    def change(seen: Sight, index: int) -> Sight:
        pose = geometry.pose(seen.found.landmarks[0])
        assert pose is not None
        assert seen.face is not None
        if pose.turn > -0.1:
            return seen
        bent = heads.crop_of(sheet, min(0, round(45 * pose.turn)))
        return replace(seen, face=replace(bent, turn=seen.face.turn))

    return change


def test_one_turn_that_shows_a_nose_does_not_speak_for_another(heads: ModuleType) -> None:
    """A head that turns to one side, and a bent print to the other."""
    steps = Challenge(0.5, (Step(Move.LEFT, 0.5), Step(Move.RIGHT, 0.5)))
    assert refused_for(attempt(heads, challenge=steps)) is None
    assert refused_for(attempt(heads, to_the_right(heads, 0), steps)) is Part.RELIEF


def test_a_print_that_is_bent_around_another_axis_for_each_turn_is_refused(heads: ModuleType) -> None:
    """In the mean of its turns it stands out in every direction, and in none of them."""
    steps = Challenge(0.5, (Step(Move.LEFT, 0.5), Step(Move.RIGHT, 0.5)))
    made = attempt(heads, to_the_right(heads, 110), steps, radius=1.0)
    turns = [each for each in made.reliefs if each is not None]
    assert len(turns) == 2
    assert together(turns).share > SHARE
    assert refused_for(made) is Part.RELIEF


def test_a_nose_that_cannot_be_followed_is_not_known_to_stand_out(heads: ModuleType) -> None:
    made = attempt(heads, lambda seen, i: replace(seen, face=None) if i > 15 else seen)
    assert made._response.done
    assert made.findings()[Part.RELIEF].holds is None
    assert refused_for(made) is Part.RELIEF


def test_landmarks_that_answer_without_depth_are_refused_for_that(heads: ModuleType) -> None:
    """Something all but flat, squeezed so far that the nose goes aside: foreshortening gives it away."""

    def squeezed(seen: Sight, index: int) -> Sight:
        points = seen.found.landmarks.copy()
        middle = points[0, :2, 0].mean()
        aside = abs(points[0, 2, 0] - middle) / abs(points[0, 1, 0] - points[0, 0, 0])
        others = [0, 1, 3, 4]
        points[0, others, 0] = middle + (points[0, others, 0] - middle) * max(0.5, 1 - 5 * aside)
        return replace(seen, found=replace(seen.found, landmarks=points))

    made = attempt(heads, squeezed, Challenge(0.5, (Step(Move.LEFT, 0.3),)), depth=0.35)
    assert made._response.done
    assert refused_for(made) is Part.DEPTH


def test_a_cue_or_a_model_denies_whatever_else_is_well(heads: ModuleType) -> None:
    def glossy(seen: Sight, index: int) -> Sight:
        assert seen.cues is not None
        return replace(seen, cues=replace(seen.cues, glare=0.3))

    assert refused_for(attempt(heads, glossy)) is Part.CUES
    assert refused_for(attempt(heads, lambda seen, i: replace(seen, live=0.1))) is Part.CUES
    assert refused_for(attempt(heads, lambda seen, i: replace(seen, live=0.9))) is None


def test_a_model_does_not_speak_for_anybody(heads: ModuleType) -> None:
    made = attempt(heads, lambda seen, i: replace(seen, live=1.0, embedding=MALLORY))
    assert refused_for(made) is Part.IDENTITY


def test_who_never_looks_into_the_camera_is_refused_when_time_is_over(heads: ModuleType) -> None:
    made = Attempt(claimed(), draw(), TrackSettings(), 0.4, timeout=2.0)
    index = 0
    while not made.ended:
        made.take(sight(heads.head(35), index / FPS, index), cut=False)
        index += 1
    assert made.seconds == pytest.approx(2.0, abs=0.06)
    assert refused_for(made) is Part.CHALLENGE
    assert made.judged
