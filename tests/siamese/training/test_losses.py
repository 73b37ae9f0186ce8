"""Losses, against loops over what they are defined by."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from siamese.training import losses
from siamese.training.model import L1Head


@pytest.fixture
def head() -> L1Head:
    made = L1Head(5, distance=5.0, bias=1.0).double()
    with torch.no_grad():
        made.raw.copy_(torch.randn(5, generator=torch.Generator().manual_seed(1)))
    return made


def rows(count: int, seed: int = 2, dimension: int = 5) -> Tensor:
    return torch.randn(count, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def logit(head: L1Head, a: Tensor, c: Tensor) -> float:
    parts = [w * abs(x - y) for w, x, y in zip(head.weights.tolist(), a.tolist(), c.tolist(), strict=True)]
    return float(head.bias.detach()) - sum(parts)


def cross_entropy(z: float, same: bool) -> float:
    probability = 1 / (1 + math.exp(-z))
    return -math.log(probability if same else 1 - probability)


def test_listed_pairs_are_the_rows_two_by_two(head: L1Head) -> None:
    a = rows(6)
    same = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    with torch.no_grad():
        loss, logits, told = losses.listed_pairs(head, a, same)
    zs = [logit(head, a[2 * i], a[2 * i + 1]) for i in range(3)]
    assert logits.tolist() == pytest.approx(zs)
    assert float(loss) == pytest.approx(
        sum(cross_entropy(z, bool(s)) for z, s in zip(zs, same, strict=True)) / 3
    )
    assert told is same


@pytest.mark.parametrize("hard_share", [0.01, 0.3, 1.0])
def test_every_pair_weighs_positives_and_hard_negatives_the_same(head: L1Head, hard_share: float) -> None:
    a, labels = rows(8), torch.tensor([0, 0, 1, 2, 1, -1, 3, -1])
    positive, negative = [], []
    for i in range(8):
        for j in range(i + 1, 8):
            if labels[i] < 0 or labels[j] < 0:
                continue
            same = bool(labels[i] == labels[j])
            (positive if same else negative).append(cross_entropy(logit(head, a[i], a[j]), same))
    hardest = sorted(negative, reverse=True)[: max(1, round(hard_share * len(negative)))]
    expected = (sum(positive) / len(positive) + sum(hardest) / len(hardest)) / 2
    with torch.no_grad():
        loss, logits, told = losses.every_pair(head, a, labels, hard_share)
    assert float(loss) == pytest.approx(expected)
    assert len(logits) == len(told) == len(positive) + len(negative)
    assert int(told.sum()) == len(positive)


@pytest.mark.parametrize("labels", [[0, 1, 2], [4, 4, 4]])
def test_where_there_is_one_kind_of_pair_it_alone_counts(head: L1Head, labels: list[int]) -> None:
    a = rows(3)
    kinds = [(i, j, labels[i] == labels[j]) for i in range(3) for j in range(i + 1, 3)]
    expected = sum(cross_entropy(logit(head, a[i], a[j]), same) for i, j, same in kinds) / 3
    loss = losses.every_pair(head, a, torch.tensor(labels), 1.0)[0]
    assert float(loss.detach()) == pytest.approx(expected)


def test_a_batch_without_known_people_costs_nothing_and_can_be_learned_from(head: L1Head) -> None:
    a = rows(3).requires_grad_()
    loss, logits, _ = losses.every_pair(head, a, torch.full((3,), -1), 0.5)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert len(logits) == 0
    assert a.grad is not None
    assert not a.grad.any()


def test_distillation_is_one_minus_the_mean_cosine() -> None:
    guesses = [rows(4, 3), rows(4, 4, 7)]
    targets = [torch.nn.functional.normalize(rows(4, 5)), torch.nn.functional.normalize(rows(4, 6, 7))]
    cosines = [
        sum(float(g @ t) / math.hypot(*g.tolist()) for g, t in zip(guess, target, strict=True)) / 4
        for guess, target in zip(guesses, targets, strict=True)
    ]
    assert float(losses.distillation(guesses, targets)) == pytest.approx(1 - sum(cosines) / 2)


def test_teachers_count_by_their_weights() -> None:
    guesses = [rows(4, 3), rows(4, 4, 7)]
    targets = [torch.nn.functional.normalize(rows(4, 5)), torch.nn.functional.normalize(rows(4, 6, 7))]
    single = [float(losses.distillation([g], [t])) for g, t in zip(guesses, targets, strict=True)]
    weighted = float(losses.distillation(guesses, targets, (3.0, 1.0)))
    assert weighted == pytest.approx((3 * single[0] + single[1]) / 4)
    own = torch.nn.functional.normalize(rows(4, 8))
    alone = float(losses.batch_similarity(own, targets[:1]))
    assert float(losses.batch_similarity(own, targets, (1.0, 1e-9))) == pytest.approx(alone, rel=1e-5)


def test_batch_similarity_is_the_squared_difference_of_cosines_without_the_diagonal() -> None:
    own = torch.nn.functional.normalize(rows(4, 3))
    targets = [torch.nn.functional.normalize(rows(4, 5)), torch.nn.functional.normalize(rows(4, 6, 7))]
    differences = [
        float(own[i] @ own[j]) - sum(float(t[i] @ t[j]) for t in targets) / 2
        for i in range(4)
        for j in range(4)
        if i != j
    ]
    expected = sum(d * d for d in differences) / 12
    assert float(losses.batch_similarity(own, targets)) == pytest.approx(expected)


def test_gradients_are_those_of_the_losses(head: L1Head) -> None:
    labels = torch.tensor([0, 0, 1, 2])
    targets = [torch.nn.functional.normalize(rows(4, 5))]
    same = torch.tensor([1.0, 0.0], dtype=torch.float64)
    for function in (
        lambda a: losses.every_pair(head, a, labels, 1.0)[0],
        lambda a: losses.listed_pairs(head, a, same)[0],
        lambda a: losses.distillation([a], targets),
        lambda a: losses.batch_similarity(a, targets),
    ):
        assert torch.autograd.gradcheck(function, rows(4).requires_grad_(), fast_mode=True)
