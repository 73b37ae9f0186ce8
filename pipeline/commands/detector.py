"""`recog detector`: the face detector's data, training, evaluation and export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import AsJson, Overwrite
from pipeline.errors import ConfigError
from pipeline.outputs.places import Leaves, Use

app = typer.Typer(help="Train, evaluate and export the face detector.", no_args_is_help=True)

Wild = Annotated[
    list[Path],
    typer.Option(
        "--wild", metavar="DIR", help="Photographs with human boxes: boxes.csv and images/; may be repeated."
    ),
    Use.READ,
]
YunetFile = Annotated[
    Path, typer.Option("--yunet", metavar="FILE", help="YuNet (.onnx), the independent detector."), Use.READ
]


class Shape(StrEnum):
    """What an exported detector takes."""

    DYNAMIC = "dynamic"
    SQUARE = "square"
    WIDE = "wide"


@app.command("prepare")
def prepare(
    wild: Wild,
    yunet: YunetFile,
    lfw: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="LFW's folder (recog data lfw), for large faces."),
        Use.READ,
    ] = None,
    faces: Annotated[int, typer.Option(min=0, help="How many people of LFW, one image each.")] = 1000,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Photographs without faces: animals, hands, patterns. Those in which YuNet sees one are "
            "left out. May be repeated.",
        ),
        Use.READ,
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Photographs in images/ of which YuNet at several sizes says where faces are; heads that "
            "people marked may stand in heads.csv, or all faces, if they drew them, in faces.csv. A tenth "
            "goes to test/. May be repeated.",
        ),
        Use.READ,
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Receives the training set."),
        Use.FOLDER,
        Leaves(()),
    ] = Path("data/detector"),
) -> None:
    """Make the training set: human boxes, proposed landmarks; the test fifth stays out."""
    import random
    from functools import cache

    from pipeline.commands.display import progress
    from pipeline.detection.training import prepare as preparing
    from pipeline.detection.training import unlabelled as adding
    from pipeline.detection.training.agreement import SUSPECTED
    from pipeline.detection.training.yunet import YuNet
    from pipeline.sources.images import list_photos
    from siamese.lfw.files import FOLDER, image_name, view1_split

    photos = [photo for folder in wild for photo in preparing.read_photos(folder)]
    single: list[Path] = []
    if lfw is not None and faces:
        people, _ = view1_split(lfw)  # people of the test half stay out here as well
        random.Random(0).shuffle(people)  # noqa: S311 (a choice, not a secret)
        single = [lfw / FOLDER / image_name(name, 1) for name in people[:faces]]
    proposers = [YuNet(yunet, size, 0.5) for size in preparing.SCALES]
    without = [photo for folder in negatives or [] for photo in list_photos(folder)]
    sets = {folder: len(adding.read_set(folder)) for folder in unlabelled or []}
    total = len(photos) + len(single) + len(without) + sum(sets.values())
    at = cache(lambda size: YuNet(yunet, size, SUSPECTED))
    with progress() as display:
        task = display.add_task("labelling", total=total)
        counts = preparing.prepare(photos, single, out, proposers, without, lambda _: display.advance(task))
        added = {
            folder: adding.add(
                folder, out, lambda image, size: at(size).detect(image), lambda: display.advance(task)
            )
            for folder in sets
        }
    print(f"{out}: " + ", ".join(f"{count:,} {part}" for part, count in counts.items()))
    for folder, of in added.items():
        print(f"{folder.name}: " + ", ".join(f"{count:,} {part}" for part, count in of.items()))


@app.command("train")
def train(
    data: Annotated[
        Path, typer.Option(metavar="FILE", help="dataset.yaml of `recog detector prepare`."), Use.READ
    ] = Path("data/detector/dataset.yaml"),
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Folder of the run."),
        Use.FOLDER,
        Leaves(("weights/*.pt",)),
    ] = Path("runs/detector"),
    overwrite: Overwrite = False,
    model: Annotated[
        str, typer.Option(help="face-n, face-p, an ultralytics description, or weights (.pt) to go on from.")
    ] = "face-n",
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An exported detector (.onnx) of this architecture to begin with, or weights (.pt) of a "
            "similar one: layers that differ fade in.",
        ),
        Use.READ,
    ] = None,
    fade: Annotated[int, typer.Option(help="Passes over which they do.")] = 8,
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A better exported detector (.onnx) whose every answer is imitated beside the labels.",
        ),
        Use.READ,
    ] = None,
    share: Annotated[float, typer.Option(help="Of the imitation in the loss.")] = 0.5,
    even: Annotated[
        bool,
        typer.Option(
            "--even", help="Weigh photographs by the root of how many faces they show: crowds count for less."
        ),
    ] = False,
    degrade: Annotated[
        float,
        typer.Option(
            help="Share of the images that are made worse: badly resized, noisy, compressed, blurred."
        ),
    ] = 0,
    roll: Annotated[float, typer.Option(help="Degrees by which images are rolled, at most.")] = 15,
    landmark_sigma: Annotated[
        float | None,
        typer.Option(
            help="Error of a landmark that counts as large, in sides of the face; without, ultralytics' loss."
        ),
    ] = None,
    freeze: Annotated[
        int, typer.Option(min=0, help="Layers that stay as they are; with 23 the head alone learns.")
    ] = 0,
    scores_only: Annotated[
        bool,
        typer.Option(
            "--scores-only", help="Learn only how sure it is; boxes and landmarks stay as they are."
        ),
    ] = False,
    size: Annotated[int, typer.Option(help="Long side of the training images, pixels.")] = 320,
    vary: Annotated[
        float, typer.Option(help="Share by which the size of each batch may differ from --size.")
    ] = 0.4,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 100,
    hours: Annotated[float | None, typer.Option(help="End after this time instead.")] = None,
    batch: Annotated[int, typer.Option(help="Images in a batch.")] = 16,
    mosaic: Annotated[
        bool, typer.Option(help="Four photographs in one for most batches, until the last three passes.")
    ] = True,
    rate: Annotated[float, typer.Option(help="Initial learning rate.")] = 0.0015,
    validate_each: Annotated[
        bool, typer.Option("--validate-each/--validate-last", help="Validate each pass and keep the best.")
    ] = True,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 for all.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, or a CUDA device number.")] = "cpu",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")
    ] = False,
) -> None:
    """Train the face detector with ultralytics' pose task: one class, five landmarks."""
    from pipeline.detection.training.train import settings_from
    from pipeline.detection.training.train import train as run

    settings = settings_from(
        {
            "model": model, "start": start, "fade": fade, "teacher": teacher, "share": share,
            "even": even, "degrade": degrade, "roll": roll,
            "landmark_sigma": landmark_sigma, "freeze": freeze, "scores_only": scores_only, "size": size,
            "vary": vary,
            "epochs": epochs, "hours": hours, "batch": batch,
            "mosaic": mosaic, "rate": rate, "validate_each": validate_each,
            "threads": threads, "device": device,
        }
    )  # fmt: skip
    best = run(data, out, settings, resume)
    print(f"{best}: the best weights; next: recog detector export --weights {best} --out face.onnx")


@app.command("train-second-stage")
def train_second_stage(
    data: Annotated[
        Path, typer.Option(metavar="FILE", help="dataset.yaml of `recog detector prepare`."), Use.READ
    ] = Path("data/detector/dataset.yaml"),
    negatives: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Photographs on which there is nobody, besides: whatever is found there is no face. They "
            "are shown turned and in pieces, too; one in ten is left for weighing. May be repeated.",
        ),
        Use.READ,
    ] = None,
    detector: Annotated[
        list[Path] | None,
        typer.Option(
            "--detector",
            metavar="FILE",
            help="face-n, face-p, or an exported one, whose mistakes are learned from; both of ours if none.",
        ),
        Use.READ,
    ] = None,
    candidates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keeps what the detectors found (.npz): looked for if it is not there, else read.",
        ),
        Use.GROWS,
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights (.pt) to go on from, if it is there; receives what comes of the training.",
        ),
        Use.GROWS,
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="How long to train.")] = 60,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 for all.")] = 0,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The .onnx file to write."), Use.NEW
    ] = Path("second-stage.onnx"),
    overwrite: Overwrite = False,
) -> None:
    """Train the network that looks closely at what the detectors are unsure of.

    Where SHA256SUMS stands beside --out, the file's checksum is put into it.
    """
    from pipeline.commands.display import shown
    from pipeline.commands.second_stage import Material, make
    from siamese.shipped import record

    material = Material(
        data, negatives or [], detector or [Path("face-n"), Path("face-p")], candidates, checkpoint
    )
    with shown() as progress:
        weights = make(material, out, minutes, threads, progress)
    record(out)
    print(f"written: {out}; logit = {weights[0]:+.2f} {weights[1]:+.2f} first {weights[2]:+.2f} second")


@app.command("export")
def export(
    weights: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            help="Weights (.pt) that ultralytics trained. Repeated: the mean of trainings that went on from "
            "the same weights, often better than any of them. Or an exported detector (.onnx), whose last "
            "layers are fitted again.",
        ),
        Use.READ,
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The .onnx file to write."), Use.NEW
    ],
    overwrite: Overwrite = False,
    shape: Annotated[
        Shape, typer.Option(help="Shape of its input: any, or fixed to a square or to 16:9 of --size.")
    ] = Shape.DYNAMIC,
    size: Annotated[
        int,
        typer.Option(
            help="Long side, pixels, of a fixed input and of the images behind --int8; a multiple of 32."
        ),
    ] = 320,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="In eight-bit integers: twice as fast where all activations are ReLU, as ours are. "
            "Scales come from the training images of --data.",
        ),
    ] = False,
    fit_landmarks: Annotated[
        bool,
        typer.Option(
            "--fit-landmarks",
            help="Compute the layer of the landmarks again from the images of --data: a tenth nearer.",
        ),
    ] = False,
    fit_boxes: Annotated[
        bool,
        typer.Option(
            "--fit-boxes",
            help="The same for the layer of the boxes, which training leaves a tenth too wide and high.",
        ),
    ] = False,
    data: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="dataset.yaml of `recog detector prepare`, for --int8, --fit-landmarks and --fit-boxes.",
        ),
        Use.READ,
    ] = Path("data/detector/dataset.yaml"),
) -> None:
    """Write trained weights as ONNX, which `--detector` takes and which runs without ultralytics.

    Where SHA256SUMS stands beside --out, the file's checksum is put into it.
    """
    from pipeline.commands.display import shown
    from pipeline.detection.training.export import export as write
    from pipeline.detection.training.export import fit_again, input_shape
    from siamese.shipped import record

    exported = [each for each in weights if each.suffix == ".onnx"]
    fits = fit_landmarks or fit_boxes
    if exported and (len(weights) > 1 or int8 or not fits or shape is not Shape.DYNAMIC):
        raise ConfigError(
            f"{exported[0]}: is exported already; give it alone, with --fit-landmarks or --fit-boxes"
        )
    described = {"recog.kind": "face detector", "recog.licence": "AGPL-3.0 (ultralytics)"}
    scales = (data, size) if int8 else None
    landmarks, boxes = (data if each else None for each in (fit_landmarks, fit_boxes))
    with shown() as progress:
        if exported:
            written = fit_again(exported[0], out, landmarks, boxes, progress)
        else:
            fixed = input_shape(shape, size)
            written = write(weights, out, described, fixed, scales, landmarks, boxes, progress)
    record(written)
    print(f"written: {written}")


@app.command("evaluate")
def evaluate(
    wild: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Photographs with human boxes, of which the test fifth is shown; may be repeated.",
        ),
        Use.READ,
    ] = None,
    held_out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="The same, all of whose photographs are shown, as no training saw any of them.",
        ),
        Use.READ,
    ] = None,
    wider: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="IMAGES LABELS", help="Photographs in WIDER FACE's own format, and their list."),
        Use.READ,
    ] = None,
    negatives: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Photographs without people: count false alarms."),
        Use.READ,
    ] = None,
    detector: Annotated[
        list[Path] | None,
        typer.Option(
            "--detector", metavar="FILE", help="face-n, face-p, or a YOLO face detector; may be repeated."
        ),
        Use.READ,
    ] = None,
    yunet: Annotated[
        Path | None,
        typer.Option("--yunet", metavar="FILE", help="YuNet, to stand beside and to propose landmarks."),
        Use.READ,
    ] = None,
    size: Annotated[list[int] | None, typer.Option(help="Long side of the input; may be repeated.")] = None,
    lfw: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="LFW's folder: count images without a face, compare landmarks."),
        Use.READ,
    ] = None,
    lfw_images: Annotated[
        int | None, typer.Option(min=1, help="A sample of so many of LFW's images instead of all.")
    ] = None,
    failures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Receives pictures of the worst misses and false alarms."),
        Use.FOLDER,
        Leaves(("*-missed.jpg", "*-false.jpg")),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Receives detector.json and the curves."),
        Use.FOLDER,
        Leaves(("detector.json", "detector-*.png")),
    ] = Path("runs/detector-evaluation"),
    cascade: Annotated[
        bool, typer.Option("--cascade/--first-stage", help="With the second stage, or the first alone.")
    ] = True,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Average precision, recall, landmarks and time, beside YuNet, on photographs no training saw."""
    from pipeline.commands.detector_report import Wanted, evaluate_on

    wanted = Wanted(
        wild or [],
        held_out or [],
        wider,
        negatives,
        detector or [Path("face-n")],
        yunet,
        size or [320, 480, 640],
        lfw,
        lfw_images,
        failures,
        cascade,
    )
    evaluate_on(wanted, out, as_json)
