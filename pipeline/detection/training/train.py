"""Training the face detector with ultralytics' pose task.

Ultralytics is imported inside the functions: it is large, and it writes a settings file when imported, which
is why its own configuration folder is pointed into the run's folder first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.detection.training.dataset import sample
from pipeline.detection.training.ultralytics import quiet_ultralytics, read
from pipeline.detection.training.warm_start import unfold
from pipeline.errors import ConfigError, DetectorError

if TYPE_CHECKING:
    from torch import nn

    from pipeline.detection.training.fade import Fading
    from pipeline.detection.training.imitate import Teacher

ARCHITECTURES = Path(__file__).parent / "architectures"
SCORES = "cv3"  # how ultralytics' names of those branches of a head end that say how sure it is


class DetectorTraining(BaseModel):
    """How the detector is trained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field("face-n", description="face-n, face-p, an ultralytics description, or weights (.pt)")
    start: Path | None = Field(
        None,
        description="exported detector (.onnx) of this architecture to go on from, or weights (.pt) of a "
        "similar one to fade from",
    )
    fade: int = Field(8, ge=1, description="passes over which layers that differ from those of a .pt fade in")
    teacher: Path | None = Field(
        None, description="exported detector (.onnx) to imitate beside learning from the labels"
    )
    share: float = Field(0.5, gt=0, le=1, description="of the imitation in the loss")
    even: bool = Field(
        False, description="weigh images by the root of how many faces they show, not by how many"
    )
    degrade: float = Field(
        0, ge=0, le=1, description="share of the images that are made worse: badly resized, noisy, compressed"
    )
    roll: float = Field(15, ge=0, le=180, description="degrees by which images are rolled, at most")
    landmark_sigma: float | None = Field(
        None,
        gt=0,
        description="error of a landmark that counts as large, in sides of the face; none: ultralytics' loss",
    )
    freeze: int = Field(
        0,
        ge=0,
        description="layers, from the first, that stay as they are; 23: only the head learns",
    )
    scores_only: bool = Field(
        False, description="only how sure it is of a face is learned; boxes and landmarks stay as they are"
    )
    size: int = Field(320, ge=64, multiple_of=32, description="long side of the training images, in pixels")
    vary: float = Field(
        0.4, ge=0, lt=1, description="share by which each batch's size may differ from `size`"
    )
    epochs: int = Field(100, ge=1)
    hours: float | None = Field(None, gt=0, description="stop after this time; the rate falls with it")
    batch: int = Field(16, ge=1)
    mosaic: bool = Field(True, description="four photographs in one, until the last three passes")
    rate: float = Field(0.0015, gt=0, description="initial learning rate of AdamW")
    validate_each: bool = Field(True, description="validate each pass, and keep the best; else the last")
    threads: int = Field(
        0,
        ge=0,
        description="CPU threads; 0 for all. Two trainings of one thread each side "
        "by side get further than one of two threads after the other",
    )
    device: str = Field("cpu", description="cpu, or a CUDA device as ultralytics names it")


def settings_from(chosen: Mapping[str, Any]) -> DetectorTraining:
    """The settings, from what a user chose.

    Raises:
        ConfigError: one that cannot be.
    """
    try:
        return DetectorTraining.model_validate(chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise ConfigError(f"--{name} {first['input']}: {first['msg'].lower()}") from error


def train(dataset: Path, out: Path, settings: DetectorTraining, resume: bool = False) -> Path:
    """Train, or go on from the last checkpoint in `out`; return the path of the best weights (`.pt`)."""
    if not dataset.is_file():
        raise DetectorError(f"{dataset}: no such file; make it with: recog detector prepare")
    last = out / "weights" / "last.pt"
    if resume and not last.is_file():
        raise DetectorError(f"{last}: no checkpoint to resume from; train without --resume first")
    if settings.start is not None and not resume and not settings.start.is_file():
        raise DetectorError(f"{settings.start}: no such file to begin with")
    quiet_ultralytics(out / "ultralytics")
    from ultralytics import YOLO  # type: ignore[attr-defined]

    from pipeline.detection.training.fade import fades, take_over
    from pipeline.detection.training.imitate import Teacher
    from pipeline.detection.training.rolled_boxes import rolled_as_ellipses
    from pipeline.detection.training.schedule import by_time
    from pipeline.detection.training.trainer import Trainer

    teacher = Teacher(settings.teacher, settings.threads) if settings.teacher is not None else None
    model = YOLO(str(last) if resume else str(description(settings.model)), task="pose")
    fading = None
    if settings.start is not None and not resume:
        if settings.start.suffix != ".pt":
            unfold(settings.start, model.model, sample(dataset))
        elif not take_over(read(settings.start).model, cast("nn.Module", model.model), settings.start):
            _check_free(settings.start, settings)
            fading = _fading(settings.start, settings)
            fading.add_to(model)
        if fading is None:
            model.save(out / "start.pt")
            model = YOLO(str(out / "start.pt"), task="pose")
    if settings.device == "cpu":
        model.add_callback("on_train_start", partial(_fast_on_cpu, threads=settings.threads))
    model.add_callback(
        "on_train_start",
        partial(_change_loss, settings=settings, teacher=teacher),
    )
    model.add_callback("on_train_batch_start", by_time)
    trainer = partial(Trainer, settings.degrade)
    if resume:
        # Of a finished training ultralytics would begin a new one, on a data set of its own.
        if model.ckpt.get("epoch", -1) < 0 or model.ckpt.get("optimizer") is None:
            raise DetectorError(f"{last}: this training is finished; to go on, train with --model {last}")
        if fades(cast("nn.Module", model.model)):
            raise DetectorError(f"{last}: this training stopped while layers were fading in; start it again")
        with rolled_as_ellipses():
            model.train(trainer=trainer, resume=True, data=str(dataset))
        return out / "weights" / "best.pt"
    with rolled_as_ellipses():
        model.train(
            trainer=trainer,
            data=str(dataset),
            project=str(out.parent.resolve()),
            name=out.name,
            exist_ok=True,
            imgsz=settings.size,
            epochs=settings.epochs,
            time=settings.hours,
            batch=settings.batch,
            nbs=settings.batch,  # step after every batch: few images are seen, so many small steps teach more
            device=settings.device,
            optimizer="AdamW",
            lr0=settings.rate,
            cos_lr=True,
            warmup_epochs=1 if settings.hours is None else 0,  # else `by_time` sets the rate
            warmup_bias_lr=0.0,  # the default, 0.1, is made for SGD: with AdamW it throws every bias about
            amp=settings.device != "cpu",
            workers=1,
            cache="ram",
            # Faces from a dozen pixels to the whole frame: wide scales, mosaics until near the end.
            mosaic=0.6 * settings.mosaic,  # whole photographs too, or large faces are never seen
            close_mosaic=3,
            multi_scale=settings.vary,
            scale=0.7,
            translate=0.15,
            degrees=settings.roll,
            fliplr=0.5,
            hsv_h=0.02,
            hsv_s=0.6,
            hsv_v=0.5,
            pose=12.0,
            # Without it ultralytics builds the network again and forgets the weights it was given.
            pretrained=settings.start is not None or settings.model.endswith(".pt"),
            freeze=frozen(model.model, settings),
            plots=False,
            val=settings.validate_each,
            verbose=True,
            seed=0,
        )
    best = out / "weights" / "best.pt"
    if fading is not None and not fading.done:
        raise DetectorError(
            f"{best}: the training ended while layers were fading in; give it more time, or a smaller --fade"
        )
    return best


def _check_free(start: Path, settings: DetectorTraining) -> None:
    """Refuse to keep layers as they are in a training in which layers fade in, which have to learn."""
    if settings.freeze or settings.scores_only:
        option = "--scores-only" if settings.scores_only else f"--freeze {settings.freeze}"
        raise ConfigError(
            f"{option}: layers that fade in from {start} have to learn; leave it out, or give weights of the "
            "same architecture as --model"
        )


def _fading(start: Path, settings: DetectorTraining) -> Fading:
    """What has the training begin as the network of these weights.

    Raises:
        ConfigError: it would end while layers fade in.
    """
    from pipeline.detection.training.fade import Fading

    if settings.hours is None and settings.epochs <= settings.fade:
        raise ConfigError(f"--epochs {settings.epochs}: not more than the {settings.fade} of --fade")
    return Fading(read(start).model, start, settings.fade)


def frozen(network: Any, settings: DetectorTraining) -> list[int | str]:
    """What stays as it is, as ultralytics wants it told: layers by number, and parts of them by name.

    Raises:
        DetectorError: scores alone are to be learned, and have no layers of their own.
    """
    if not settings.scores_only:
        return list(range(settings.freeze))
    last = len(network.model) - 1
    branches = [name for name, _ in network.model[last].named_children()]
    if not any(name.endswith(SCORES) for name in branches):
        raise DetectorError(
            f"{settings.model}: its scores have no layers of their own; leave out --scores-only"
        )
    return [*range(last), *(f"{last}.{name}" for name in branches if not name.endswith(SCORES))]


def _change_loss(trainer: Any, settings: DetectorTraining, teacher: Teacher | None) -> None:
    """Have a training spare places, weigh its images and landmarks, and mix its loss with an imitation."""
    from pipeline.detection.training.even import even_out
    from pipeline.detection.training.imitate import Imitating
    from pipeline.detection.training.landmark_loss import sharpen
    from pipeline.detection.training.unsure import spare

    criterion = trainer.model.init_criterion()
    trainer.sparing = spare(criterion)
    if settings.even:
        criterion = even_out(criterion)
    if settings.landmark_sigma is not None:
        sharpen(criterion, settings.landmark_sigma)
    if teacher is not None:
        criterion = Imitating(criterion, teacher, settings.share)
    trainer.model.criterion = criterion


def description(model: str) -> str | Path:
    """Our own architectures by name; anything else is left to ultralytics."""
    ours = ARCHITECTURES / f"{model}.yaml"
    return ours if ours.is_file() else model


def _fast_on_cpu(trainer: Any, threads: int) -> None:
    """Train in bfloat16 with channels last on CPUs that have it, which is half again as fast there.

    Ultralytics offers bfloat16 on CUDA only. The loss and the averaged weights stay in float32.
    """
    import torch

    from siamese.training.precision import in_bfloat16, memory_format

    layout = memory_format("cpu")
    trainer.model.to(memory_format=layout)
    torch.set_num_threads(
        threads or os.cpu_count() or 1
    )  # ultralytics leaves one core to whoever else is there
    plain, lower = trainer.model.predict, in_bfloat16("cpu")

    def predict(x: Any, *args: Any, **kwargs: Any) -> Any:
        x = x.contiguous(memory_format=layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=lower and trainer.model.training):
            return _float32(plain(x, *args, **kwargs))

    trainer.model.predict = predict


def _float32(value: Any) -> Any:
    """The same nest of dicts, lists and tuples with every tensor in float32."""
    if isinstance(value, dict):
        return {key: _float32(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_float32(item) for item in value)
    return value.float() if hasattr(value, "float") else value
