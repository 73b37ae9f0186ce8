"""Metrics, against what can be counted by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from siamese import metrics
from siamese.metrics import Bools, Floats

#          same  same  other same  other other
HAND = np.array([1, 2, 3, 4, 5, 6], np.float32), np.array([1, 1, 0, 1, 0, 0], np.bool_)


def drawn(ties: bool, seed: int = 0) -> tuple[Floats, Bools]:
    random = np.random.default_rng(seed)
    same = random.random(500) < 0.3
    distances = random.normal(np.where(same, 2.0, 3.5), 1.0)
    return (distances.round() if ties else distances).astype(np.float32), same


def test_every_pair_lists_each_two_rows_once() -> None:
    embeddings = np.array([[0, 0], [1, 0], [1, 3]], np.float32)
    distances, same = metrics.every_pair(embeddings, np.array([4, 4, 5]))
    assert distances.tolist() == [1, 4, 3]
    assert same.tolist() == [True, False, False]


def test_the_hardest_pairs_are_close_strangers_and_far_relatives() -> None:
    embeddings = np.array([[0.0], [10.0], [1.0], [5.0], [2.0]], np.float32)
    rows, columns, distances, same = metrics.hardest_pairs(embeddings, np.array([0, 0, 1, 1, 2]), 1)
    assert [(int(r), int(c)) for r, c in zip(rows, columns, strict=True)] == [(0, 2), (0, 1)] or [
        (int(r), int(c)) for r, c in zip(rows, columns, strict=True)
    ] == [(2, 4), (0, 1)]
    assert distances.tolist() == [1, 10]
    assert same.tolist() == [False, True]


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_is_what_accepting_up_to_each_distance_gives(ties: bool) -> None:
    distances, same = drawn(ties)
    far, tar, thresholds = metrics.roc(distances, same)
    assert len(far) == len(np.unique(distances)) + 1
    for false, true, threshold in zip(far, tar, thresholds, strict=True):
        accepted = distances <= threshold
        assert false == pytest.approx((accepted & ~same).sum() / (~same).sum())
        assert true == pytest.approx((accepted & same).sum() / same.sum())


@pytest.mark.parametrize("ties", [False, True])
def test_curve_and_area_agree_with_scikit_learn(ties: bool) -> None:
    distances, same = drawn(ties)
    far, tar, _ = metrics.roc(distances, same)
    theirs = roc_curve(same, -distances, drop_intermediate=False)
    np.testing.assert_allclose(far, theirs[0])
    np.testing.assert_allclose(tar, theirs[1])
    assert metrics.verification(distances, same)["auc"] == pytest.approx(roc_auc_score(same, -distances))


def test_figures_of_six_pairs_are_those_counted_by_hand() -> None:
    figures = metrics.verification(*HAND)
    assert figures["auc"] == pytest.approx(8 / 9)  # of nine pairs of pairs, one is in the wrong order
    assert figures["eer"] == pytest.approx(1 / 3)
    assert figures["tar at far 0.1"] == pytest.approx(2 / 3)
    assert list(figures) == ["auc", "eer", "tar at far 0.1", "tar at far 0.01", "tar at far 0.001"]


def test_the_equal_error_rate_lies_between_the_points_of_the_curve() -> None:
    # All false accepts come at once, at a fifth of false rejects: the line is crossed in the middle of that.
    assert metrics.equal_error_rate(np.array([0, 0, 1.0]), np.array([0, 0.8, 0.8])) == pytest.approx(0.2)
    assert metrics.equal_error_rate(np.array([0, 0, 1.0]), np.array([0, 1, 1.0])) == 0.0
    assert metrics.equal_error_rate(np.array([0, 1.0]), np.array([0, 1.0])) == 0.5


def test_the_equal_error_rate_is_the_same_from_either_side() -> None:
    distances, same = drawn(ties=False)
    far, tar, _ = metrics.roc(distances, same)
    reverse = metrics.roc(-distances, ~same)
    assert metrics.equal_error_rate(far, tar) == pytest.approx(metrics.equal_error_rate(*reverse[:2]))


@pytest.mark.parametrize("wanted", [0.0, 0.01, 0.05, 0.3, 1.0])
def test_true_accepts_are_those_of_the_loosest_threshold_allowed(wanted: float) -> None:
    distances, same = drawn(ties=True)
    far, tar, _ = metrics.roc(distances, same)
    best = 0.0
    for threshold in distances:
        accepted = distances <= threshold
        if (accepted & ~same).sum() <= wanted * (~same).sum():
            best = max(best, (accepted & same).sum() / same.sum())
    assert metrics.tar_at(wanted, far, tar) == pytest.approx(best)


def test_one_false_accept_in_a_thousand_counts_as_a_thousandth() -> None:
    distances = np.arange(1010, dtype=np.float32)
    same = np.zeros(1010, np.bool_)
    same[1:11] = True  # all farther than the closest stranger, closer than the next
    assert metrics.verification(distances, same)["tar at far 0.001"] == 1.0


def test_the_best_threshold_judges_no_fewer_right_than_any_other() -> None:
    distances, same = drawn(ties=False)

    def balanced(threshold: float) -> float:
        accepted = distances <= threshold
        return float(accepted[same].mean() + (~accepted)[~same].mean())

    assert balanced(metrics.best_threshold(distances, same)) == max(map(balanced, distances))


def test_the_best_threshold_lies_half_way_to_the_next_pair() -> None:
    assert metrics.best_threshold(*HAND) in (2.5, 4.5)
    assert metrics.accuracy(*HAND, 2.5) == metrics.accuracy(*HAND, 4.5) == pytest.approx(5 / 6)


def test_a_threshold_is_a_number_even_where_distance_says_nothing() -> None:
    same = np.array([False, False, True])
    assert np.isfinite(metrics.best_threshold(np.array([1, 2, 3], np.float32), same))
    assert metrics.best_threshold(np.ones(3, np.float32), same) == 1.0
