"""How well distances tell people apart: pure functions on arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

RATES = (1e-1, 1e-2, 1e-3)  # false accept rates at which true accepts are reported


def every_pair(embeddings: Floats, labels: Ints) -> tuple[Floats, Bools]:
    """L1 distances (p,) of every two rows of `embeddings` (n, d), and whether they are one person (p,)."""
    from scipy.spatial.distance import cdist  # comes with training: nothing that runs needs it

    rows, columns = np.triu_indices(len(labels), 1)
    distances = cdist(embeddings, embeddings, "cityblock")[rows, columns]
    return distances.astype(np.float32), labels[rows] == labels[columns]


def hardest_pairs(embeddings: Floats, labels: Ints, count: int) -> tuple[Ints, Ints, Floats, Bools]:
    """The `count` closest pairs of two people and farthest of one: rows, rows, distances, same."""
    rows, columns = np.triu_indices(len(labels), 1)
    distances, same = every_pair(embeddings, labels)
    order = np.argsort(distances)
    strangers, alike = order[~same[order]][:count], order[same[order]][::-1][:count]
    chosen = np.concatenate([strangers, alike])
    return rows[chosen], columns[chosen], distances[chosen], same[chosen]


def roc(distances: Floats, same: Bools) -> tuple[Doubles, Doubles, Doubles]:
    """False accept rates, true accept rates and the distances up to which a pair is accepted, each (t + 1,).

    One entry for each of the t distances there are, closest first, after one that accepts nothing.
    """
    order = np.argsort(distances, kind="stable")
    ordered, alike = distances[order], same[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)  # of each run of equal distances
    true = np.append(0, np.cumsum(alike)[last])
    false = np.append(0, np.cumsum(~alike)[last])
    return false / false[-1], true / true[-1], np.append(-np.inf, ordered[last])


def accuracy(distances: Floats, same: Bools, threshold: float) -> float:
    """Share of pairs judged right when pairs up to `threshold` are accepted."""
    return float(((distances <= threshold) == same).mean())


def best_threshold(distances: Floats, same: Bools) -> float:
    """The distance that judges most pairs right, both kinds weighing the same."""
    far, tar, thresholds = roc(distances, same)
    place = int(np.argmax((tar - far)[1:])) + 1
    # Half-way to the next pair: the threshold should not sit on a pair it was chosen by.
    return float(thresholds[place : place + 2].mean())


def thresholds_of_others(distances: Floats, same: Bools, folds: Ints) -> Doubles:
    """For each pair (p,) the best threshold of the pairs of all other folds than its own."""
    thresholds = np.empty(len(distances), np.float64)
    for fold in np.unique(folds):
        others = folds != fold
        thresholds[~others] = best_threshold(distances[others], same[others])
    return thresholds


def tar_at(far_wanted: float, far: Doubles, tar: Doubles) -> float:
    """True accept rate at the loosest threshold whose false accept rate is at most `far_wanted`."""
    return float(tar[far <= far_wanted].max(initial=0.0))


def equal_error_rate(far: Doubles, tar: Doubles) -> float:
    """Where false accepts and false rejects are equally frequent, between the two nearest points."""
    gap = far + tar - 1  # false accepts minus false rejects: from -1 to 1, never falling
    after = int(np.argmax(gap >= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(far[after - 1] + share * (far[after] - far[after - 1]))


def verification(distances: Floats, same: Bools) -> dict[str, float]:
    """Area under the ROC curve, equal error rate, and true accepts at fixed false accept rates."""
    far, tar, _ = roc(distances, same)
    figures = {"auc": float(np.trapezoid(tar, far)), "eer": equal_error_rate(far, tar)}
    return figures | {f"tar at far {rate:g}": tar_at(rate, far, tar) for rate in RATES}
