"""A deeper network that begins where a shallower one is."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from siamese.settings import ModelSettings
from siamese.training.model import Siamese


def grown(state: Mapping[str, Tensor], before: ModelSettings, network: Siamese) -> dict[str, Tensor]:
    """Weights for `network` with which it computes what a shallower network does with `state`.

    Blocks are added at the end of each stage, with a last normalisation that multiplies by zero, so that at
    first each passes on what it is given (Goyal et al., "Accurate, large minibatch SGD", 2017, section 5.1).

    Args:
        before: of the shallower network, which may only have fewer blocks.

    Raises:
        ValueError: they differ in more than that.
    """
    now = network.settings
    same = before.model_copy(update={"blocks": now.blocks}) == now
    if not same or any(a > b for a, b in zip(before.blocks, now.blocks, strict=True)):
        raise ValueError("a network grows by blocks only")
    weights = network.state_dict()
    places, old_places = _places(now.blocks), _places(before.blocks)
    taken = {f"backbone.features.{old_places[each]}.": places[each] for each in old_places}
    for name, value in state.items():
        start = next((start for start in taken if name.startswith(start)), None)
        if start is not None:
            name = f"backbone.features.{taken[start]}.{name.removeprefix(start)}"
        weights[name] = value
    for added in places.keys() - old_places.keys():
        for kind in ("weight", "bias"):
            weights[f"backbone.features.{places[added]}.body.4.{kind}"].zero_()
    return weights


def _places(blocks: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """Where each block is among the features, by stage and number; three layers come first."""
    order = [(stage, block) for stage, count in enumerate(blocks) for block in range(count)]
    return {block: 3 + place for place, block in enumerate(order)}
