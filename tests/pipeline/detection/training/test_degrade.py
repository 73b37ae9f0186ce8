"""Images made worse: that they are, how often, and that nothing moves."""

from __future__ import annotations

import pytest
import torch

from pipeline.detection.training import degrade as ways
from pipeline.detection.training.degrade import degrade


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(count: int = 1) -> torch.Tensor:
    """Images (count, 3, 64, 96) of a bright square on a dark ground, with fine stripes beside it."""
    images = torch.full((count, 3, 64, 96), 0.2)
    images[:, :, 16:40, 20:44] = 0.9
    images[:, 0, :, 60:90:2] = 0.7
    return images


def middle(image: torch.Tensor) -> tuple[float, float]:
    """Of what is bright, in pixels."""
    y, x = torch.nonzero(image[:, :, :56].mean(dim=0) > 0.6, as_tuple=True)
    return float(y.float().mean()), float(x.float().mean())


@pytest.mark.parametrize("way", ways.WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_each_way_changes_an_image_and_leaves_what_it_shows_where_it_is(way: object, seed: int) -> None:
    (image,) = picture()
    made = way(image, seeded(seed))  # type: ignore[operator]
    assert made.shape == image.shape
    assert made.dtype == image.dtype
    assert (made - image).abs().max() > 0.004
    assert middle(made) == pytest.approx((27.5, 31.5), abs=1)


def test_a_share_of_a_batch_is_made_worse_and_the_rest_is_as_it_was() -> None:
    images = picture(200)
    before = images.clone()
    made = degrade(images, 0.5, seeded())
    torch.testing.assert_close(images, before)
    changed = (made != images).flatten(1).any(dim=1)
    assert 70 < int(changed.sum()) < 130
    assert made.min() >= 0
    assert made.max() <= 1
    assert torch.equal(degrade(images, 0, seeded()), images)


def test_the_same_seed_makes_the_same_images() -> None:
    images = picture(8)
    torch.testing.assert_close(degrade(images, 1, seeded(3)), degrade(images, 1, seeded(3)))


def test_some_lose_their_colour() -> None:
    made = degrade(picture(100), 1, seeded())
    grey = ((made[:, 0] - made[:, 2]).abs() < 1e-3).flatten(1).all(dim=1)
    assert 2 < int(grey.sum()) < 25
