"""The loss of landmarks, by hand and beside ultralytics' own."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from pipeline.detection.training.landmark_loss import LandmarkLoss, sharpen

AREA = torch.tensor([[100.0]])  # a face ten units wide and high
EYES = torch.tensor([[[3.0, 4.0], [7.0, 4.0]]])
BOTH = torch.tensor([[True, True]])


def test_it_is_one_minus_the_similarity_of_keypoints() -> None:
    off = EYES + torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    expected = (1 - math.exp(-1 / (8 * 0.1**2 * 100))) / 2
    assert float(LandmarkLoss(0.1)(off, EYES, BOTH, AREA)) == pytest.approx(expected)
    assert float(LandmarkLoss(0.1)(EYES, EYES, BOTH, AREA)) == 0


def test_an_error_costs_the_same_for_every_size_of_face() -> None:
    off = EYES + 0.5
    small = LandmarkLoss(0.08)(off, EYES, BOTH, AREA)
    large = LandmarkLoss(0.08)(off * 4, EYES * 4, BOTH, AREA * 16)
    assert float(large) == pytest.approx(float(small))


def test_a_smaller_sigma_makes_the_same_error_cost_more_than_ultralytics_does() -> None:
    loss = pytest.importorskip("ultralytics.utils.loss")
    off = EYES + 0.3
    theirs = float(loss.KeypointLoss(torch.full((2,), 0.2))(off, EYES, BOTH, AREA))
    assert float(LandmarkLoss(0.2)(off, EYES, BOTH, AREA)) == pytest.approx(theirs)
    assert float(LandmarkLoss(0.08)(off, EYES, BOTH, AREA)) > 5 * theirs


def test_faces_without_landmarks_take_nothing_from_those_that_have_them() -> None:
    off = EYES + 0.3
    alone = float(LandmarkLoss(0.1)(off, EYES, BOTH, AREA))
    known = torch.tensor([[True, True], [False, False], [False, False]])
    among = LandmarkLoss(0.1)(off.repeat(3, 1, 1), EYES.repeat(3, 1, 1), known, AREA.repeat(3, 1))
    assert float(among) == pytest.approx(alone)


def test_a_batch_without_any_landmark_costs_nothing_and_can_be_learned_from() -> None:
    points = (EYES + 1).requires_grad_()
    lost = LandmarkLoss(0.1)(points, EYES, ~BOTH, AREA)
    lost.backward()
    assert float(lost.detach()) == 0
    assert points.grad is not None
    assert not points.grad.any()


def test_a_loss_is_changed_in_place_and_both_of_a_network_with_two_heads() -> None:
    one = SimpleNamespace(bce=None, keypoint_loss=None)
    sharpen(one, 0.08)
    assert one.keypoint_loss.sigma == 0.08
    both = SimpleNamespace(
        one2many=SimpleNamespace(bce=None, keypoint_loss=None),
        one2one=SimpleNamespace(bce=None, keypoint_loss=None),
    )
    sharpen(both, 0.1)
    assert both.one2many.keypoint_loss.sigma == both.one2one.keypoint_loss.sigma == 0.1
