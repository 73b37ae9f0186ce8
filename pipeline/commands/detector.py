"""`recog detector`: the face detector's data, training, evaluation and export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import AsJson, DetectorFile

app = typer.Typer(help="Train, evaluate and export the face detector.", no_args_is_help=True)

Wild = Annotated[
    list[Path],
    typer.Option(
        "--wild", metavar="DIR", help="Photographs with human boxes: boxes.csv and images/; may be repeated."
    ),
]
YunetFile = Annotated[
    Path, typer.Option("--yunet", metavar="FILE", help="YuNet (.onnx), the independent detector.")
]


@app.command("prepare")
def prepare(
    wild: Wild,
    yunet: YunetFile,
    lfw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="LFW's folder (recog data lfw), for large faces.")
    ] = None,
    faces: Annotated[int, typer.Option(min=0, help="How many people of LFW, one image each.")] = 1000,
    negatives: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Photographs without faces: animals, hands, patterns.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Receives the training set.")
    ] = Path("data/detector"),
) -> None:
    """Make the training set: human boxes, proposed landmarks; the test fifth stays out."""
    import random

    from pipeline.commands.shared import progress
    from pipeline.detector import prepare as preparing
    from pipeline.detector.yunet import YuNet
    from pipeline.photos import list_photos
    from siamese.lfw import FOLDER, image_name, view1_split

    photos = [photo for folder in wild for photo in preparing.read_photos(folder)]
    single: list[Path] = []
    if lfw is not None and faces:
        people, _ = view1_split(lfw)  # people of the test half stay out here as well
        random.Random(0).shuffle(people)  # noqa: S311 (a choice, not a secret)
        single = [lfw / FOLDER / image_name(name, 1) for name in people[:faces]]
    proposers: list[preparing.Proposer] = [YuNet(yunet, size, 0.5) for size in (256, 448, 832, 1280)]
    without = list_photos(negatives) if negatives is not None else []
    with progress() as display:
        task = display.add_task("labelling", total=len(photos) + len(single) + len(without))
        counts = preparing.prepare(photos, single, out, proposers, without, lambda _: display.advance(task))
    print(f"{out}: " + ", ".join(f"{count:,} {part}" for part, count in counts.items()))


@app.command("train")
def train(
    data: Annotated[
        Path, typer.Option(metavar="FILE", help="dataset.yaml of `recog detector prepare`.")
    ] = Path("data/detector/dataset.yaml"),
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the run.")] = Path(
        "runs/detector"
    ),
    model: Annotated[
        str, typer.Option(help="Ultralytics model description, or weights to go on from.")
    ] = "yolo26n-pose.yaml",
    size: Annotated[int, typer.Option(help="Long side of the training images, pixels.")] = 320,
    epochs: Annotated[int, typer.Option(min=1)] = 40,
    hours: Annotated[float | None, typer.Option(min=0.01, help="End after this time instead.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or a CUDA device number.")] = "cpu",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")
    ] = False,
) -> None:
    """Train the face detector with ultralytics' pose task: one class, five landmarks."""
    from pipeline.detector.train import DetectorTraining
    from pipeline.detector.train import train as run

    settings = DetectorTraining(model=model, size=size, epochs=epochs, hours=hours, device=device)
    best = run(data, out, settings, resume)
    print(f"{best}: the best weights; next: recog detector export --weights {best} --out face.onnx")


@app.command("export")
def export(
    weights: Annotated[Path, typer.Option(metavar="FILE", help="Weights (.pt) that ultralytics trained.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The .onnx file to write.")],
) -> None:
    """Write trained weights as ONNX, which `--detector` takes and which runs without ultralytics."""
    from pipeline.detector.train import export as write

    described = {"recog.kind": "face detector", "recog.licence": "AGPL-3.0 (ultralytics)"}
    print(f"written: {write(weights, out, described)}")


@app.command("evaluate")
def evaluate(
    wild: Wild,
    detector: DetectorFile = None,
    yunet: Annotated[
        Path | None, typer.Option("--yunet", metavar="FILE", help="YuNet, to stand beside.")
    ] = None,
    size: Annotated[list[int] | None, typer.Option(help="Long side of the input; may be repeated.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR")] = Path("runs/detector-evaluation"),
    as_json: AsJson = False,
) -> None:
    """Average precision on the test fifth of the photographs with human boxes."""
    from pipeline.commands.detector_report import evaluate_on

    evaluate_on(wild, detector, yunet, size or [320, 480, 640], out, as_json)
