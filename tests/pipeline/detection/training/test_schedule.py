"""The rate of a training that ends after a given time."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.detection.training.schedule import FIRST, LAST, RISING, by_time, share_of_rate


def trainer(hours: float | None) -> SimpleNamespace:
    """What ultralytics' trainer says of itself, an hour after it began."""
    groups = [{"initial_lr": 0.001, "lr": 0.001}, {"initial_lr": 0.002, "lr": 0.002}]
    return SimpleNamespace(
        args=SimpleNamespace(time=hours),
        train_time_start=time.time() - 3600,
        optimizer=SimpleNamespace(param_groups=groups),
    )


def test_the_rate_rises_briefly_and_falls_to_nearly_nothing() -> None:
    shares = np.array([share_of_rate(passed) for passed in np.linspace(0, 1, 201)])
    assert shares[0] == FIRST
    assert shares.argmax() == round(200 * RISING)
    assert shares.max() == pytest.approx(1)
    assert shares[-1] == pytest.approx(LAST)
    assert (np.diff(shares[shares.argmax() :]) < 0).all()


def test_it_goes_by_the_time_that_has_passed() -> None:
    asked = trainer(hours=2)
    by_time(asked)
    share = share_of_rate(0.5)
    rates = [group["lr"] for group in asked.optimizer.param_groups]
    assert rates == pytest.approx([0.001 * share, 0.002 * share], rel=1e-3)


def test_past_the_time_it_stays_low() -> None:
    assert share_of_rate(1.2) == pytest.approx(LAST)


def test_without_a_time_ultralytics_sets_it() -> None:
    asked = trainer(hours=None)
    by_time(asked)
    assert [group["lr"] for group in asked.optimizer.param_groups] == [0.001, 0.002]
