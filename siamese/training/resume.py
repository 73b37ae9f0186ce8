"""Whether a checkpoint fits a training that wants to go on from it, or to begin with its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from siamese.errors import ModelError
from siamese.settings import ModelSettings, TrainSettings
from siamese.training.faces import Faces
from siamese.training.grow import grown
from siamese.training.model import Siamese

LAST = ("backbone.project.", "backbone.normalise.", "head.")  # what depends on an embedding's length


def check_resumable(
    state: dict[str, Any], model_settings: ModelSettings, settings: TrainSettings, path: Path
) -> None:
    """Refuse to go on with other settings than the checkpoint was made with; only threads may differ."""
    for kind, wanted in (("model_settings", model_settings), ("train_settings", settings)):
        # What an older version did not know, it did as is the default.
        before, now = type(wanted)().model_dump() | dict(state[kind]), wanted.model_dump()
        different = sorted(
            key
            for key in now.keys() | before.keys()
            if key != "threads" and _plain(now.get(key)) != _plain(before.get(key))
        )
        if different:
            raise ModelError(
                f"{path}: was trained with other {', '.join(different)}; "
                "give the same settings, or another --out"
            )


def check_same_faces(state: dict[str, Any], faces: Faces, per_epoch: int, path: Path) -> None:
    """Refuse to go on with what is plainly other data: then the epochs would not fit together."""
    before = round(state["step"] / state["epoch"])
    if before != per_epoch:
        raise ModelError(
            f"{path}: was trained on other faces, {before} batches of them instead of {per_epoch}; "
            "give the same data, or another --out"
        )
    lengths = [len(layer) for name, layer in state["guess"].items() if name.endswith("weight")]
    if not state["train_settings"].get("direct") and lengths != [t.shape[1] for t in faces.targets]:
        raise ModelError(f"{path}: was trained with other teachers; give the same, or another --out")


def check_same_judges(state: dict[str, Any], judges: list[str], path: Path) -> None:
    """Refuse to go on with other sets of validation people: the best so far would be of another measure."""
    if state.get("judged by", ["validation"]) != judges:
        raise ModelError(
            f"{path}: its best epoch was chosen {'without' if len(judges) > 1 else 'with'} wild people; "
            f"{'leave --wild away' if len(judges) > 1 else 'give the same --wild'}, or another --out"
        )


def continue_from(
    state: dict[str, Any],
    path: Path,
    network: Siamese,
    averaged: Siamese,
    guess: nn.ModuleList,
    but_last: bool = False,
) -> None:
    """Begin with the averaged weights of another training of the same network, or of one with fewer blocks.

    What was learned of its teachers comes along if they are as many and as wide as now.

    Args:
        but_last: all but the last layer and the head, which then may be of another width.

    Raises:
        ModelError: it was another network.
    """
    try:
        before = ModelSettings.model_validate(state["model_settings"])
        weights = state["averaged"]
        if but_last:
            before = before.model_copy(update={"embedding": network.settings.embedding})
            own = {n: v for n, v in network.state_dict().items() if n.startswith(LAST)}
            weights = {n: v for n, v in weights.items() if not n.startswith(LAST)} | own
        if before != network.settings:
            weights = grown(weights, before, network)
        network.load_state_dict(weights)
        averaged.load_state_dict(weights)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: is of another network; start from one that fits") from error
    guessed, now = state["guess"], guess.state_dict()
    if {name: value.shape for name, value in guessed.items()} == {n: v.shape for n, v in now.items()}:
        guess.load_state_dict(guessed)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
