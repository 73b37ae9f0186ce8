"""Calibration, on distances whose log-likelihood ratio is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.special import expit

from siamese import calibration
from siamese.calibration import Calibration
from siamese.metrics import Bools, Floats


def drawn(genuine: int, impostor: int) -> tuple[Floats, Bools]:
    """Normal distances of one spread: their true log-likelihood ratio is 10 - 2 distance."""
    random = np.random.default_rng(0)
    distances = np.concatenate([random.normal(4, 1, genuine), random.normal(6, 1, impostor)])
    return distances.astype(np.float32), np.arange(genuine + impostor) < genuine


def test_a_probability_is_the_logistic_function_however_far_out() -> None:
    for llr in (-800.0, -40.0, -3.0, 0.0, 1e-9, 2.5, 40.0, 800.0):
        assert calibration.probability(llr) == pytest.approx(float(expit(llr)), rel=1e-13, abs=0)
    assert calibration.probability(-np.inf) == 0.0


def test_the_ratio_of_normal_distances_is_found_whatever_the_share_of_each_kind() -> None:
    for genuine, impostor in ((20_000, 20_000), (4_000, 60_000)):
        fitted = calibration.fit(*drawn(genuine, impostor))
        assert fitted.intercept == pytest.approx(10, abs=0.5)
        assert fitted.slope == pytest.approx(2, abs=0.1)
        assert (fitted.genuine, fitted.impostor) == (genuine, impostor)


def test_evidence_is_capped_by_the_rule_of_three() -> None:
    fitted = calibration.fit(*drawn(500, 3000))
    assert fitted.ceiling == pytest.approx(math.log(1000))
    llr = fitted.llr(np.array([-1e9, 0.0, 1e9, np.inf]))
    assert llr.tolist() == [fitted.ceiling, fitted.ceiling, -fitted.ceiling, -fitted.ceiling]
    assert fitted.extrapolated(np.array([-1e3]))[0] == fitted.intercept + 1e3 * fitted.slope > 1e3


def test_a_handful_of_strangers_supports_no_evidence_at_all() -> None:
    distances, same = np.array([1, 1.2, 3, 2], np.float32), np.array([True, True, False, False])
    assert calibration.fit(distances, same).llr(distances).tolist() == [0, 0, 0, 0]


def test_distance_and_ratio_are_each_others_inverse() -> None:
    fitted = Calibration(10.0, 2.0, 6.0, 1, 1)
    distances = np.array([[3.0, 4.5], [5.0, 6.5]])
    llr = fitted.llr(distances)
    assert llr.tolist() == [[4, 1], [0, -3]]
    assert [[fitted.distance(value) for value in row] for row in llr.tolist()] == distances.tolist()


def test_a_calibration_survives_as_plain_values() -> None:
    fitted = calibration.fit(*drawn(100, 100))
    assert Calibration.from_dict(json.loads(json.dumps(fitted.as_dict()))) == fitted
    for other in ({}, fitted.as_dict() | {"knots": []}):
        with pytest.raises(TypeError):
            Calibration.from_dict(other)


@pytest.mark.parametrize("same", [True, False])
def test_one_kind_of_pair_is_not_enough(same: bool) -> None:
    with pytest.raises(ValueError, match="pairs of one person and pairs of two"):
        calibration.fit(np.arange(4, dtype=np.float32), np.full(4, same))


def test_distances_that_say_nothing_of_identity_are_refused() -> None:
    same = np.array([True, True, False, False])
    with pytest.raises(ValueError, match="not trained"):
        calibration.fit(np.array([3, 4, 1, 2], np.float32), same)
    for useless in (np.ones(4, np.float32), np.array([1, 2, 3, np.nan], np.float32)):
        with pytest.raises(ValueError, match="differ and are finite"):
            calibration.fit(useless, same)


def test_the_cost_is_a_bit_for_silence_and_nothing_for_certainty() -> None:
    same = np.array([True, False, False, False])
    assert calibration.cost(np.zeros(4), same) == pytest.approx(1)
    assert calibration.cost(np.where(same, 50.0, -50.0), same) == pytest.approx(0, abs=1e-12)
    assert calibration.cost(np.where(same, -50.0, 50.0), same) > 70
    by_hand = (
        math.log2(1 + math.exp(-2)) + (2 * math.log2(1 + math.exp(-1)) + math.log2(1 + math.e)) / 3
    ) / 2
    assert calibration.cost(np.array([2.0, -1, -1, 1]), same) == pytest.approx(by_hand)


def test_fitted_ratios_cost_less_than_the_same_ones_shifted_or_stretched() -> None:
    distances, same = drawn(2000, 2000)
    llr = calibration.fit(distances, same).llr(distances)
    cost = calibration.cost(llr, same)
    assert cost < min(calibration.cost(other, same) for other in (llr + 0.3, llr - 0.3, llr * 1.3, llr * 0.7))


def test_only_the_nearest_person_is_capped_and_the_others_keep_their_gap() -> None:
    judge = calibration.Calibration(20.0, 2.0, 11.0, 900, 200_000)
    ratios = judge.of_people(np.array([[2.0, 5.0, np.inf], [6.0, 7.0, 30.0]]))
    assert ratios.tolist() == [[11, 5, -11], [8, 6, -11]]  # 16 and 10 without the cap
    assert judge.of_people(np.zeros((2, 0))).shape == (2, 0)
