"""Steps of equal length in every direction."""

from __future__ import annotations

import pytest
import torch

from siamese.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 32), (32, 8), (16, 16)])
def test_every_direction_of_an_update_is_about_as_long(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    lengths = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert float(lengths.min()) > 0.3
    assert float(lengths.max()) < 1.4


def test_what_is_no_matrix_is_stepped_as_by_adamw() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(5), torch.randn(20, 5)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizers = [
        Muon([{"params": [ours], "weight_decay": 0.1}], lr=0.01),
        torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1),
    ]
    for gradient in gradients:
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_it_fits_a_convolution() -> None:
    torch.manual_seed(0)
    images, wanted = torch.randn(16, 4, 8, 8), torch.nn.Conv2d(4, 8, 3)
    target = wanted(images).detach()
    fitted = torch.nn.Conv2d(4, 8, 3)
    optimizer = Muon([{"params": [fitted.weight], "matrices": True}, {"params": [fitted.bias]}], lr=0.02)
    losses = []
    for _ in range(150):
        loss = (fitted(images) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 * losses[0]
