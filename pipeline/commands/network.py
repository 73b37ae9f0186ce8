"""`recog train`, `recog export`: the Siamese network."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.data import LFW, LfwFolder
from pipeline.commands.options import Assignments, ConfigFile, DetectorFile, Overwrite
from pipeline.outputs.places import Leaves, Use

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.progress import Report

OutFolder = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="DIR", help="Folder of the run."),
    Use.FOLDER,
    Leaves(("best.pt", "last.pt")),
]


def train(
    root: LfwFolder = LFW,
    out: OutFolder = Path("runs/siamese"),
    overwrite: Overwrite = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on exactly where the run in --out stopped.")
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Begin with the weights of this checkpoint (.pt), exported network (.onnx) or model of this "
            "name.",
        ),
        Use.READ,
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the faces.")] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE[,...]",
            help="An ONNX face embedder to imitate; may be repeated. This is outside knowledge. "
            "FILE,weight=2,divisor=128 weighs it twice, and feeds it (x - 127.5) / 128.",
        ),
    ] = None,
    extra: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="More faces; may be repeated; only with --teacher. A crop set, faces.csv with crops.zip, or "
            "pictures; names count where the folder tells them. With --triplets, once: LFW's folder.",
        ),
        Use.READ,
    ] = None,
    wild: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="What `recog data wild` built: nobody in it is learned from, and the best epoch is chosen "
            "by its validation people, too.",
        ),
        Use.READ,
    ] = None,
    backbone: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An ONNX face embedder to freeze: only a head is fitted, and models are written at once. "
            "Its input is described by --set backbone.scale=128 and the like.",
        ),
        Use.READ,
    ] = None,
    triplets: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Learn from DIR/anchor, positive and negative, as `recog collect` and `recog data triplets` "
            "fill them; with --extra data/lfw beside LFW, else alone.",
        ),
        Use.READ,
    ] = None,
    hold_out: Annotated[
        str | None,
        typer.Option(
            metavar="view1|fold:N,...|all",
            help="Whom not to learn from: View 1's test half, or folds of View 2, such as fold:9,10; "
            "all, with --backbone: ten models, one for each fold. By default what --start or the run that "
            "is resumed held out, else view1.",
        ),
    ] = None,
    yunet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Align the faces learned from by YuNet's landmarks instead."),
        Use.READ,
    ] = None,
    detector: DetectorFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Fit the Siamese network on LFW. Ctrl-C saves; --resume goes on exactly.

    Learns from nine tenths of the people who are not held out and chooses the best epoch by the tenth.
    Watch with: tensorboard --logdir runs
    """
    from pipeline.commands.display import shown
    from pipeline.commands.shared import settings_from
    from pipeline.errors import ConfigError
    from pipeline.models.local import resolve
    from pipeline.training.network import train_on_lfw
    from siamese.lfw.split import VIEW1

    settings = settings_from(config, assignments, detector)
    if start is not None:
        start = resolve(start)
    if triplets is not None and (teacher or backbone or yunet or wild):
        raise ConfigError("--triplets: leave --teacher, --backbone, --yunet and --wild away")
    if triplets is not None and extra and len(extra) > 1:
        raise ConfigError("--extra: with --triplets it is the folder of LFW, once")
    if backbone is not None:
        from pipeline.training.frozen import train_heads

        if teacher or extra or start or resume or wild:
            raise ConfigError("--backbone: nothing but a head is fitted; leave --teacher and the like away")
        with shown() as progress:
            models = train_heads(backbone, root, out, settings, hold_out or VIEW1, progress, overwrite)
        for model in models:
            print(f"{model}: written")
        protocol, tested = ("view2", out) if len(models) > 1 else (hold_out or VIEW1, models[0])
        print(f"next: recog evaluate --protocol {protocol} --model {tested}")
        return
    if epochs is not None:
        settings = settings.model_copy(update={"train": settings.train.model_copy(update={"epochs": epochs})})
    report = partial(print, flush=True)  # a run of hours is followed in a file
    if triplets is not None:
        beside = extra[0] if extra else None
        _on_triplets(triplets, beside, root, out, settings, resume, start, device, hold_out, report)
        return
    with shown() as progress:
        best = train_on_lfw(
            root,
            out,
            settings,
            resume,
            start,
            device,
            teacher or [],
            extra or [],
            hold_out,
            yunet,
            wild,
            progress,
            report,
        )
    print(f"{best}: the best checkpoint; next: recog export --checkpoint {best} --out my-model.onnx")


def _on_triplets(
    folder: Path,
    extra: Path | None,
    root: Path,
    out: Path,
    settings: Settings,
    resume: bool,
    start: Path | None,
    device: str,
    hold_out: str | None,
    told: Report,
) -> None:
    from pipeline.commands.display import shown
    from pipeline.errors import ConfigError
    from pipeline.training.triplets import train_on_triplets
    from siamese.lfw.files import FOLDER

    if extra is not None and not (extra / FOLDER).is_dir():
        raise ConfigError(f"--extra {extra}: with --triplets it is the folder of LFW, such as data/lfw")
    with shown() as progress:
        best, report = train_on_triplets(
            folder, extra, root, out, settings, resume, start, device, hold_out, progress, told
        )
    for line in report.lines() if report else ["too few pairs were held out to judge the network by"]:
        print(line)
    if report:
        print(f"written: {out / 'evaluation'}, with the most wrong pairs in pairs.png")
    print(f"{best}: the best checkpoint; next: recog export --checkpoint {best} --out my-model.onnx")


def export(
    checkpoint: Annotated[
        Path, typer.Option(metavar="FILE", help="A checkpoint of `recog train`."), Use.READ
    ] = Path("runs/siamese/best.pt"),
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The .onnx file to write."), Use.CHECKED
    ] = Path("runs/siamese/siamese.onnx"),
    overwrite: Overwrite = False,
    root: LfwFolder = LFW,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8/--float32",
            help="In eight-bit integers: up to three times as fast, and a quarter of the size.",
        ),
    ] = True,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A crop set (`recog data align`) of more people not learned from, to calibrate by; "
            "may be repeated.",
        ),
        Use.READ,
    ] = None,
    detector: DetectorFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Write a trained network as one ONNX file, calibrated on people it did not learn from."""
    from pipeline.commands.display import shown
    from pipeline.commands.shared import settings_from
    from pipeline.outputs.places import Output, check_outputs
    from pipeline.training.network import export_checkpoint

    settings = settings_from(config, assignments, detector)
    if out.exists():  # its folder is made where it is missing
        check_outputs([Output(out)], [checkpoint], overwrite)
    with shown() as progress:
        calibration = export_checkpoint(checkpoint, out, root, settings, int8, also or [], progress)
    genuine, impostor = calibration.genuine, calibration.impostor
    print(f"{out}: calibrated on {genuine:,} pairs of one person and {impostor:,} of two")
