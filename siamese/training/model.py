"""The Siamese network: a backbone that embeds one face, and an L1 head that judges two.

- `Residual`: dense 3 x 3 convolutions with PReLU or ReLU, a global depthwise convolution, unit-length
  output. Dense convolutions train about twice as fast on a CPU as depthwise ones.
- `Koch`: the network of Koch, Zemel and Salakhutdinov, "Siamese neural networks for one-shot image
  recognition", 2015, as the reference row.
- `L1Head`: `logit = b - sum_i w_i |a_i - c_i|` with `w = softplus(v) >= 0`, so that nearest neighbours under
  L1 of the weighted embeddings are exactly the head's best matches (docs/decisions/0003).

Crops arrive as BGR bytes; colour order and normalisation are part of the network, so that training, export
and running cannot drift apart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from siamese.settings import ModelSettings


class Block(nn.Module):
    """Two 3 x 3 convolutions with a shortcut: (n, c, h, w) -> (n, d, h / stride, w / stride)."""

    def __init__(self, inside: int, outside: int, stride: int, activation: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            _activation(activation, outside),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inside != outside:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )
        self.after = nn.ReLU() if activation == "relu" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        shortcut: Tensor = self.shortcut(x)
        changed: Tensor = self.body(x)
        summed: Tensor = self.after(shortcut + changed)
        return summed


def _activation(kind: str, channels: int) -> nn.Module:
    return nn.PReLU(channels) if kind == "prelu" else nn.ReLU()


class Residual(nn.Module):
    """(n, 3, 112, 112) RGB in -1..1 -> (n, embedding) of length one."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        widths = settings.widths
        layers: list[nn.Module] = [
            nn.Conv2d(3, widths[0], 3, 2, 1, bias=False),
            nn.BatchNorm2d(widths[0]),
            _activation(settings.activation, widths[0]),
        ]
        channels = widths[0]
        for stage, (width, count) in enumerate(zip(widths, settings.blocks, strict=True)):
            for block in range(count):
                stride = 2 if block == 0 and stage > 0 else 1
                layers.append(Block(channels, width, stride, settings.activation))
                channels = width
        self.features = nn.Sequential(*layers)
        # Each channel weighs the 7 x 7 places of the face on its own (MobileFaceNet, Chen et al. 2018): a
        # face is aligned, so that places mean something, and an average over them would throw that away.
        self.gather = nn.Sequential(
            nn.Conv2d(channels, channels, 7, groups=channels, bias=False), nn.BatchNorm2d(channels)
        )
        self.project = nn.Linear(channels, settings.embedding, bias=False)
        self.normalise = nn.BatchNorm1d(settings.embedding)
        self.dimension = settings.embedding

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        if self.training:
            # The same as `gather`, whose backward pass as a depthwise convolution takes a tenth of a step.
            convolution, norm = self.gather
            assert isinstance(convolution, nn.Conv2d)
            x = torch.einsum("nchw,chw->nc", x, convolution.weight[:, 0])
            x = norm(x[:, :, None, None]).flatten(1)
        else:
            x = self.gather(x).flatten(1)
        x = self.normalise(self.project(x))
        unit: Tensor = functional.normalize(x.float(), dim=1)
        return unit


class Koch(nn.Module):
    """(n, 3, 105, 105) RGB in -1..1 -> (n, 4096) in 0..1: convolutions of 10, 7, 4 and 4, then sigmoids."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 10), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 7), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(128, 128, 4), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(128, 256, 4), nn.ReLU(),
        )  # fmt: skip
        self.dimension = 4096
        self.project = nn.Linear(256 * 6 * 6, self.dimension)
        for layer in self.modules():  # the paper's initial weights; with others the units hardly differ
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.normal_(layer.weight, 0.0, 0.2 if isinstance(layer, nn.Linear) else 0.01)
                assert layer.bias is not None
                nn.init.normal_(layer.bias, 0.5, 0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x).flatten(1)
        return torch.sigmoid(self.project(x).float())


class L1Head(nn.Module):
    """Weighted L1 distance and a bias: the logit that two embeddings are of one person."""

    def __init__(self, dimension: int, distance: float, bias: float) -> None:
        """
        Args:
            distance: what all weights together are at the start: the weighted distance of two embeddings that
                differ by one in every coordinate.
            bias: the logit of two equal embeddings at the start.
        """
        super().__init__()
        start = torch.tensor(distance / dimension)
        self.raw = nn.Parameter(torch.log(torch.expm1(start)).repeat(dimension))
        self.bias = nn.Parameter(torch.tensor(bias))

    @property
    def weights(self) -> Tensor:
        """(d,), each at least zero."""
        return functional.softplus(self.raw)

    def forward(self, a: Tensor, c: Tensor) -> Tensor:
        """Logits (n,) of the pairs of rows of `a` and `c`, each (n, d)."""
        return self.bias - ((a - c).abs() * self.weights).sum(dim=1)

    def every_pair(self, a: Tensor) -> Tensor:
        """Logits (n, n) of every row of `a` (n, d) with every other."""
        weighted = a * self.weights
        return self.bias - torch.cdist(weighted, weighted, p=1)


class Siamese(nn.Module):
    """The whole network, from crops as bytes to weighted embeddings and logits."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone: Residual | Koch
        if settings.backbone == "koch":
            self.backbone, self.input_size = Koch(), 105
            self.head = L1Head(self.backbone.dimension, distance=40.0, bias=2.0)
        else:
            self.backbone, self.input_size = Residual(settings), 112
            # Coordinates of unit vectors differ by about 1.1 / sqrt(d) between strangers.
            self.head = L1Head(self.backbone.dimension, distance=1.0 * settings.embedding, bias=8.0)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings before the head's weights, (n, d), of images (n, 112, 112, 3) BGR in 0..255."""
        planes = images.permute(0, 3, 1, 2).flip(1).to(torch.float32)  # BGR -> RGB
        return self.embed_planes((planes - 127.5) / 127.5)

    def embed_planes(self, planes: Tensor) -> Tensor:
        """Embeddings (n, d) of RGB planes (n, 3, 112, 112) in -1..1."""
        if self.input_size != 112:
            planes = functional.interpolate(
                planes, size=(self.input_size, self.input_size), mode="bilinear", align_corners=False
            )
        embeddings: Tensor = self.backbone(planes)
        return embeddings

    def weighted(self, images: Tensor) -> Tensor:
        """What is exported: embeddings whose plain L1 distance is the head's, (n, d).

        Each is the mean over the crop and its mirror image, which wobbles less than either.
        """
        embeddings: Tensor = self(torch.cat([images, images.flip(2)]))
        crop, mirrored = embeddings.chunk(2)
        return (crop + mirrored) / 2 * self.head.weights
