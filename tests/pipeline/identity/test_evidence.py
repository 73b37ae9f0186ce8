"""The test of identity: its arithmetic, its bound on strangers, and its verdicts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import EvidenceSettings
from pipeline.identity.evidence import Evidence, assign, bound, despite, judge, posterior
from pipeline.types import UNDECIDED, Identity, State

SETTINGS = EvidenceSettings(target_fpir=0.001)  # the arithmetic below rests on these
FACE = np.ones(4, np.float32)
finite = st.floats(-60, 60)


def after(*looks: Mapping[str, float], people: int = 10, settings: EvidenceSettings = SETTINGS) -> Identity:
    """The verdict on one track alone in view, after these looks of full quality."""
    evidence = Evidence(settings)
    for ratios in looks:
        look(evidence, 0, ratios)
        evidence.decide([0], people)
    return evidence.of(0)


def look(evidence: Evidence, track: int, ratios: Mapping[str, float]) -> None:
    """One look at a track, after which the gallery says this of all of them."""
    evidence.add(track, FACE, 1.0)
    evidence.weigh(track, ratios)


@given(st.lists(finite, max_size=6), st.integers(0, 50))
def test_the_posterior_of_all_candidates_and_of_nobody_sums_to_one(ratios: list[float], others: int) -> None:
    people = len(ratios) + others
    chances, nobody = posterior(ratios[:people], people)
    assert math.fsum([*chances, nobody]) == pytest.approx(1)
    assert ((chances >= 0) & (chances <= 1)).all()


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=6), st.integers(0, 50))
def test_the_posterior_is_prior_times_likelihood(ratios: list[float], others: int) -> None:
    people = len(ratios) + others
    masses = [math.exp(ratio) * 0.5 / people for ratio in ratios]
    chances, nobody = posterior(ratios, people)
    np.testing.assert_allclose(chances, np.array(masses) / (sum(masses) + 0.5), rtol=1e-9)
    assert nobody == pytest.approx(0.5 / (sum(masses) + 0.5))


def test_without_evidence_half_is_nobodys_and_the_rest_is_shared() -> None:
    chances, nobody = posterior([0.0] * 4, 4)
    np.testing.assert_allclose([*chances, nobody], [0.125] * 4 + [0.5])


@pytest.mark.parametrize("people", [10, 1000])
def test_a_ratio_below_the_bound_never_decides_however_many_looks_there_are(people: int) -> None:
    evidence = Evidence(SETTINGS)
    for _ in range(1000):
        look(evidence, 0, {"Ann": bound(people, SETTINGS.target_fpir) - 0.01})
        evidence.decide([0], people)
        assert evidence.of(0).state is State.UNDECIDED
    assert evidence.of(0).looks == 1000


def test_looks_at_a_track_are_pooled_and_those_at_another_are_not() -> None:
    evidence = Evidence(SETTINGS)
    first, second = np.array([2.0, 0.0], np.float32), np.array([0.0, 2.0], np.float32)
    np.testing.assert_allclose(evidence.add(0, first, 0.5), [2, 0])
    np.testing.assert_allclose(evidence.add(1, second, 0.5), [0, 2])
    np.testing.assert_allclose(evidence.add(0, second, 0.5), [1, 1])


def test_what_is_known_is_what_was_last_weighed() -> None:
    assert after({"Ann": 14.0}, {"Ann": 14.0}, {"Bob": 14.0}).name == "Bob"


def test_a_strong_ratio_names_after_the_fewest_looks_and_no_sooner() -> None:
    states = [after(*[{"Ann": 14.0, "Bob": -9.0}] * n).state for n in range(1, 5)]
    assert states == [State.UNDECIDED, State.UNDECIDED, State.NAMED, State.NAMED]
    verdict = after(*[{"Ann": 14.0, "Bob": -9.0}] * 3)
    assert (verdict.name, verdict.looks) == ("Ann", 3)
    assert verdict.confidence > 0.999
    assert verdict.why.endswith("over 3 looks, 10 people enrolled")


def test_one_person_and_one_look_are_said_as_one() -> None:
    settings = EvidenceSettings(min_looks=1)
    verdict = judge({"Ann": 14.0}, "Ann", 1, 1, settings)
    assert verdict.why == "evidence 14.0 over 1 look, 1 person enrolled"


def test_a_larger_gallery_asks_for_more_evidence() -> None:
    said = [{"Ann": 11.0, "Bob": -9.0}] * 3
    assert after(*said, people=10).state is State.NAMED
    assert after(*said, people=1000).state is State.UNDECIDED


def test_who_resembles_two_people_is_given_to_neither() -> None:
    verdict = after(*[{"Ann": 14.0, "Bob": 13.0}] * 10)
    assert verdict.state is State.UNDECIDED
    assert verdict.confidence == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-3)
    assert verdict.why == "the evidence does not suffice yet"


def test_far_from_everybody_is_unknown_and_a_little_far_is_undecided() -> None:
    far = after(*[{"Ann": -8.0, "Bob": -9.0}] * 3)
    assert (far.state, far.name) == (State.UNKNOWN, None)
    assert far.confidence > 0.99
    near = after(*[{"Ann": -0.5}] * 3, people=1)
    assert near.state is State.UNDECIDED
    assert near.why == "the evidence does not suffice yet"  # nobody else has her


NEAR, FAR = {"Ann": 14.0, "Bob": -9.0}, {"Ann": -8.0, "Bob": -9.0}


@pytest.mark.parametrize(
    ("ratios", "truth"), [(NEAR, State.NAMED), (FAR, State.UNKNOWN), ({}, State.UNKNOWN)]
)
def test_a_part_of_the_gallery_gives_no_verdict_and_all_of_it_does_without_another_look(
    ratios: Mapping[str, float], truth: State
) -> None:
    evidence = Evidence(SETTINGS)
    for _ in range(5):
        evidence.add(0, FACE, 1.0)
        evidence.weigh(0, ratios, whole=False)
        evidence.decide([0], 10)
    assert evidence.of(0) == Identity(State.UNDECIDED, None, 0.0, 5, "part of the gallery cannot be asked")
    evidence.weigh(0, ratios)
    evidence.decide([0], 10)
    assert (evidence.of(0).state, evidence.of(0).looks) == (truth, 5)


@pytest.mark.parametrize(("ratios", "against"), [(NEAR, FAR), (NEAR, {}), (FAR, NEAR), ({}, NEAR)])
def test_what_all_of_the_gallery_said_stands_until_a_part_of_it_speaks_against_it(
    ratios: Mapping[str, float], against: Mapping[str, float]
) -> None:
    evidence = Evidence(SETTINGS)
    for _ in range(3):
        look(evidence, 0, ratios)
    evidence.decide([0], 10)
    before = evidence.of(0)
    for said, verdict in ((ratios, (before.state, before.name, before.why)), (against, None)):
        evidence.add(0, FACE, 1.0)
        evidence.weigh(0, said, whole=False)
        evidence.decide([0], 10)
        now = evidence.of(0)
        assert now.state is State.UNDECIDED if verdict is None else (now.state, now.name, now.why) == verdict
    evidence.weigh(0, ratios, whole=False)
    evidence.decide([0], 10)
    assert evidence.of(0).state is State.UNDECIDED, "it was taken back, and nothing new gives it"


def test_another_person_of_a_part_does_not_take_the_place_of_the_one_that_stands() -> None:
    evidence = Evidence(SETTINGS)
    for _ in range(3):
        look(evidence, 0, NEAR)
    evidence.decide([0], 10)
    evidence.weigh(0, {"Ann": 6.0, "Bob": 20.0}, whole=False)
    evidence.decide([0], 10)
    assert (evidence.of(0).state, evidence.of(0).name) == (State.UNDECIDED, None)


def test_with_nobody_enrolled_everybody_is_unknown_at_once() -> None:
    verdict = judge({}, None, 0, 1, SETTINGS)
    assert (verdict.state, verdict.why) == (State.UNKNOWN, "nobody is enrolled")


def test_the_verdict_is_revised_when_the_face_turns_out_to_be_another() -> None:
    rng = np.random.default_rng(0)
    ann, bob = rng.standard_normal((2, 64)).astype(np.float32)
    evidence, names = Evidence(SETTINGS), []
    for seen in [ann] * 30 + [bob] * 90:
        now = evidence.add(0, seen, 0.7)
        # Two people are some 70 apart here.
        evidence.weigh(0, {n: 20 - float(np.abs(now - who).sum()) for n, who in (("Ann", ann), ("Bob", bob))})
        evidence.decide([0], 10)
        names.append(evidence.of(0).name)
    assert names[2:30] == ["Ann"] * 28
    between = sorted(set(names[30:]), key=names[30:].index)
    assert between == ["Ann", None, "Bob"]  # never from one name to another at once
    assert names[-1] == "Bob"


def value(ratios: Mapping[int, Mapping[str, float]], assigned: Mapping[int, str | None]) -> float:
    return sum(ratios[track][name] for track, name in assigned.items() if name is not None)


names = st.sampled_from(["Ann", "Bob", "Cid", "Dee"])
crowds = st.dictionaries(st.integers(0, 9), st.dictionaries(names, finite, max_size=4), max_size=4)


@given(crowds)
def test_the_joint_assignment_is_the_best_of_all_with_one_name_for_one_face(
    ratios: dict[int, dict[str, float]],
) -> None:
    chosen = assign(ratios)
    taken = [name for name in chosen.values() if name is not None]
    assert list(chosen) == list(ratios)
    assert len(set(taken)) == len(taken)
    options = [[None, *each] for each in ratios.values()]
    every = [dict(zip(ratios, choice, strict=True)) for choice in itertools.product(*options)]
    allowed = [a for a in every if len(set(a.values()) - {None}) == sum(n is not None for n in a.values())]
    assert value(ratios, chosen) == pytest.approx(max(value(ratios, a) for a in allowed), abs=1e-6)


def test_one_name_goes_to_one_face_and_the_other_is_told_why() -> None:
    evidence = Evidence(SETTINGS)
    for _ in range(5):
        look(evidence, 1, {"Ann": 12.0})
        look(evidence, 2, {"Ann": 15.0})
        evidence.decide([1, 2], 10)
    assert (evidence.of(2).state, evidence.of(2).name) == (State.NAMED, "Ann")
    assert evidence.of(1).state is State.UNDECIDED
    assert evidence.of(1).why == "who comes nearest is another face here"


def test_tracks_that_were_never_looked_at_or_are_gone_are_undecided() -> None:
    evidence = Evidence(SETTINGS)
    for _ in range(5):
        look(evidence, 1, {"Ann": 15.0})
    evidence.decide([1, 2], 10)
    assert evidence.of(2) == UNDECIDED
    assert evidence.of(1).name == "Ann"
    evidence.decide([], 10)
    assert evidence.of(1).name == "Ann"  # out of view for a moment
    evidence.forget(frozenset({2}))
    assert evidence.of(1) == UNDECIDED
    look(evidence, 1, {"Ann": 15.0})
    evidence.decide([1], 10)
    assert evidence.of(1).looks == 1


def test_a_name_that_was_given_stands_until_it_is_less_likely_than_not() -> None:
    needed = bound(10, SETTINGS.target_fpir)
    for ratio, name in ((needed + 1, "Ann"), (needed - 1, "Ann"), (math.log(10) + 0.2, "Ann"), (1.0, None)):
        before = Identity(State.NAMED, "Ann", 0.9995)
        assert judge({"Ann": ratio}, "Ann", 10, 5, SETTINGS, before).name == name
    assert judge({"Ann": needed - 1}, "Ann", 10, 5, SETTINGS).name is None
    other = Identity(State.NAMED, "Bob", 0.9995)
    assert judge({"Ann": needed - 1}, "Ann", 10, 5, SETTINGS, other).name is None


def test_a_stranger_stays_unknown_while_evidence_wavers() -> None:
    wavering = {"Ann": math.log(10) - 1.0}
    assert judge(wavering, "Ann", 10, 5, SETTINGS).state is State.UNDECIDED
    assert judge(wavering, "Ann", 10, 5, SETTINGS, Identity(State.UNKNOWN)).state is State.UNKNOWN


@given(st.integers(1, 10**6), st.floats(1e-5, 0.4))
def test_the_bound_is_where_a_lone_candidate_gets_the_name(people: int, target: float) -> None:
    at = bound(people, target)
    (chance,), _ = posterior([at], people)
    assert chance == pytest.approx(1 - target)


@given(st.lists(st.lists(st.floats(-60, 60), min_size=3, max_size=3), min_size=1, max_size=5))
def test_many_tracks_at_once_are_judged_as_each_alone(rows: list[list[float]]) -> None:
    chances, nobody = posterior(rows, 20)
    for row, chance, none in zip(rows, chances, nobody, strict=True):
        alone, of_nobody = posterior(row, 20)
        np.testing.assert_allclose(chance, alone, atol=1e-12)
        assert none == pytest.approx(of_nobody)


SAID = st.floats(-60, 60) | st.just(-math.inf)


@given(st.lists(st.tuples(st.floats(-13, 60), SAID), min_size=1, max_size=5), st.integers(0, 2000))
def test_what_was_said_makes_nobody_likelier_and_touches_nobody_else(
    each: list[tuple[float, float]], others: int
) -> None:
    ratios, against = (np.array(column) for column in zip(*each, strict=True))
    people = len(each) + others
    before, _ = posterior(ratios, people)
    after, nobody = posterior(despite(ratios, against, people), people)
    assert after.sum() + nobody == pytest.approx(1)
    assert (after <= before * (1 + 1e-9)).all()
    of_nothing = np.isinf(against)
    np.testing.assert_allclose(after[of_nothing], before[of_nothing], rtol=1e-9)


@given(st.lists(st.floats(-13, 60), min_size=1, max_size=5), st.floats(0, 60), st.integers(0, 2000))
def test_a_face_as_near_to_what_is_not_theirs_as_to_them_is_at_most_as_likely_theirs(
    ratios: list[float], nearer: float, others: int
) -> None:
    against = [ratios[0] + nearer] + [-math.inf] * (len(ratios) - 1)
    after, _ = posterior(despite(ratios, against, len(ratios) + others), len(ratios) + others)
    assert after[0] <= 0.5 * (1 + 1e-9)


def test_what_somebody_loses_is_what_not_enrolled_gains() -> None:
    ratios, against = [9.0, 3.0], [12.0, -math.inf]
    before, nobody = posterior(ratios, 2)
    odds = math.exp(9) / (math.exp(9) + math.exp(3) + 2 + math.exp(12))  # the rival's prior is a person's
    after, then = posterior(despite(ratios, against, 2), 2)
    assert after[0] == pytest.approx(odds)
    assert then - nobody == pytest.approx(before[0] - after[0])


def test_the_same_face_is_not_named_again_and_their_own_still_is() -> None:
    def state(ratio: float, against: float) -> State:
        (weighed,) = despite([ratio], [against], 1)
        return judge({"ada": float(weighed)}, "ada", 1, 10, EvidenceSettings()).state

    assert state(12, -math.inf) is State.NAMED
    assert state(12, 13) is State.UNDECIDED
    assert state(12, 20) is State.UNKNOWN
    assert state(12, 3) is State.NAMED


def test_rows_of_which_nothing_was_said_stay_to_the_bit() -> None:
    ratios, against = np.array([[9.1, 3.7], [2.2, 0.3]]), np.array([[-np.inf, -np.inf], [1.0, -np.inf]])
    after = despite(ratios, against, 7)
    np.testing.assert_array_equal(after[0], ratios[0])
    np.testing.assert_allclose(after[1], despite(ratios[1], against[1], 7))


def test_a_verdict_by_a_single_look_stands_only_while_there_are_no_more() -> None:
    evidence = Evidence(EvidenceSettings(min_looks=3))
    verdicts = []
    for ratio in (12.0, 3.0, 3.0):
        evidence.add(7, np.ones(2, np.float32), 1.0)
        evidence.weigh(7, {"alice": ratio})
        evidence.decide([7], 2, once=[7])
        verdicts.append(evidence.of(7).name)
    assert verdicts == ["alice", None, None], "3 is more likely than not, and too little for a name"
