"""From one detector's architecture to another's: what differs fades from the old layers to the new ones.

A trained network whose layers are exchanged at once forgets most of what it knew. Here it begins as the old
network; wherever the two differ, in a block or in an activation, the output moves from the old layer's to the
new one's, a little with every batch, while all other weights follow. Of the old layers nothing is left then.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from pipeline.errors import DetectorError


class Fade(nn.Module):
    """(1 - share) times the old layer's output plus share times the new one's."""

    def __init__(self, old: nn.Module, new: nn.Module) -> None:
        super().__init__()
        self.old, self.new, self.share = old, new, 0.0
        for weight in old.parameters():
            weight.requires_grad_(False)  # it goes: only the new one learns
        for name in ("i", "f", "type", "np"):  # by which ultralytics finds a layer's inputs
            if hasattr(new, name):
                setattr(self, name, getattr(new, name))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        old: torch.Tensor = self.old(x)
        return old.lerp(self.new(x), self.share)


class Fading:
    """The callbacks of a training in which one network fades into another over its first passes."""

    def __init__(self, old: nn.Module, file: Path, passes: int) -> None:
        """
        Args:
            old: the network to begin as; `file` is where it is from, for messages.
            passes: over the training set, until nothing of the old layers is left.
        """
        self._old, self._file, self._passes = old, file, passes
        self._batches = 0
        self.done = False

    def add_to(self, model: Any) -> None:
        """Have an `ultralytics.YOLO` fade while it trains."""
        model.add_callback("on_pretrain_routine_end", self._begin)
        model.add_callback("on_train_batch_start", self._step)
        model.add_callback("on_train_epoch_start", self._end)

    def _begin(self, trainer: Any) -> None:
        join(self._old.to(trainer.device), trainer.model, self._file)
        trainer.ema.ema = copy.deepcopy(trainer.model).eval()
        for weight in trainer.ema.ema.parameters():
            weight.requires_grad_(False)

    def _step(self, trainer: Any) -> None:
        self._batches += 1
        for network in (trainer.model, trainer.ema.ema):
            for layer in network.modules():
                if isinstance(layer, Fade):
                    layer.share = min(1.0, self._batches / (self._passes * len(trainer.train_loader)))

    def _end(self, trainer: Any) -> None:
        if self.done or self._batches < self._passes * len(trainer.train_loader):
            return
        leave(trainer.model)
        leave(trainer.ema.ema)
        trainer.best_fitness = None  # what was best until now was another network
        self.done = True


def take_over(old: nn.Module, new: nn.Module, file: Path) -> bool:
    """Give `new` all weights of `old`; False, and it stays as it is, where a layer would have to fade.

    Raises:
        DetectorError: as `join`.
    """
    trial = copy.deepcopy(new)
    join(old, trial, file)
    if fades(trial):
        return False
    new.load_state_dict(trial.state_dict())
    return True


def join(old: nn.Module, new: nn.Module, file: Path) -> None:
    """Give `new` the weights it shares with `old`, and have it do what `old` does by a `Fade` of the rest.

    Both are networks of ultralytics on one device, whose layers are in `model`. Layers may differ as a whole,
    in blocks that they list in `m`, or in an activation; not so the last one, which makes the boxes.

    Raises:
        DetectorError: they differ in more.
    """
    before, after = cast("nn.ModuleList", old.model), cast("nn.ModuleList", new.model)
    if len(before) != len(after):
        raise DetectorError(f"{file}: has {len(before)} layers, and the network to train {len(after)}")
    for place, (their, our) in enumerate(zip(before, after, strict=True)):
        weights, ours = their.state_dict(), our.state_dict()
        same = {name for name in ours if name in weights and weights[name].shape == ours[name].shape}
        our.load_state_dict({name: weights[name] for name in same}, strict=False)
        differs = (weights.keys() | ours.keys()) - same
        if differs and place == len(after) - 1:
            raise DetectorError(f"{file}: its last layer is of another architecture than the one to train")
        if differs:
            after[place] = _between(their, our, differs)
    _fade_activations(old, new)
    try:
        with torch.no_grad():
            new.eval()(torch.zeros(1, 3, 64, 64, device=next(new.parameters()).device))
    except RuntimeError as error:
        raise DetectorError(f"{file}: its layers are of other widths than those to train") from error


def _between(old: nn.Module, new: nn.Module, differs: set[str]) -> nn.Module:
    """`new` with a fade of the blocks whose weights are in `differs`; of all of it if that is too few."""
    blocks = {int(name.split(".")[1]) for name in differs if name.startswith("m.")}
    theirs, ours = (cast("nn.ModuleList", getattr(layer, "m", nn.ModuleList())) for layer in (old, new))
    outside = any(not name.startswith("m.") for name in differs)
    if type(old) is not type(new) or outside or len(theirs) != len(ours):
        return Fade(old, new)
    for block in blocks:
        ours[block] = Fade(theirs[block], ours[block])
    return new


def _fade_activations(old: nn.Module, new: nn.Module) -> None:
    """Of modules without weights that have one name in both, but are of different kinds."""
    # Ultralytics gives all layers one and the same activation, so the name of each is wanted.
    theirs = dict(old.named_modules(remove_duplicate=False))
    for name, module in list(new.named_modules(remove_duplicate=False)):
        their = theirs.get(name)
        if their is None or type(their) is type(module) or isinstance(module, Fade):
            continue
        if not any(True for _ in (*their.parameters(), *module.parameters())):
            parent, _, own = name.rpartition(".")
            setattr(new.get_submodule(parent), own, Fade(their, module))


def leave(network: nn.Module) -> None:
    """Put the new layer in the place of every fade."""
    for name, child in list(network.named_children()):
        if isinstance(child, Fade):
            setattr(network, name, child.new)
            child = child.new
        leave(child)


def fades(network: nn.Module) -> bool:
    """Whether any layer of it is still a fade."""
    return any(isinstance(layer, Fade) for layer in network.modules())
