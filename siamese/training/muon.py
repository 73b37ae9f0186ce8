"""Muon: steps of equal length in every direction of a matrix, for the kernels of convolutions.

After Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; scaled as in Liu et al.,
"Muon is scalable for LLM training", 2025, so that rates that suit AdamW suit it too. A kernel (out, in, h, w)
counts as the matrix (out, in * h * w). Everything that is no such matrix is stepped as by AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

MOMENTUM, BETAS, EPSILON = 0.95, (0.9, 0.999), 1e-8


class Muon(torch.optim.Optimizer):
    """Parameter groups with `matrices` true are stepped by Muon, the others by AdamW."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0, "matrices": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step; `closure` is not supported."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    move = _matrix_step if group["matrices"] else _adam_step
                    parameter.sub_(move(self.state[parameter], parameter.grad), alpha=group["lr"])


def _matrix_step(state: dict[str, Any], gradient: Tensor) -> Tensor:
    if not state:
        state["mean"] = torch.zeros_like(gradient)
    state["mean"].lerp_(gradient, 1 - MOMENTUM)
    update = orthogonal(gradient.lerp(state["mean"], MOMENTUM).flatten(1))
    # AdamW's steps have a root mean square of about 0.2.
    scaled: Tensor = update.view_as(gradient) * (0.2 * max(update.shape) ** 0.5)
    return scaled


def _adam_step(state: dict[str, Any], gradient: Tensor) -> Tensor:
    if not state:
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
        state["steps"] = 0
    state["steps"] += 1
    state["mean"].lerp_(gradient, 1 - BETAS[0])
    state["square"].lerp_(gradient.square(), 1 - BETAS[1])
    mean = state["mean"] / (1 - BETAS[0] ** state["steps"])
    square = state["square"] / (1 - BETAS[1] ** state["steps"])
    stepped: Tensor = mean / (square.sqrt() + EPSILON)
    return stepped


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """About the nearest matrix with orthogonal rows or columns, by a Newton-Schulz iteration in bfloat16."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = (matrix if wide else matrix.T).to(torch.bfloat16)
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    found: Tensor = (x if wide else x.T).to(matrix.dtype)
    return found
