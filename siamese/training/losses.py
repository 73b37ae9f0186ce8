"""What the network is asked for: the head's verdict on pairs, and what a teacher thinks of a face."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from siamese.training.model import L1Head


def listed_pairs(head: L1Head, embeddings: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Binary cross-entropy over pairs as listed: rows 2i and 2i + 1 of `embeddings` (2n, d) are pair i.

    Args:
        same: (n,) 1.0 where the pair shows one person, else 0.0.

    Returns:
        The loss, and the logits and targets (n,) behind it.
    """
    logits = head(embeddings[0::2], embeddings[1::2])
    return functional.binary_cross_entropy_with_logits(logits, same), logits, same


def every_pair(
    head: L1Head, embeddings: Tensor, labels: Tensor, hard_share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Binary cross-entropy over every pair of a batch, positives and hard negatives weighing the same.

    Almost all pairs of a batch are easy negatives; a plain mean would teach the network to say "no". So the
    mean over the positives and the mean over the hardest `hard_share` of the negatives each count half.

    Args:
        embeddings: (n, d).
        labels: (n,) the person in each row, -1 where unknown: such rows are in no pair.

    Returns:
        The loss, and the logits and targets (p,) of all pairs.
    """
    rows, columns = torch.triu_indices(len(labels), len(labels), 1, device=labels.device)
    known = (labels[rows] >= 0) & (labels[columns] >= 0)
    rows, columns = rows[known], columns[known]
    logits = head.every_pair(embeddings)[rows, columns]
    same = (labels[rows] == labels[columns]).to(logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(logits, same, reduction="none")
    positive, negative = losses[same == 1], losses[same == 0]
    hardest = max(1, round(hard_share * len(negative))) if len(negative) else 0
    parts = [positive, negative.topk(hardest).values]
    means = [part.mean() for part in parts if len(part)]
    loss = torch.stack(means).mean() if means else embeddings.sum() * 0
    return loss, logits, same


def distillation(guesses: list[Tensor], targets: list[Tensor], weights: tuple[float, ...] = ()) -> Tensor:
    """One minus the cosine between what the student guesses of each teacher's embedding and that embedding.

    Args:
        guesses: for each teacher t, (n, d_t).
        targets: for each teacher t, (n, d_t), rows of length one.
        weights: how much each teacher counts; none: all the same.
    """
    terms = [
        1 - functional.cosine_similarity(guess, target, dim=1).mean()
        for guess, target in zip(guesses, targets, strict=True)
    ]
    return _mean(terms, weights)


def batch_similarity(embeddings: Tensor, targets: list[Tensor], weights: tuple[float, ...] = ()) -> Tensor:
    """Mean squared difference between the student's and the teachers' mean cosine of every two rows.

    After Park et al., "Relational knowledge distillation", 2019, with cosines for distances.

    Args:
        embeddings: (n, d), rows of length one.
        targets: for each teacher t, (n, d_t), rows of length one.
        weights: how much each teacher counts; none: all the same.
    """
    wanted = _mean([target @ target.T for target in targets], weights)
    off_diagonal = ~torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    return functional.mse_loss((embeddings @ embeddings.T)[off_diagonal], wanted[off_diagonal])


def _mean(parts: list[Tensor], weights: tuple[float, ...]) -> Tensor:
    """The weighted mean of what each teacher contributes."""
    shares = weights or (1.0,) * len(parts)
    terms = [share / sum(shares) * part for share, part in zip(shares, parts, strict=True)]
    return torch.stack(terms).sum(dim=0)
