"""The auxiliary softmax, against its definition."""

from __future__ import annotations

import math

import pytest
import torch

from siamese.training.margin import SCALE, MarginSoftmax


@pytest.fixture
def task() -> MarginSoftmax:
    torch.manual_seed(3)
    return MarginSoftmax(4, 5, margin=0.2)


def test_it_is_the_cross_entropy_of_cosines_less_a_margin(task: MarginSoftmax) -> None:
    a = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    labels = [2, -1, 0]
    losses = []
    for row, label in ((0, 2), (2, 0)):
        cosines = torch.cosine_similarity(a[row], task.directions.detach(), dim=1).tolist()
        logits = [SCALE * (c - 0.2 * (person == label)) for person, c in enumerate(cosines)]
        losses.append(math.log(sum(math.exp(z) for z in logits)) - logits[label])
    assert float(task(a, torch.tensor(labels)).detach()) == pytest.approx(sum(losses) / 2, rel=1e-4)


def test_faces_of_nobody_cost_nothing_and_can_be_learned_from(task: MarginSoftmax) -> None:
    a = torch.ones(2, 5, requires_grad=True)
    loss = task(a, torch.tensor([-1, -1]))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert a.grad is not None


def test_a_margin_costs(task: MarginSoftmax) -> None:
    a, labels = torch.eye(5)[:4], torch.arange(4)
    with torch.no_grad():
        task.directions.copy_(a)
        costs = []
        for margin in (0.0, 0.5, 0.9):
            task.margin = margin
            costs.append(float(task(a, labels)))
    assert costs == sorted(costs)
    assert costs[0] < 1e-6 < 0.1 < costs[2]
