"""One-shot and open-set identification, against the slow obvious way."""

from __future__ import annotations

import numpy as np
import pytest

from siamese.errors import DataError
from siamese.protocols.one_shot import one_shot
from siamese.protocols.open_set import Probes, open_set, rates


def faces(people: int, images: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(people), images)
    centres = random.normal(size=(people, 8))
    return (centres[labels] + noise * random.normal(size=(len(labels), 8))).astype(np.float32), labels


def test_one_shot_of_people_far_apart_is_always_right_and_of_noise_no_better_than_chance() -> None:
    sure = one_shot(*faces(30, 3, 0.001), trials=50, samples=20, seed=0)
    assert {ways: figure.value for ways, figure in sure.accuracy.items()} == {5: 1.0, 20: 1.0}
    random = np.random.default_rng(0).normal(size=(90, 8)).astype(np.float32)
    guessed = one_shot(random, np.repeat(np.arange(30), 3), trials=600, samples=20, seed=0)
    for ways, figure in guessed.accuracy.items():
        assert figure.value == pytest.approx(1 / ways, abs=0.06)
        assert figure.low <= figure.value <= figure.high
    assert guessed.as_dict()["people to find"] == 30


def test_a_draw_is_a_miss() -> None:
    alike = one_shot(
        np.zeros((60, 4), np.float32), np.repeat(np.arange(30), 2), trials=30, samples=20, seed=0
    )
    assert alike.accuracy[5].value == 0


@pytest.mark.parametrize("labels", [np.arange(40), np.repeat(np.arange(19), 2)])
def test_one_shot_needs_twenty_people_and_two_images_of_one(labels: np.ndarray) -> None:
    with pytest.raises(DataError, match="20 people"):
        one_shot(np.zeros((len(labels), 2), np.float32), labels, trials=5, samples=10, seed=0)


def test_rates_are_those_counted_one_by_one() -> None:
    random = np.random.default_rng(3)
    enrolled = np.arange(300) < 120
    probes = Probes(np.arange(300) % 60, enrolled, random.random(300), random.random(300) < 0.7)
    for fpir in (0.0, 0.01, 0.1, 1.0):
        best = 0.0
        for threshold in [0.0, *np.nextafter(probes.nearest, 2), 2.0]:
            if (probes.nearest[~enrolled] < threshold).mean() <= fpir:
                hits = probes.right[enrolled] & (probes.nearest[enrolled] < threshold)
                best = max(best, hits.mean())
        assert rates(probes, fpir, np.ones((1, 60)))[0] == pytest.approx(best)


def test_a_person_drawn_twice_counts_twice() -> None:
    probes = Probes(
        np.array([0, 1, 2, 3]), np.array([True, True, False, False]), np.array([1.0, 3.0, 2.0, 4.0]),
        np.array([True, True, False, False]),
    )  # fmt: skip
    weights = np.array([[1, 1, 1, 1], [3, 1, 1, 1], [1, 1, 0, 2]], float)
    assert rates(probes, 0.0, weights).tolist() == [0.5, 0.75, 1.0]


def test_people_far_apart_are_all_identified_and_no_stranger_is() -> None:
    found = open_set(*faces(30, 4, 0.001), photos=2, splits=3, samples=20, seed=0)
    assert (found.enrolled, found.strangers, found.probes, found.impostors) == (15, 15, 30, 60)
    assert found.rank1.value == 1
    assert [figure.value for figure in found.dir.values()] == [1.0, 1.0]
    assert found.resolves(0.1)
    assert found.as_dict()["dir at fpir 0.01"]["resolved"] is False  # 60 photographs of strangers
    assert "too few strangers" in " ".join(found.lines())


def test_more_strangers_get_by_where_faces_are_alike() -> None:
    clear, dim = (open_set(*faces(40, 4, noise), 1, 3, 20, 0) for noise in (0.2, 1.0))
    assert dim.dir[1e-2].value < dim.rank1.value < clear.rank1.value
    assert dim.dir[1e-2].low < dim.dir[1e-2].high


def test_open_set_needs_people_with_an_image_more_than_is_enrolled() -> None:
    with pytest.raises(DataError, match="two people with more than 3 images"):
        open_set(*faces(10, 3, 0.1), photos=3, splits=1, samples=10, seed=0)
