"""Intervals, against drawing the data again the slow and obvious way."""

from __future__ import annotations

import numpy as np
import pytest

from siamese import metrics
from siamese.metrics import Bools, Floats, Ints
from siamese.protocols.intervals import EDGES, over_pairs, over_people

FAR = np.array([0.001, 0.01, 0.05, 0.2, 1.0])


def pairs(count: int = 300) -> tuple[Floats, Bools]:
    random = np.random.default_rng(1)
    same = np.arange(count) % 2 == 0
    return random.normal(np.where(same, 3.0, 5.0), 1.0).astype(np.float32), same


def faces(people: int, spread: float = 1.0) -> tuple[Floats, Ints]:
    random = np.random.default_rng(2)
    labels = np.repeat(np.arange(people), random.integers(1, 5, people))
    centres = random.normal(size=(people, 8))
    return (centres[labels] + spread * random.normal(size=(len(labels), 8))).astype(np.float32), labels


@pytest.mark.parametrize("decimals", [0, 8])
def test_the_figures_are_those_of_the_pairs_themselves_ties_or_not(decimals: int) -> None:
    distances, same = pairs()
    distances = distances.round(decimals)
    figures, curve = over_pairs(distances, same, FAR, samples=50, seed=0)
    assert {name: interval.value for name, interval in figures.items()} == metrics.verification(
        distances, same
    )
    far, tar, _ = metrics.roc(distances, same)
    assert curve.tar.tolist() == [metrics.tar_at(wanted, far, tar) for wanted in FAR]
    assert curve.impostors == 150


def test_intervals_hold_the_figure_and_are_narrower_with_more_pairs() -> None:
    few, many = (over_pairs(*pairs(count), FAR, samples=200, seed=0) for count in (100, 3000))
    for figures, curve in (few, many):
        assert all(interval.low <= interval.value <= interval.high for interval in figures.values())
        assert (curve.low <= curve.tar).all()
        assert (curve.tar <= curve.high).all()
    for name in ("auc", "eer", "tar at far 0.1"):
        widths = [figures[name].high - figures[name].low for figures in (few[0], many[0])]
        assert widths[0] > 2 * widths[1]


def test_the_interval_of_the_area_is_as_wide_as_theory_says() -> None:
    distances, same = pairs(400)
    figures, _ = over_pairs(distances, same, FAR, samples=500, seed=0)
    closer = (distances[same][:, None] < distances[~same][None]).astype(float)
    # DeLong et al., 1988: the variance of the area from the shares of each pair.
    error = (closer.mean(axis=1).var(ddof=1) / 200 + closer.mean(axis=0).var(ddof=1) / 200) ** 0.5
    interval = figures["auc"]
    assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(error, rel=0.15)


def test_the_intervals_follow_from_the_seed() -> None:
    one, again, other = (over_pairs(*pairs(), FAR, samples=20, seed=seed)[0] for seed in (1, 1, 2))
    assert one == again
    assert one != other


@pytest.mark.parametrize(("wanted", "resolved"), [(1e-2, True), (1 / 150, True), (1e-3, False)])
def test_a_rate_below_one_false_accept_is_not_resolved(wanted: float, resolved: bool) -> None:
    assert over_pairs(*pairs(), FAR, samples=2, seed=0)[1].resolves(wanted) is resolved


@pytest.mark.parametrize("people", [20, 120])
def test_the_curve_over_people_is_that_of_all_their_pairs(people: int) -> None:
    embeddings, labels = faces(people)
    distances, same = metrics.every_pair(embeddings, labels)
    wanted = FAR[:2]
    curve = over_people(distances, labels, wanted, samples=3, seed=0)
    far, tar, _ = metrics.roc(distances, same)
    assert curve.tar == pytest.approx([metrics.tar_at(rate, far, tar) for rate in wanted])
    assert curve.impostors == (~same).sum()
    assert curve.at(0.01).value == curve.tar[1]


@pytest.mark.parametrize("people", [12, 60])
def test_people_who_are_drawn_again_bring_all_of_their_pairs(people: int) -> None:
    embeddings, labels = faces(people)
    distances, _ = metrics.every_pair(embeddings, labels)
    curve = over_people(distances, labels, FAR[1:2], samples=40, seed=5)
    random, rates = np.random.default_rng(5), []
    for _ in range(40):
        drawn = random.integers(people, size=people).tolist()
        genuine, impostor = [], []
        for place, person in enumerate(drawn):
            own = embeddings[labels == person].astype(np.float64)
            genuine += [np.abs(a - c).sum() for i, a in enumerate(own) for c in own[i + 1 :]]
            for stranger in drawn[place + 1 :]:
                if stranger != person:
                    others = embeddings[labels == stranger].astype(np.float64)
                    impostor.append(np.abs(own[:, None] - others[None]).sum(axis=2).ravel())
        allowed = int(FAR[1] * sum(map(len, impostor)) + 1e-9)
        first_refused = np.sort(np.concatenate(impostor))[allowed]
        rates.append((np.array(genuine) < first_refused - 1e-5).mean())
    low, high = np.percentile(rates, EDGES)
    assert curve.low[0] == pytest.approx(low, abs=1e-6)
    assert curve.high[0] == pytest.approx(high, abs=1e-6)


def test_an_interval_can_be_read() -> None:
    figures, _ = over_pairs(*pairs(), FAR, samples=20, seed=0)
    value, low, high = figures["auc"].value, figures["auc"].low, figures["auc"].high
    assert str(figures["auc"]) == f"{value:.4f} ({low:.4f} to {high:.4f})"
