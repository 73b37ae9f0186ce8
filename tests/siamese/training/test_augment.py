"""Distortions: repeatable, in range, and each at work."""

from __future__ import annotations

import pytest
import torch

from siamese.training.augment import augment, planes


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    small = torch.randint(0, 256, (24, 3, 8, 8), generator=generator).float()
    large = torch.nn.functional.interpolate(small, size=(112, 112), mode="bilinear")
    return large.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def distorted(images: torch.Tensor, kind: str, seed: int) -> torch.Tensor:
    return augment(images, kind, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["affine", "light", "moderate", "strong"])
def test_distortions_follow_from_the_generator_alone(images: torch.Tensor, kind: str) -> None:
    torch.manual_seed(1)
    one = distorted(images, kind, 5)
    torch.manual_seed(2)
    assert torch.equal(distorted(images, kind, 5), one)
    assert not torch.equal(distorted(images, kind, 6), one)


@pytest.mark.parametrize("kind", ["none", "affine", "light", "moderate", "strong"])
def test_the_result_has_the_shape_and_the_range_that_the_network_takes(
    images: torch.Tensor, kind: str
) -> None:
    before = images.clone()
    result = distorted(images, kind, 5)
    assert result.shape == (24, 3, 112, 112)
    assert result.dtype == torch.float32
    assert -1.0001 <= float(result.min()) < float(result.max()) <= 1.0001
    assert torch.equal(images, before)


def test_without_distortion_the_bytes_can_be_had_back_exactly(images: torch.Tensor) -> None:
    result = distorted(images, "none", 5)
    assert torch.equal(result, planes(images))
    back = (result * 127.5 + 127.5).round().to(torch.uint8).flip(1).permute(0, 2, 3, 1)
    assert torch.equal(back, images)


def test_affine_moves_and_mirrors_but_stays_the_same_picture(images: torch.Tensor) -> None:
    plain, result = planes(images), distorted(images, "affine", 5)
    mirrored = 0
    for before, after in zip(plain, result, strict=True):
        straight, turned = (
            float(torch.corrcoef(torch.stack([view.flatten(), after.flatten()]))[0, 1])
            for view in (before, before.flip(2))
        )
        assert max(straight, turned) > 0.4
        mirrored += turned > straight
    assert 4 <= mirrored <= 20


def test_strong_covers_and_recolours_some(images: torch.Tensor) -> None:
    grey = torch.full_like(images, 128)
    result = distorted(grey, "strong", 5)
    assert float(result.mean(dim=(1, 2, 3)).std()) > 0.05  # brightness
    covered = (result.std(dim=(1, 2, 3)) > 0.15).sum()
    assert 1 <= int(covered) <= 16


def test_a_batch_of_one_can_be_distorted(images: torch.Tensor) -> None:
    for seed in range(12):
        assert torch.isfinite(distorted(images[:1], "strong", seed)).all()


@pytest.mark.parametrize(("kind", "plain"), [("moderate", 0.35), ("light", 0.65)])
def test_milder_kinds_leave_some_as_they_are_and_cover_nothing(kind: str, plain: float) -> None:
    images = torch.full((200, 112, 112, 3), 160, dtype=torch.uint8)
    result = augment(images, kind, torch.Generator().manual_seed(1))
    changed = (result - planes(images)).abs().amax(dim=(1, 2, 3))
    assert float((changed < 0.01).float().mean()) == pytest.approx(plain, abs=0.1)
    smooth = (
        result.std(dim=(2, 3)).amax(dim=1) < 0.005
    )  # noise alone makes a plain face rough, not a rectangle
    assert 0.8 < float(smooth.float().mean()) < 0.98


def test_mixed_distorts_the_first_half_strongly_and_the_rest_hardly() -> None:
    images = torch.full((8, 112, 112, 3), 200, dtype=torch.uint8)
    mixed = augment(images, "mixed", torch.Generator().manual_seed(1))
    plain = planes(images)
    changed = (mixed - plain).abs().amax(dim=(1, 2, 3))
    assert (changed[:4] > 0.05).all()
    torch.testing.assert_close(mixed[4:], plain[4:])  # one colour: turned and shifted, it is the same
