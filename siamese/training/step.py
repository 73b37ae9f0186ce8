"""One step of training: what a batch is, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from siamese.settings import TrainSettings
from siamese.training import losses
from siamese.training.augment import augment
from siamese.training.batches import Ints, Pairs, pair_batches, people_batches
from siamese.training.faces import Faces
from siamese.training.margin import MarginSoftmax
from siamese.training.model import Residual, Siamese
from siamese.training.precision import in_bfloat16, memory_format


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step sees. Row i of each field is one face."""

    planes: Tensor  # (n, 3, 112, 112) float32 RGB in -1..1, distorted
    labels: Tensor  # (n,) int64, -1 where the person is not known
    targets: list[Tensor]  # per teacher (n, d_t), unit rows


class Helpers(nn.Module):
    """What is trained beside the network and thrown away with it: guesses of teachers, and a classifier."""

    def __init__(self, dimension: int, faces: Faces, settings: TrainSettings) -> None:
        super().__init__()
        targets = [] if settings.direct else faces.targets
        self.guess = nn.ModuleList(nn.Linear(dimension, target.shape[1]) for target in targets)
        people = int(faces.labels.max(initial=-1)) + 1
        wanted = settings.margin_weight > 0 and people > 0
        self.margin = MarginSoftmax(people, dimension, settings.margin) if wanted else None


def batches(
    faces: Faces, pairs: Pairs | None, settings: TrainSettings, first: int, steps: int
) -> Iterator[Batch]:
    """The batches of the steps from `first` to before `steps`, each following from (seed, step) alone."""
    per_epoch = sum(1 for _ in rows_of_epoch(faces, pairs, settings, 0))
    for epoch in range(first // per_epoch, -(-steps // per_epoch)):
        for place, rows in enumerate(rows_of_epoch(faces, pairs, settings, epoch)):
            step = epoch * per_epoch + place
            if step < first:
                continue  # seen before the training was stopped
            generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
            yield Batch(
                augment(torch.from_numpy(faces.images[rows]), settings.augment, generator),
                torch.from_numpy(faces.labels[rows]),
                [torch.from_numpy(target[rows]) for target in faces.targets],
            )


def rows_of_epoch(faces: Faces, pairs: Pairs | None, settings: TrainSettings, epoch: int) -> Iterator[Ints]:
    """Rows of each step of an epoch."""
    if pairs is not None:
        return pair_batches(pairs, settings.batch, epoch)
    return people_batches(faces.labels, settings.batch, settings.seed, epoch)


def cost(
    network: Siamese, helpers: Helpers, batch: Batch, weights: tuple[float, ...], settings: TrainSettings
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The terms of the loss for a batch, and the head's logits with their targets.

    Args:
        weights: of the teachers.
    """
    device = network.head.bias.device
    planes = batch.planes.to(device, non_blocking=True)
    planes = planes.contiguous(memory_format=memory_format(device.type))
    labels = batch.labels.to(device)
    network.train()
    if settings.frozen:
        frozen_layers(network, settings).eval()
    # Losses and weights stay in float32.
    with torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16(device.type)):
        embeddings = network.embed_planes(planes)
    if settings.batches == "pairs":
        same = (labels[0::2] == labels[1::2]).float()
        bce, logits, same = losses.listed_pairs(network.head, embeddings, same)
    else:
        bce, logits, same = losses.every_pair(network.head, embeddings, labels, settings.hard_share)
    parts = {"bce": bce}
    if batch.targets:
        targets = [target.to(device) for target in batch.targets]
        guesses = [layer(embeddings) for layer in helpers.guess] or [embeddings]
        distilled = losses.distillation(guesses, targets, weights)
        parts["distill"] = settings.distill * distilled
        parts["similarity"] = settings.similarity * losses.batch_similarity(embeddings, targets, weights)
    if helpers.margin is not None:
        parts["margin"] = settings.margin_weight * helpers.margin(embeddings, labels)
    return parts, logits.detach(), same


def frozen_layers(network: Siamese, settings: TrainSettings) -> nn.Module:
    """The first layers of the network, which are not trained."""
    assert isinstance(network.backbone, Residual)
    return network.backbone.features[: settings.frozen]
