"""The weights of images in a loss, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pipeline.detection.training.even import LEAST, Even, even_out


def plain() -> nn.Module:
    return nn.BCEWithLogitsLoss(reduction="none")


def batch(*faces: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of nought and targets (n, 500, 1) of images with so many places that should see a face."""
    targets = torch.zeros(len(faces), 500, 1)
    for row, count in enumerate(faces):
        targets[row, :count] = 1
    return torch.zeros_like(targets), targets


def test_a_portrait_beside_a_crowd_weighs_a_tenth_of_it_and_not_a_hundredth_of_its_places() -> None:
    logits, targets = batch(4, 400)
    before, after = plain()(logits, targets), Even(plain())(logits, targets)
    share = (after / before)[:, 0, 0]
    assert float(share[0] / share[1]) == pytest.approx(10)


def test_images_with_as_many_faces_each_weigh_as_before() -> None:
    logits, targets = batch(10, 10, 10)
    torch.testing.assert_close(Even(plain())(logits, targets), plain()(logits, targets))


def test_an_image_without_a_face_weighs_no_more_than_one_with_few() -> None:
    logits, targets = batch(0, int(LEAST), 100)
    share = (Even(plain())(logits, targets) / plain()(logits, targets))[:, 0, 0]
    assert float(share[0]) == pytest.approx(float(share[1]))


def test_a_loss_is_changed_in_place_and_both_of_a_network_with_two_heads() -> None:
    criterion = SimpleNamespace(bce=plain())
    assert even_out(criterion) is criterion
    assert isinstance(criterion.bce, Even)
    both = even_out(
        SimpleNamespace(one2many=SimpleNamespace(bce=plain()), one2one=SimpleNamespace(bce=plain()))
    )
    assert isinstance(both.one2many.bce, Even)
    assert isinstance(both.one2one.bce, Even)
