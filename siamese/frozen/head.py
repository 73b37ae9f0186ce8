"""The L1 head on frozen embeddings: weights that are not negative and a bias, by binary cross-entropy."""

from __future__ import annotations

import numpy as np

from siamese.errors import DataError
from siamese.frozen.verdict import Head, before_weights
from siamese.frozen.whiten import within_people
from siamese.metrics import Doubles, Floats, Ints

# Chosen on View 1. Pairs of a good backbone can nearly be told apart without error; with a weaker pull of the
# weights' logarithms towards each other they grow apart without end, and strangers get no farther away.
PULL = 0.1
SHRINKAGE = 0.3
STRANGERS = 5  # pairs of two people for each pair of one
STEPS = 200  # of L-BFGS at most


def fit_head(embeddings: Floats, labels: Ints, whiten: bool = True, seed: int = 0) -> Head:
    """Fit the head to pairs of these faces; both kinds of pairs weigh the same.

    The parameters are few, so that all pairs are used at once, until nothing improves any more.

    Args:
        embeddings: (n, d) of the frozen backbone.
        labels: (n,) the person in each row, from 0.
        whiten: whiten within people first.
        seed: draws the pairs of two people.

    Raises:
        DataError: there are no two images of one person, or no two people.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    whitening = within_people(embeddings, labels, SHRINKAGE) if whiten else None
    embeddings = before_weights(embeddings, whitening)
    rows, columns = _pairs(labels, seed)
    same = labels[rows] == labels[columns]
    if not same.any() or same.all():
        raise DataError("the head needs two people, and two images of one of them")
    gaps = np.abs(embeddings[rows] - embeddings[columns]).astype(np.float64)
    weigh = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    sign, dimension = np.where(same, 1.0, -1.0), embeddings.shape[1]

    def entropy(weights: Doubles, bias: float) -> tuple[float, Doubles]:
        """The loss, and its derivative by each logit."""
        margin = sign * (bias - gaps @ weights)
        return float(weigh @ np.logaddexp(0, -margin)), -weigh * sign * expit(-margin)

    def loss(values: Doubles) -> tuple[float, Doubles]:
        raw, bias = values[:-1], float(values[-1])
        weights = np.logaddexp(0, raw)  # softplus
        total, by_logit = entropy(weights, bias)
        logarithms = np.log(weights) - np.log(weights).mean()
        by_weight = -(by_logit @ gaps) + PULL * 2 * logarithms / weights / dimension
        total += PULL * float((logarithms**2).mean())
        return total, np.append(by_weight * expit(raw), by_logit.sum())

    # At first a pair in the middle between the mean of either kind is as likely as not.
    middle = (gaps[same].sum(axis=1).mean() + gaps[~same].sum(axis=1).mean()) / 2
    start = np.full(dimension, np.log(np.expm1(10 / middle)))
    found = minimize(loss, np.append(start, 10.0), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    weights, bias = np.logaddexp(0, found.x[:-1]), float(found.x[-1])
    genuine = int(same.sum())
    final = entropy(weights, bias)[0]
    return Head(whitening, weights.astype(np.float32), bias, final, genuine, len(same) - genuine)


def _pairs(labels: Ints, seed: int) -> tuple[Ints, Ints]:
    """Every pair of one person, and for each `STRANGERS` pairs of two drawn at random."""
    genuine = [
        np.stack([theirs[each] for each in np.triu_indices(len(theirs), 1)])
        for person in np.unique(labels)
        if len(theirs := np.flatnonzero(labels == person)) > 1
    ]
    alike = np.concatenate(genuine, axis=1) if genuine else np.zeros((2, 0), np.int64)
    random = np.random.default_rng(seed)
    drawn = random.integers(len(labels), size=(2, STRANGERS * max(1, alike.shape[1])))
    drawn = drawn[:, labels[drawn[0]] != labels[drawn[1]]]
    rows, columns = np.concatenate([alike, drawn], axis=1).astype(np.int64)
    return rows, columns
