"""The second network of a cascade: what it is, how it learns, and how its scores are weighed."""

from __future__ import annotations

import json
import math
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipeline.detection.second_stage import FIRST, INPUT, KIND, SHOWN, SURE, logit
from pipeline.detection.training.candidates import FACE, LEAST, PER_SIDE, Candidates
from pipeline.detection.training.degrade import degrade
from pipeline.detection.training.whole import whole
from pipeline.detection.yolo import GREY
from pipeline.errors import DetectorError
from pipeline.progress import Progress, silent
from pipeline.types import Floats, Image

BATCH = 192
RATE = 2e-3  # highest learning rate, reached after WARM of the time; it ends at nothing
WARM = 0.03
DECAY = 0.02  # of the weights
SHARED = 0.999  # of the mean of the weights over time stays from step to step, in the end
ASIDE, GROW, ROLL = 0.12, 0.14, 4.0  # how far boxes are moved (sides), grown (logarithm), rolled (degrees)
WORSE = 0.3  # share of the crops that are made worse
# How often a place is shown in a pass, by scores of the first network up to which that holds: in use, what
# it is sure of, and what it hardly believes, is not looked at again.
SHARES = ((FIRST / 2, 0.12), (FIRST, 0.4), (SURE, 1.0), (math.inf, 0.4))
HARD, HARDER = 0.3, 3.0  # score from which a place without a face is shown so many times as often
# What the first network's logit says already, about: what is learned is what it leaves open.
SAID = 0.3, 0.7
# Overlap with a face from which a place is a little bit one, and how much more makes it wholly one: at FACE
# an average precision jumps, but nobody can see so exactly where a label ends.
FAINT, SURER = 0.35, 0.2
BOX, BEND = 2.0, 0.05  # weight of the loss of boxes, and error from which it is linear
# How many times more often than on the photographs for weighing there is no face where one seems to be:
# those show people, and a camera mostly sees a room.
ROOMS = 2.0
PASSES = 30  # of Newton's method, which needs ten


class Network(nn.Module):
    """From crops (n, 3, INPUT, INPUT) RGB in 0..1 to (n, 5): the logit that there is a face, and its box."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(3, 16, 2),
            _conv(16, 32, 2),
            _Residual(32),
            _conv(32, 64, 2),
            _Residual(64),
            _conv(64, 96, 2),
        )
        self.hidden = nn.Linear(96 * (INPUT // 16) ** 2, 128)
        self.drop = nn.Dropout(0.2)
        self.last = nn.Linear(128, 5)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """See the class."""
        told: torch.Tensor = self.last(self.drop(functional.relu(self.hidden(self.body(crops).flatten(1)))))
        return told


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.second(self.first(x)))


def _conv(taken: int, given: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(taken, given, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(given), nn.ReLU(inplace=True))


def train(
    candidates: Candidates,
    minutes: float,
    start: Network | None = None,
    seed: int = 0,
    progress: Progress = silent,
    clock: Callable[[], float] = time.monotonic,
) -> Network:
    """Train for some minutes, by AdamW with one cosine, and return the mean of the weights over time.

    Args:
        start: to go on from; it is changed.
        clock: seconds; asked once before each step.
    """
    torch.manual_seed(seed)
    network = start or Network()
    network = network.to(memory_format=torch.channels_last)
    mean = Network()
    mean.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    random, began = np.random.default_rng(seed), clock()
    for step, rows in enumerate(_batches(_shares(candidates), random), 1):
        done = (clock() - began) / (60 * minutes)
        if done >= 1:
            break
        progress("training", round(1000 * done), 1000)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, done / WARM + 0.01) * (1 + math.cos(math.pi * done)) / 2
        said = _said(candidates.scores[rows])
        loss = _loss(network.train(), said, *_drawn(candidates, rows, random))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        _follow(mean, network, min(SHARED, step / (step + 20)))
    return mean.eval()


def _follow(mean: Network, network: Network, shared: float) -> None:
    with torch.no_grad():
        for old, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - shared)
            else:
                old.copy_(new)


def _said(scores: Floats) -> torch.Tensor:
    """What the first network's scores (n,) say, about, as logits; nothing is so sure that no label counts."""
    return torch.from_numpy(SAID[0] + SAID[1] * logit(np.clip(scores, LEAST, 1 - LEAST)))


def _shares(candidates: Candidates) -> Floats:
    """How often each place (n,) is shown in a pass, in the mean."""
    ends = np.array([end for end, _ in SHARES])
    shares = np.array([share for _, share in SHARES])[np.searchsorted(ends, candidates.scores, side="right")]
    shares[(candidates.overlaps < FAINT) & (candidates.scores >= HARD)] *= HARDER
    return np.asarray(shares, np.float32)


def _batches(shares: Floats, random: np.random.Generator) -> Iterator[np.ndarray[Any, Any]]:
    """Rows of batches, pass after pass, without end; each row as often as its share (n,) says."""
    while True:
        times = np.floor(shares + random.random(len(shares))).astype(int)
        order = random.permutation(np.repeat(np.arange(len(shares)), times))
        size = max(1, min(BATCH, len(order)))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]


def _loss(
    network: Network, said: torch.Tensor, crops: torch.Tensor, overlaps: torch.Tensor, boxes: torch.Tensor
) -> torch.Tensor:
    """The loss of a batch, given what the first network's score has `said` of it (n,), as logits."""
    told = network(crops)
    there_is = ((overlaps - FAINT) / SURER).clip(0, 1)
    loss = functional.binary_cross_entropy_with_logits(told[:, 0] + said, there_is)
    there = overlaps > FAINT
    if there.any():
        loss = loss + BOX * functional.smooth_l1_loss(told[there, 1:], boxes[there], beta=BEND)
    return loss


def _drawn(
    candidates: Candidates, rows: np.ndarray[Any, Any], random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A batch as it is learned from: crops, overlaps and boxes, moved, grown, mirrored and made worse."""
    moved = [varied(candidates, int(row), random) for row in rows]
    crops = planes(np.stack([crop for crop, _, _ in moved]))
    generator = torch.Generator().manual_seed(int(random.integers(2**31)))
    crops = degrade(crops, WORSE, generator)
    # Light and contrast, of half of them.
    contrast, light = random.uniform(0.7, 1.3, len(rows)), random.uniform(-0.15, 0.15, len(rows))
    as_is = random.random(len(rows)) < 0.5
    contrast[as_is], light[as_is] = 1, 0
    by, plus = (torch.tensor(each, dtype=torch.float32).view(-1, 1, 1, 1) for each in (contrast, light))
    crops = ((crops - 0.5) * by + 0.5 + plus).clamp(0, 1).contiguous(memory_format=torch.channels_last)
    overlaps = torch.tensor([overlap for _, overlap, _ in moved], dtype=torch.float32)
    return crops, overlaps, torch.tensor(np.stack([box for _, _, box in moved]), dtype=torch.float32)


def varied(candidates: Candidates, row: int, random: np.random.Generator) -> tuple[Image, float, Floats]:
    """A place as if the detector had drawn its box a little elsewhere.

    Half of the faces stay where the detector found them: such boxes are what is judged in use.

    Returns:
        The crop (INPUT, INPUT, 3) BGR, its overlap with the face, and what is to be said of the box (4,).
    """
    aside, grown = random.uniform(-ASIDE, ASIDE, 2), math.exp(random.uniform(-GROW, GROW))
    if candidates.overlaps[row] >= FACE and random.random() < 0.5:
        aside, grown = np.zeros(2), 1.0
    roll, mirrored = random.normal(0, ROLL), random.random() < 0.5
    seen = _cut(candidates.crops[row], aside, grown, roll)
    width, height = candidates.boxes[row]
    x, y, wide, high = candidates.faces[row]
    if not np.isfinite(x):
        return (seen[:, ::-1] if mirrored else seen), 0.0, np.zeros(4, np.float32)
    overlap = _overlap((*aside, width * grown, height * grown), (x, y, wide, high))
    off = (np.array([x, y]) - aside) / grown
    angle = math.radians(roll)  # the middle of the face goes round with the picture
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = np.array([cosine * off[0] + sine * off[1], cosine * off[1] - sine * off[0]])
    if mirrored:
        seen, turned[0] = seen[:, ::-1], -turned[0]
    box = np.array([*turned, math.log(wide / grown), math.log(high / grown)], np.float32)
    return seen, overlap, box


def _cut(kept: Image, aside: Floats | Any, grown: float, roll: float) -> Image:
    """What the network sees of a place that is kept, moved by sides of its box, grown, rolled (degrees)."""
    centre = (kept.shape[1] - 1) / 2 + np.asarray(aside) * PER_SIDE
    matrix = cv2.getRotationMatrix2D(
        (float(centre[0]), float(centre[1])), roll, INPUT / SHOWN / (PER_SIDE * grown)
    )
    matrix[:, 2] += (INPUT - 1) / 2 - centre
    seen = cv2.warpAffine(
        kept, matrix, (INPUT, INPUT), borderMode=cv2.BORDER_CONSTANT, borderValue=(GREY,) * 3
    )
    return np.asarray(seen, np.uint8)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """IoU of two boxes, each by its middle, width and height."""
    shared = 1.0
    for axis in (0, 1):
        ends = [(box[axis] - box[axis + 2] / 2, box[axis] + box[axis + 2] / 2) for box in (a, b)]
        shared *= max(0.0, min(end for _, end in ends) - max(start for start, _ in ends))
    return float(shared / (a[2] * a[3] + b[2] * b[3] - shared))


def planes(crops: Image) -> torch.Tensor:
    """Crops (n, h, w, 3) BGR as RGB planes (n, 3, h, w) in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2))).float() / 255


def plain(candidates: Candidates) -> Image:
    """The crops (n, INPUT, INPUT, 3) BGR of the places as they were found."""
    return np.stack([_cut(each, np.zeros(2), 1.0, 0.0) for each in candidates.crops])


def logits(network: Network, crops: Image) -> Floats:
    """What a network says of crops (n, INPUT, INPUT, 3) BGR: (n, 5)."""
    with torch.no_grad():
        told = [network(planes(crops[start : start + 1024])) for start in range(0, len(crops), 1024)]
    return np.asarray(torch.cat(told).numpy(), np.float32)


def weigh(network: Network, candidates: Candidates, least: float, rooms: float = ROOMS) -> list[float]:
    """How the logits of both networks make one, by logistic regression on places no training saw.

    Args:
        least: score of the first network from which a place counts.
        rooms: how many times more often than among these places there is no face.

    Returns:
        What is added, and the weights of the first and of the second network.
    """
    used = candidates.scores >= least
    told = logits(network, plain(candidates))[used, 0]
    seen = np.stack([np.ones(len(told)), logit(candidates.scores[used]), told], axis=1).astype(np.float64)
    true = (candidates.overlaps[used] >= FACE).astype(np.float64)
    weights = np.zeros(3)
    for _ in range(PASSES):
        likely = 1 / (1 + np.exp(-(seen @ weights)))
        curved = seen.T @ (seen * (likely * (1 - likely))[:, None]) + 1e-6 * np.eye(3)
        weights += np.linalg.solve(curved, seen.T @ (true - likely))
    weights[0] -= math.log(rooms)  # odds are multiplied, logits are added to
    return [float(each) for each in weights]


def keep(network: Network, path: Path) -> None:
    """Keep the weights of a network, whole or not at all.

    Raises:
        DetectorError: they cannot be written.
    """
    with whole(path) as part, part.open("xb") as file:
        torch.save(network.state_dict(), file)


def restored(path: Path) -> Network:
    """The network whose weights were kept.

    Raises:
        DetectorError: the file is something else, or damaged.
    """
    network = Network()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # whatever unpickling a foreign file raises
        raise DetectorError(f"{path}: not the weights of a second stage, or damaged") from error
    return network


def write(network: Network, weights: list[float], out: Path) -> None:
    """Write a network as an ONNX graph in float32, with its weights beside the first one's.

    In eight-bit integers it takes a fifth longer on a processor with AVX2 alone: it is too small to gain.
    """
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.onnx"
        with warnings.catch_warnings():
            # As in siamese/training/export.py: deprecated, but it needs no further package.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                network.eval(), (torch.zeros(2, 3, INPUT, INPUT),), str(made), input_names=["crops"],
                output_names=["told"], dynamic_axes={"crops": {0: "n"}, "told": {0: "n"}}, opset_version=17,
                dynamo=False,
            )  # fmt: skip
        graph = onnx.load(str(made))
    described = {"recog.kind": KIND, "recog.weights": json.dumps(weights), "recog.licence": "MIT"}
    onnx.helper.set_model_props(graph, described)
    with whole(out) as part:
        part.write_bytes(graph.SerializeToString())
