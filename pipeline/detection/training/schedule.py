"""The learning rate of a training that ends after a given time: it rises briefly and falls to nearly nothing.

Ultralytics sets the rate once a pass and guesses how many passes there will be. Where a pass takes half of
the time there is, half of the training warmed up and the other ended at half of the rate.
"""

from __future__ import annotations

import math
import time
from typing import Any

RISING = 0.04  # share of the time over which the rate rises
FIRST, LAST = 0.05, 0.01  # of the rate, at the beginning and in the end


def by_time(trainer: Any) -> None:
    """Set the rate before each batch of one of ultralytics' trainers, if it is to end after a time.

    Args:
        trainer: as ultralytics hands it to `on_train_batch_start`; `args.time` is in hours.
    """
    if trainer.args.time is None:
        return
    share = share_of_rate((time.time() - trainer.train_time_start) / (3600 * trainer.args.time))
    for group in trainer.optimizer.param_groups:
        group["lr"] = group["initial_lr"] * share


def share_of_rate(passed: float) -> float:
    """How much of the full rate there is when this share of the time has passed: half a cosine."""
    if passed < RISING:
        return FIRST + (1 - FIRST) * max(0.0, passed) / RISING
    falling = min(1.0, (passed - RISING) / (1 - RISING))
    return LAST + (1 - LAST) * (1 + math.cos(math.pi * falling)) / 2
