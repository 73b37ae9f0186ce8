"""Training: one loop, top to bottom.

What a step sees follows from (seed, step) alone, so a run that was stopped and resumed ends with the same
weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from siamese import metrics
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.interrupt import stop_requested
from siamese.settings import ModelSettings, TrainSettings
from siamese.training import checkpoint
from siamese.training.batches import FacePairs, Pairs
from siamese.training.embed import embed
from siamese.training.faces import Faces
from siamese.training.model import Siamese
from siamese.training.muon import Muon
from siamese.training.precision import memory_format
from siamese.training.prefetch import ahead
from siamese.training.resume import check_resumable, check_same_faces, check_same_judges, continue_from
from siamese.training.sheet import pair_sheet
from siamese.training.step import Helpers, batches, cost, frozen_layers, rows_of_epoch
from siamese.training.target import direct
from siamese.training.warm_start import beginning, fit_last_layer


@dataclass(frozen=True, slots=True)
class Step:
    """What a progress display may want to know."""

    step: int
    steps: int
    epoch: int
    loss: float
    validation: float | None  # mean area under the ROC curve on the validation people, where just measured
    speed: float  # images a second, with the making of the batch as far as it was waited for
    areas: tuple[float, ...] = ()  # of each set of validation people


def train(
    faces: Faces,
    validation: CropSet,
    model_settings: ModelSettings,
    settings: TrainSettings,
    out: Path,
    resume: bool = False,
    start: Path | None = None,
    device: str = "cpu",
    provenance: dict[str, Any] | None = None,
    progress: Callable[[Step], None] = lambda _: None,
    pairs: Pairs | None = None,
    beside: CropSet | None = None,
) -> Path:
    """Fit the network; return the best checkpoint (`out/best.pt`); `out/last.pt` goes on where it stopped.

    Args:
        faces: the training faces.
        validation: faces of other people, by which the best epoch is chosen.
        out: folder of the run: checkpoints, TensorBoard events, settings.
        resume: go on from `out/last.pt`.
        start: begin with the weights of this checkpoint, or exported network, instead of random ones.
        provenance: kept in the checkpoint: what data, what split, what teachers.
        beside: faces of further people, wild ones; the best epoch then has the best mean of both areas.
        pairs: for `pairs` of the settings: those of the faces to show, instead of any that are drawn.

    Raises:
        DataError: too few people for pairs, or nobody to validate on.
        ModelError: nothing to resume, or the checkpoint is of another network, other settings or other faces.
        KeyboardInterrupt: on Ctrl-C, after the step under way was finished and saved.
    """
    from torch.utils.tensorboard import SummaryWriter

    judges = {"validation": validation} | ({"wild validation": beside} if beside is not None else {})
    for each in judges.values():
        check_validation(each)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    if settings.direct:
        faces = directed(faces, model_settings)
    out.mkdir(parents=True, exist_ok=True)
    network = Siamese(model_settings).to(device).to(memory_format=memory_format(torch.device(device).type))
    helpers = Helpers(network.backbone.dimension, faces, settings).to(device)
    if settings.frozen:
        if model_settings.backbone != "residual":
            raise DataError("only a residual network has layers that can be frozen")
        frozen_layers(network, settings).requires_grad_(False)
    parameters = [*network.named_parameters(), *helpers.named_parameters(prefix="helpers")]
    optimizer = make_optimizer(parameters, settings)
    averaged = deepcopy(network)
    pairs = (pairs or make_pairs(faces, settings)) if settings.batches == "pairs" else None
    per_epoch = sum(1 for _ in rows_of_epoch(faces, pairs, settings, 0))
    steps, step, best = per_epoch * settings.epochs, 0, -math.inf
    if start is not None and not resume:
        continue_from(beginning(start, faces), start, network, averaged, helpers.guess, settings.direct)
        if settings.direct:
            fit_last_layer(network, faces)
            averaged.load_state_dict(network.state_dict())
    if resume:
        state = checkpoint.load(out / "last.pt")
        check_resumable(state, model_settings, settings, out / "last.pt")
        check_same_faces(state, faces, per_epoch, out / "last.pt")
        check_same_judges(state, list(judges), out / "last.pt")
        network.load_state_dict(state["network"])
        averaged.load_state_dict(state["averaged"])
        helpers.guess.load_state_dict(state["guess"])
        if helpers.margin is not None:
            helpers.margin.load_state_dict(state["margin"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        step, best = state["step"], state["best"]
        if "began with" in state["provenance"]:
            provenance = {**(provenance or {}), "began with": state["provenance"]["began with"]}
    (out / "settings.json").write_text(
        json.dumps({"model": model_settings.model_dump(), "train": settings.model_dump()}, indent=2)
    )
    # Events after the checkpoint are of steps that are about to be repeated.
    board = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def save(name: str) -> None:
        checkpoint.save(
            out / name,
            {
                "model_settings": model_settings.model_dump(),
                "train_settings": settings.model_dump(),
                "network": network.state_dict(),
                "averaged": averaged.state_dict(),
                "guess": helpers.guess.state_dict(),
                "margin": helpers.margin.state_dict() if helpers.margin is not None else {},
                "optimizer": optimizer.state_dict(),
                "random": torch.get_rng_state(),
                "step": step,
                "epoch": step / per_epoch,
                "best": best,
                "judged by": list(judges),
                "provenance": provenance or {},
            },
        )

    try:
        with stop_requested() as stop, closing(ahead(batches(faces, pairs, settings, step, steps))) as shown:
            started = time.perf_counter()
            for batch in shown:
                for group in optimizer.param_groups:
                    group["lr"] = settings.rate * schedule(step / steps, settings)
                parts, logits, same = cost(network, helpers, batch, faces.weights, settings)
                loss = torch.stack(list(parts.values())).sum()
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_([p for _, p in parameters], 5.0)
                optimizer.step()
                step += 1
                average(averaged, network, settings.averaging, step)
                speed = len(batch.labels) / (time.perf_counter() - started)
                score: float | None = None
                areas: tuple[float, ...] = ()
                if step % per_epoch == 0:
                    areas = tuple(validate(averaged, each, board, step, n) for n, each in judges.items())
                    score = sum(areas) / len(areas)
                    if score > best:
                        best = score
                        save("best.pt")
                    save("last.pt")
                log(board, step, parts, logits, same, optimizer.param_groups[0]["lr"], speed)
                epoch = (step - 1) // per_epoch + 1
                progress(Step(step, steps, epoch, float(loss.detach()), score, speed, areas))
                if stop.is_set():
                    save("last.pt")
                    raise KeyboardInterrupt
                started = time.perf_counter()
    finally:
        board.close()
    return out / "best.pt"


def directed(faces: Faces, settings: ModelSettings) -> Faces:
    """The faces with the network's own embedding as their only target.

    Raises:
        DataError: there is no teacher, or not enough of one.
    """
    if not faces.targets or settings.backbone != "residual":
        raise DataError("train.direct: a residual network and a teacher are needed")
    try:
        return direct(faces, settings.embedding)
    except ValueError as error:
        raise DataError(f"train.direct: the teachers have too few coordinates ({error})") from error


def make_pairs(faces: Faces, settings: TrainSettings) -> FacePairs:
    """The data set of drawn pairs; an epoch of it shows as many images as there are."""
    try:
        return FacePairs(faces.images, faces.labels, len(faces.labels) // 2, settings.seed)
    except ValueError as error:
        raise DataError(f"these faces cannot be trained on: {error}") from error


def make_optimizer(
    parameters: list[tuple[str, nn.Parameter]], settings: TrainSettings
) -> torch.optim.Optimizer:
    """Weight decay holds for matrices and kernels only, not for biases, norms, slopes and the head."""
    parameters = [(name, p) for name, p in parameters if p.requires_grad]
    if settings.optimizer == "muon":
        kernels = {id(p) for name, p in parameters if p.ndim == 4 and min(p.shape[:2]) > 3}
    else:
        kernels = set()
    matrices = [p for _, p in parameters if id(p) in kernels]
    parameters = [(name, p) for name, p in parameters if id(p) not in kernels]
    decayed = [p for name, p in parameters if p.ndim > 1 and not name.startswith("head")]
    plain = [p for name, p in parameters if p.ndim <= 1 or name.startswith("head")]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    if settings.optimizer == "muon":
        kernel_group = {"params": matrices, "weight_decay": settings.weight_decay, "matrices": True}
        return Muon([kernel_group, *groups], lr=settings.rate)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, lr=settings.rate)
    return torch.optim.AdamW(groups, lr=settings.rate)


def schedule(progress: float, settings: TrainSettings) -> float:
    """Share of the rate at `progress` in 0..1: constant, or up over a twentieth and down to about nothing."""
    if settings.schedule == "constant":
        return 1.0
    if progress < 0.05:
        return 0.05 + 0.95 * progress / 0.05
    if settings.schedule == "linear":
        return (1 - progress) / 0.95
    return 0.5 * (1 + math.cos(math.pi * (progress - 0.05) / 0.95)) * 0.995 + 0.005


@torch.no_grad()
def average(averaged: Siamese, network: Siamese, decay: float, step: int) -> None:
    """Move the averaged weights towards the present ones; at first faster, so that the start is forgotten."""
    decay = min(decay, (1 + step) / (10 + step)) if decay else 0.0
    for slow, fast in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - decay)
        else:
            slow.copy_(fast)


def validate(network: Siamese, faces: CropSet, board: Any, step: int, where: str = "validation") -> float:
    """Area under the ROC curve over all pairs of the validation faces; to the board with hard pairs."""
    embeddings = embed(network, faces.images)
    distances, same = metrics.every_pair(embeddings, faces.labels())
    figures = metrics.verification(distances, same)
    for name, value in figures.items():
        board.add_scalar(f"{where}/{name}", value, step)
    sheet = pair_sheet(faces.images, *metrics.hardest_pairs(embeddings, faces.labels(), 8))
    board.add_image(f"{where}/hard pairs", sheet[..., ::-1].copy(), step, dataformats="HWC")
    return figures["auc"]


def log(
    board: Any,
    step: int,
    parts: dict[str, Tensor],
    logits: Tensor,
    same: Tensor,
    rate: float,
    speed: float,
) -> None:
    """Scalars of one step. Accuracy weighs both kinds of pairs the same."""
    for name, value in parts.items():
        board.add_scalar(f"loss/{name}", float(value.detach()), step)
    right = (logits > 0) == (same == 1)
    halves = [right[same == kind].float().mean() for kind in (0, 1) if (same == kind).any()]
    if halves:
        board.add_scalar("train/accuracy", float(torch.stack(halves).mean()), step)
    board.add_scalar("train/learning rate", rate, step)
    board.add_scalar("train/images per second", speed, step)


def check_validation(faces: CropSet) -> None:
    """Refuse validation faces that cannot tell how good a network is."""
    people = [person for person in faces.people if person]
    if not len(set(people)) > 1 or len(set(people)) == len(people) or len(people) < len(faces):
        raise DataError("validation needs faces with names: two people, and two images of one of them")
