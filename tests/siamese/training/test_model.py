"""The network, and that FAISS ranks by the head's own verdict."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch

from siamese.settings import ModelSettings
from siamese.training.embed import embed
from siamese.training.model import L1Head, Siamese


@pytest.fixture
def head() -> L1Head:
    made = L1Head(12, distance=6.0, bias=2.0)
    with torch.no_grad():
        made.raw.copy_(torch.randn(12, generator=torch.Generator().manual_seed(1)) * 3)
    return made


def rows(count: int, dimension: int, seed: int) -> torch.Tensor:
    return torch.randn(count, dimension, generator=torch.Generator().manual_seed(seed))


def test_the_head_is_a_weighted_l1_distance_from_a_bias(head: L1Head) -> None:
    a, c = rows(5, 12, 2), rows(5, 12, 3)
    weights = [float(np.log1p(np.exp(value))) for value in head.raw.tolist()]
    for row, logit in enumerate(head(a, c).tolist()):
        distance = sum(w * abs(float(a[row, i] - c[row, i])) for i, w in enumerate(weights))
        assert logit == pytest.approx(2.0 - distance, abs=1e-4)


def test_every_pair_is_what_pairs_one_by_one_are(head: L1Head) -> None:
    a = rows(7, 12, 2)
    expected = torch.stack([head(a[row].expand(7, -1), a) for row in range(7)])
    torch.testing.assert_close(head.every_pair(a), expected)


@pytest.mark.parametrize("value", [-100.0, -1.0, 0.0, 50.0])
def test_no_weight_is_below_zero_whatever_is_learned(head: L1Head, value: float) -> None:
    with torch.no_grad():
        head.raw.fill_(value)
    assert (head.weights >= 0).all()
    assert torch.isfinite(head.weights).all()


def test_the_weights_start_at_the_distance_that_was_asked_for() -> None:
    weights = L1Head(10, distance=25.0, bias=1.0).weights
    torch.testing.assert_close(weights, torch.full((10,), 2.5))


def test_the_verdict_does_not_depend_on_the_order_of_a_pair(head: L1Head) -> None:
    a, c = rows(5, 12, 2), rows(5, 12, 3)
    torch.testing.assert_close(head(a, c), head(c, a))


def test_faiss_ranks_weighted_embeddings_as_the_head_does(head: L1Head) -> None:
    gallery, probes = rows(300, 12, 4), rows(20, 12, 5)
    with torch.no_grad():
        verdicts = torch.stack([head(probe.expand(300, -1), gallery) for probe in probes])
        index = faiss.IndexFlat(12, faiss.METRIC_L1)
        index.add((gallery * head.weights).numpy())
        distances, found = index.search((probes * head.weights).numpy(), 300)
    assert np.array_equal(found, verdicts.argsort(dim=1, descending=True).numpy())
    expected = verdicts.sort(dim=1, descending=True).values.numpy()
    np.testing.assert_allclose(2.0 - distances, expected, rtol=1e-4, atol=1e-4)


def test_faiss_ranks_the_embeddings_of_images_as_the_head_does(network: Siamese) -> None:
    images = np.random.default_rng(0).integers(0, 256, (24, 112, 112, 3), np.uint8)
    embeddings = embed(network, images)
    with torch.no_grad():
        crops = torch.from_numpy(images)
        verdicts = network.head.every_pair((network(crops) + network(crops.flip(2))) / 2).numpy()
    index = faiss.IndexFlat(embeddings.shape[1], faiss.METRIC_L1)
    index.add(embeddings)
    distances, found = index.search(embeddings, 24)
    np.testing.assert_allclose(
        float(network.head.bias.detach()) - distances, np.take_along_axis(verdicts, found, axis=1), atol=1e-4
    )


def test_an_image_and_its_mirror_image_are_embedded_alike(network: Siamese) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    mirrored = embed(network, images[:, :, ::-1])
    np.testing.assert_allclose(embed(network, images), mirrored, atol=1e-5)


def test_embeddings_before_the_weights_have_length_one(network: Siamese) -> None:
    images = torch.randint(0, 256, (3, 112, 112, 3), dtype=torch.uint8)
    with torch.no_grad():
        lengths = network(images).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(3))


def test_crops_are_turned_from_bgr_bytes_into_rgb_from_minus_one_to_one(
    network: Siamese, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(network, "embed_planes", lambda planes: seen.append(planes) or planes)
    image = torch.zeros(1, 112, 112, 3, dtype=torch.uint8)
    image[..., 2] = 255  # red
    network(image)
    assert seen[0].shape == (1, 3, 112, 112)
    assert seen[0][0, :, 0, 0].tolist() == [1.0, -1.0, -1.0]


def test_an_embedding_does_not_depend_on_what_else_is_in_the_batch(network: Siamese) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)
    np.testing.assert_allclose(embed(network, images, batch=2), embed(network, images), atol=1e-5)


def test_crops_that_are_mapped_from_a_file_can_be_embedded(network: Siamese) -> None:
    images = np.zeros((2, 112, 112, 3), np.uint8)
    images.flags.writeable = False
    assert embed(network, images).shape == (2, 16)


@pytest.mark.parametrize(
    ("activation", "layers"), [("relu", {"ReLU": 1 + 2 * 3}), ("prelu", {"PReLU": 1 + 3, "Identity": 3})]
)
def test_relu_stands_in_each_block_and_after_it_prelu_in_it_alone(
    small: ModelSettings, activation: str, layers: dict[str, int]
) -> None:
    made = Siamese(small.model_copy(update={"activation": activation}))
    kinds = [type(layer).__name__ for layer in made.modules() if not list(layer.children())]
    assert {kind: kinds.count(kind) for kind in layers} == layers
    assert not {"ReLU", "PReLU"} - set(layers) & set(kinds)


def test_with_relu_features_are_never_below_zero(small: ModelSettings) -> None:
    made = Siamese(small)
    features = made.backbone.features(torch.randn(2, 3, 112, 112))  # type: ignore[union-attr]
    assert float(features.detach().min()) == 0.0


def test_the_original_network_sees_105_pixels_and_says_4096_numbers_in_0_to_1() -> None:
    made = Siamese(ModelSettings(backbone="koch")).eval()
    assert made.input_size == 105
    kernels = [layer.kernel_size for layer in made.backbone.features if isinstance(layer, torch.nn.Conv2d)]
    assert kernels == [(10, 10), (7, 7), (4, 4), (4, 4)]
    sides: list[int] = []
    made.backbone.register_forward_pre_hook(lambda _, inputs: sides.append(inputs[0].shape[-1]))
    with torch.no_grad():
        embeddings = made(torch.randint(0, 256, (2, 112, 112, 3), dtype=torch.uint8))
    assert sides == [105]
    assert embeddings.shape == (2, 4096)
    assert 0 <= float(embeddings.min()) <= float(embeddings.max()) <= 1
