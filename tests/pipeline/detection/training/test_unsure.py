"""Places that are spared in the loss, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from pipeline.detection.training.even import even_out
from pipeline.detection.training.prepare import FACE_CLASS, UNSURE_CLASS
from pipeline.detection.training.unsure import Sparing, places_in, spare, take_out


def sparing(*places: int) -> Sparing:
    """A loss of one image with six places, of which these are spared."""
    loss = Sparing(nn.BCEWithLogitsLoss(reduction="none"))
    loss.spared = torch.zeros(1, 6, dtype=torch.bool)
    loss.spared[0, list(places)] = True
    return loss


def test_what_a_network_sees_at_a_spared_place_costs_nothing_and_teaches_nothing() -> None:
    logits = torch.full((1, 6, 1), 3.0, requires_grad=True)
    loss = sparing(1, 4)(logits, torch.zeros(1, 6, 1))
    assert [bool(each) for each in loss[0, :, 0] == 0] == [False, True, False, False, True, False]
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert (logits.grad[0, :, 0] != 0).tolist() == [True, False, True, True, False, True]


def test_a_face_that_is_sure_counts_where_another_is_suspected() -> None:
    targets = torch.zeros(1, 6, 1)
    targets[0, 1] = 0.7
    assert sparing(1)(torch.zeros(1, 6, 1), targets)[0, 1, 0] > 0


def test_places_are_spared_in_their_own_batch_only() -> None:
    loss = sparing(1)
    loss(torch.zeros(1, 6, 1), torch.zeros(1, 6, 1))
    assert (loss(torch.zeros(2, 9, 1), torch.zeros(2, 9, 1)) > 0).all()


def test_both_losses_of_a_network_with_two_heads_spare_and_images_can_be_evened_out_besides() -> None:
    criterion = SimpleNamespace(
        one2many=SimpleNamespace(bce=nn.BCEWithLogitsLoss(reduction="none")),
        one2one=SimpleNamespace(bce=nn.BCEWithLogitsLoss(reduction="none")),
    )
    both = spare(criterion)
    even_out(criterion)
    for each, loss in zip(both, (criterion.one2many, criterion.one2one), strict=True):
        each.spared = torch.ones(1, 6, dtype=torch.bool)
        assert not loss.bce(torch.zeros(1, 6, 1), torch.zeros(1, 6, 1)).any()


def test_unsure_places_leave_a_batch_and_faces_stay_in_it() -> None:
    batch = {
        "cls": torch.tensor([[FACE_CLASS], [UNSURE_CLASS], [FACE_CLASS]], dtype=torch.float32),
        "batch_idx": torch.tensor([0.0, 0.0, 1.0]),
        "bboxes": torch.arange(12.0).reshape(3, 4),
        "keypoints": torch.arange(3.0)[:, None, None].expand(3, 5, 3),
    }
    image, boxes = take_out(batch)
    assert image.tolist() == [0]
    assert boxes.tolist() == [[4, 5, 6, 7]]
    assert batch["batch_idx"].tolist() == [0, 1]
    assert batch["cls"].tolist() == [[FACE_CLASS]] * 2
    assert batch["keypoints"][:, 0, 0].tolist() == [0, 2]


def test_places_in_and_near_a_box_are_those_of_each_grid_in_order() -> None:
    # 64 wide and 32 high: 8 x 4 and 4 x 2 places. The box is from 16 to 32 across and 8 to 16 down.
    boxes = torch.tensor([[24 / 64, 12 / 32, 16 / 64, 8 / 32]])
    spared = places_in(torch.tensor([1]), boxes, 2, (32, 64), (8, 16))
    assert not spared[0].any()
    first, second = spared[1, :32].reshape(4, 8), spared[1, 32:].reshape(2, 4)
    assert first.nonzero().tolist() == [[y, x] for y in (0, 1, 2) for x in (1, 2, 3, 4)]
    assert second.nonzero().tolist() == [[y, x] for y in (0, 1) for x in (0, 1, 2)]


def test_the_smallest_box_spares_a_place_of_every_grid() -> None:
    spared = places_in(torch.tensor([0]), torch.tensor([[0.5, 0.5, 0.01, 0.01]]), 1, (64, 64), (8, 16, 32))
    assert spared[0, :64].any()
    assert spared[0, 64:80].any()
    assert spared[0, 80:].any()
