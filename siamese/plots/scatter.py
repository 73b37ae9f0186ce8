"""A map of embeddings: faces of some people as points, near each other where the model finds them alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siamese.metrics import Floats, Ints

if TYPE_CHECKING:
    from siamese.crops import CropSet

PEOPLE, EACH = 12, 20  # shown, and at most so many images of each


def embedding_map(
    embeddings: Floats, crops: CropSet, rows: Ints, out: Path, title: str, seed: int = 0
) -> Path:
    """Write a map of the people with most images, by t-SNE of L1 distances.

    Van der Maaten and Hinton, "Visualizing data using t-SNE", 2008. Who is next to whom means something,
    distances across the map do not.

    Args:
        embeddings: (n, d) in the order of the crop set.
        rows: of the crop set, from which people are chosen.
    """
    from matplotlib.figure import Figure
    from sklearn.manifold import TSNE

    names = np.array([crops.people[row] for row in rows])
    people, counts = np.unique(names, return_counts=True)
    shown = people[np.argsort(-counts, kind="stable")][:PEOPLE]
    chosen = np.concatenate([rows[names == person][:EACH] for person in shown])
    figure = Figure(figsize=(8, 6), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(f"{title}\nt-SNE of the {len(shown)} people with most images", fontsize=10)
    axes.set_axis_off()
    if len(chosen) > 3:
        places = TSNE(
            perplexity=min(15.0, (len(chosen) - 1) / 3), metric="cityblock", init="random", random_state=seed
        ).fit_transform(embeddings[chosen])
        theirs = np.array([crops.people[row] for row in chosen])
        for person, style in zip(shown, _styles(), strict=False):
            own = theirs == person
            axes.plot(
                *places[own].T, style[0], color=style[1], label=str(person).replace("_", " "), alpha=0.8
            )
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(out)
    return out


def _styles() -> list[tuple[str, str]]:
    """A mark and a colour for each person, told apart without colours too."""
    marks = "osD^v<>pP*Xh"
    colours = [*(f"C{place}" for place in range(10)), "black", "gold"]
    return list(zip(marks, colours, strict=True))
