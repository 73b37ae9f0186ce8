"""The looks at a track as one embedding: what is added, what fades, and what strangers gain by it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.pooled import Pooled, pool, track
from pipeline.config import EvidenceSettings
from pipeline.types import Floats
from siamese.calibration import Calibration

DIMENSION = 96
BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def faces(people: int, looks: int, noise: float, seed: int) -> Floats:
    """Embeddings (people, looks, DIMENSION) of unit length: what a person is, and each look's own part."""
    dice = np.random.default_rng(seed)
    each = dice.standard_normal((people, 1, DIMENSION))
    each = each + noise * dice.standard_normal((people, looks, DIMENSION))
    return np.asarray(each / np.linalg.norm(each, axis=-1, keepdims=True), np.float32)


def ones(count: int) -> Floats:
    return np.ones(count, np.float32)


@given(st.integers(1, 40), st.integers(0, 99))
def test_while_nothing_fades_the_looks_of_a_track_are_pooled_as_photos_are(count: int, seed: int) -> None:
    looks, weights = faces(1, count, 1.0, seed)[0], np.random.default_rng(seed).uniform(0.1, 1, count)
    np.testing.assert_allclose(track(looks, weights, 40), pool(looks, weights), rtol=1e-4, atol=1e-6)


def test_looks_without_embeddings_are_counted() -> None:
    pooled = Pooled()
    assert pooled.add(np.zeros(0, np.float32), 0.5, 25).shape == (0,)
    assert pooled.count == 1


def test_old_looks_fade() -> None:
    first, then = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
    pooled = Pooled()
    for _ in range(1000):
        pooled.add(first, 1.0, 10)
    for _ in range(10):
        now = pooled.add(then, 1.0, 10)
    assert now[1] > now[0]
    for _ in range(90):
        now = pooled.add(then, 1.0, 10)
    np.testing.assert_allclose(now, then, atol=1e-3)
    assert pooled.count == 1100


def test_a_memory_of_one_look_is_the_last_one() -> None:
    looks = faces(1, 5, 1.0, 1)[0]
    np.testing.assert_allclose(track(looks, ones(5), 1), looks[-1], rtol=1e-5)


def benchmark() -> Any:
    described = importlib.util.spec_from_file_location("strangers", BENCHMARKS / "strangers.py")
    assert described is not None
    assert described.loader is not None
    strangers: Any = importlib.util.module_from_spec(described)
    described.loader.exec_module(strangers)
    return strangers


def test_the_benchmark_of_strangers_pools_as_the_pipeline_does() -> None:
    looks, weights = faces(20, 12, 1.0, 3), np.random.default_rng(4).uniform(0.2, 1, (20, 12))
    tracks = [Pooled() for _ in range(20)]
    for number, told in enumerate(benchmark().pooled(looks, weights, 5)):
        own = [
            each.add(looks[row, number], float(weights[row, number]), 5) for row, each in enumerate(tracks)
        ]
        np.testing.assert_allclose(told, own, rtol=1e-4, atol=1e-6)


def test_the_share_of_strangers_named_is_within_the_target_after_any_number_of_looks() -> None:
    result = json.loads((BENCHMARKS / "results" / "strangers.json").read_text())
    # Else: uv run python benchmarks/strangers.py --out benchmarks/results/strangers.json
    assert result["settings"] == EvidenceSettings().model_dump()
    assert {row["people"] for row in result["results"]} == {10, 1000, 10_000}
    for row in result["results"]:
        assert max(share for key, share in row.items() if key.startswith("named")) <= result["target"]


@pytest.fixture(scope="module")
def judge() -> Calibration:
    """The calibration of the benchmark's world, fitted to half as many people: a quarter of the pairs."""
    strangers = benchmark()
    strangers.FITTED //= 2
    fitted: Calibration = strangers.fitted(np.random.default_rng(0))
    return fitted


@pytest.mark.parametrize("enrolled", [10, 300])
def test_fewer_strangers_are_named_than_the_target_allows(enrolled: int, judge: Calibration) -> None:
    strangers, settings = benchmark(), EvidenceSettings()
    known = strangers.share_recognised(enrolled, (3, 10), 0.8, judge, settings)
    assert min(known) > 0.5  # so that the world is not too hard for names
    named = strangers.share_named(2000, enrolled, (3, 10), 0.8, judge, settings)
    assert max(named) <= settings.target_fpir
