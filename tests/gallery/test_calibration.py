"""The claim of a calibrated threshold, held to strangers it has not seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from gallery.calibration import (
    TooFewError,
    choose_threshold,
    least_target,
    lower_bound,
    may_be_named,
    offsets,
    stranger_scores,
    strangers_needed,
    to_people,
    upper_bound,
)
from gallery.pooled import pool


@settings(deadline=None)
@given(st.integers(1, 2000), st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.99]))
def test_at_the_upper_bound_so_few_are_just_as_rare_as_the_confidence_says(
    of: int, share: float, confidence: float
) -> None:
    count = min(of - 1, int(share * of))
    bound = upper_bound(count, of, confidence)
    assert binom.cdf(count, of, bound) == pytest.approx(1 - confidence, abs=1e-6)
    assert lower_bound(of - count, of, confidence) == pytest.approx(1 - bound)


def test_bounds_of_none_and_of_all_are_the_textbooks() -> None:
    assert upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert upper_bound(7, 7) == 1.0
    assert lower_bound(0, 7) == 0.0
    with pytest.raises(ValueError, match="8 of 7"):
        upper_bound(8, 7)
    with pytest.raises(ValueError, match="0 of 0"):
        upper_bound(0, 0)


@settings(deadline=None)
@given(st.floats(1e-4, 0.3))
def test_the_number_needed_is_the_least_that_allows_the_claim(target: float) -> None:
    needed = strangers_needed(target)
    assert may_be_named(needed, target) >= 0
    assert may_be_named(needed - 1, target) == -1 or least_target(needed - 1) == pytest.approx(target)


@settings(deadline=None)
@given(st.integers(1, 3000), st.floats(1e-3, 0.5))
def test_one_more_than_may_be_named_would_break_the_claim(strangers: int, target: float) -> None:
    allowed = may_be_named(strangers, target)
    assert allowed < 0 or upper_bound(allowed, strangers) <= target
    assert allowed + 1 == strangers or upper_bound(allowed + 1, strangers) > target


def test_too_few_strangers_are_refused_with_the_number_it_takes() -> None:
    with pytest.raises(
        TooFewError, match=r"takes 2995: give 2563 more people .* rate of 0\.69% or more"
    ) as no:
        choose_threshold(np.arange(432.0), 0.001)
    assert no.value.needed == 2995
    with pytest.raises(TooFewError, match="rate of 100"):
        choose_threshold(np.zeros(0), 0.1)


def test_strangers_that_are_equally_near_stay_out_together() -> None:
    scores = np.array([5.0] * 3 + [9.0] * 997)
    chosen = choose_threshold(scores, 0.006)
    assert may_be_named(1000, 0.006) == 1
    assert chosen.distance < 5
    assert (chosen.named, chosen.strangers) == (0, 1000)
    assert chosen.bound <= 0.006


@pytest.mark.parametrize("target", [0.01, 0.05])
@pytest.mark.parametrize("strangers", [300, 1000])
def test_the_share_let_in_exceeds_the_target_as_rarely_as_claimed(target: float, strangers: int) -> None:
    # Scores are uniform here, so a threshold is itself the share of all strangers whom it lets in. Any other
    # continuous distribution is this one on another scale.
    random = np.random.default_rng(0)
    realised = np.array([choose_threshold(random.random(strangers), target).distance for _ in range(400)])
    assert (realised > target).mean() <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    assert realised.mean() > target / 10  # not by letting nobody in


def simulated(random: np.random.Generator, count: int, people: np.ndarray) -> np.ndarray:
    """Distances (count, p) of strangers to people some of whom look like everybody, and who share looks."""
    own = random.normal(0, 1, (count, 1))
    return np.asarray(10 + people + own + random.normal(0, 1, (count, len(people))))


def test_the_claim_holds_with_shifts_that_the_strangers_themselves_gave() -> None:
    random = np.random.default_rng(1)
    exceeded, with_shifts, without = [], [], []
    for _ in range(150):
        people = random.normal(0, 1, 40)
        known, unseen = simulated(random, 300, people), simulated(random, 4000, people)
        chosen = choose_threshold(stranger_scores(known), 0.02)
        realised = ((unseen + offsets(known)).min(axis=1) <= chosen.distance).mean()
        exceeded.append(realised > 0.02)
        alike = 4 + random.normal(0, 1, (400, 40)) + people  # probes of the people themselves
        with_shifts.append((alike + offsets(known) <= chosen.distance).mean())
        without.append((alike <= choose_threshold(known.min(axis=1), 0.02).distance).mean())
    assert np.mean(exceeded) <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5
    assert np.mean(with_shifts) > np.mean(without) + 0.02  # what the shifts are for


def test_shifts_part_those_who_look_like_everybody_from_the_rest() -> None:
    distances = np.array([[1.0, 5.0], [3.0, 7.0]])
    assert offsets(distances).tolist() == [2.0, -2.0]
    # Each is judged by the other's shifts: 1 + 2 and 5 - 2, then 3 + 2 and 7 - 2.
    assert stranger_scores(distances).tolist() == [3.0, 5.0]
    assert stranger_scores(distances[:1]).tolist() == [1.0]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 40), st.integers(1, 6), st.integers(0, 99))
def test_a_person_is_as_near_as_their_templates_together(templates: int, people: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    owners = random.integers(0, people, templates)
    stored = random.normal(size=(templates, 8)).astype(np.float32)
    probes = random.normal(size=(3, 8)).astype(np.float32)
    found = to_people(probes, stored, owners, people)
    for person in range(people):
        theirs = stored[owners == person]
        expected = np.abs(probes - pool(theirs)).sum(axis=1) if len(theirs) else np.full(3, np.inf)
        np.testing.assert_allclose(found[:, person], expected, rtol=1e-5)
