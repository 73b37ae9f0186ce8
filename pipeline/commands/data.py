"""`recog data`: the data to train on; `recog collect`: a person's own pictures from the webcam."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import AsJson, Assignments, ConfigFile, DetectorFile
from pipeline.outputs.places import Leaves, Use
from pipeline.words import counted, counted_people

if TYPE_CHECKING:
    from siamese.lfw.archive import Lfw

app = typer.Typer(help="Bring and prepare the data that the network is trained on.", no_args_is_help=True)

LfwFolder = Annotated[Path, typer.Option("--root", metavar="DIR", help="Where LFW is or shall be."), Use.READ]
LFW = Path("data/lfw")
WildFolder = Annotated[
    Path, typer.Option("--wild", metavar="DIR", help="Where `recog data wild` built its sets."), Use.READ
]
WILD = Path("data/wild")


@app.command("lfw")
def lfw(
    archive: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="lfw-deepfunneled.tgz that you have; without it, download."),
        Use.READ,
    ] = None,
    protocol: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with pairs.txt and the like, if not beside the archive."),
        Use.READ,
    ] = None,
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="Where LFW is or shall be."), Use.FOLDER, Leaves(())
    ] = LFW,
) -> None:
    """Bring Labeled Faces in the Wild: from your archive, or by download (about 110 MB). Done once.

    Its lists of pairs and people (0.4 MB) are downloaded where they lie neither beside the archive nor in
    --protocol.
    """
    found = _prepare(root, archive, protocol)
    done = "complete" if found.fresh else "already complete, nothing to do"
    print(f"{found.root}: {counted(found.images, 'image')} of {counted_people(found.people)}, {done}")


def bring_lfw(root: Path, archive: Path | None, yes: bool) -> None:
    """Make sure that LFW is in `root`: where it is not, from an archive, or by download after asking.

    The lists of pairs and people belong to it, and an archive has none.

    Raises:
        DataError: it is not there and cannot be had, or nobody can be asked.
    """
    import sys

    from siamese.errors import DataError
    from siamese.lfw.archive import lists_missing
    from siamese.lfw.files import FOLDER

    if (root / FOLDER).is_dir():
        return
    if archive is not None and not archive.is_file():
        raise DataError(f"{archive}: no such file; give --archive lfw-deepfunneled.tgz")
    missing = [] if archive is None else lists_missing(archive.parent, root)
    if not yes and (archive is None or missing):
        if archive is None:
            what, instead = (
                "LFW is not here",
                "say where it is with --root, give --archive lfw-deepfunneled.tgz",
            )
            size = "about 110 MB"
        else:
            what, instead = f"{', '.join(missing)} of LFW are not beside {archive}", "put them there"
            size = "0.4 MB"
        if not sys.stdin.isatty():
            raise DataError(f"{root}: {what}; {instead}, or --yes to download ({size})")
        if not typer.confirm(f"{root}: {what}. Download ({size})?", default=False):
            raise DataError("nothing was downloaded")
    _prepare(root, archive, None)


def _prepare(root: Path, archive: Path | None, protocol: Path | None) -> Lfw:
    """Bring LFW, and show how far it is."""
    from pipeline.commands.display import shown
    from siamese.lfw.archive import prepare

    with shown() as progress:
        return prepare(root, archive, protocol, progress)


@app.command("align")
def align(
    root: LfwFolder = LFW,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder of face photographs instead of LFW."),
        Use.READ,
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the crops go; by default ROOT/crops."),
        Use.FOLDER,
        Leaves(()),
    ] = None,
    detector: DetectorFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Detect and align the subject of every photograph, once, for training and evaluation."""
    from pipeline.commands.display import shown
    from pipeline.commands.shared import settings_from
    from pipeline.training.data import align_folder
    from siamese.lfw.files import FOLDER

    settings = settings_from(config, assignments, detector)
    target = out or (images or root) / "crops"
    with shown() as progress:
        crops = align_folder(
            images or root / FOLDER, target, settings, named=images is None, progress=progress
        )
    missed = int((~crops.found).sum())
    print(
        f"{target}: {counted(len(crops), 'face')} aligned; in {counted(missed, 'image')} none was found, "
        f"{'its' if missed == 1 else 'their'} centre stands in"
    )


@app.command("wild")
def wild(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Faces beyond LFW, aligned or not: a crop set; faces.csv with crops.zip; pictures with "
            "identity.txt, or in a folder for each person.",
        ),
        Use.READ,
    ],
    teacher: Annotated[
        list[str],
        typer.Option(
            metavar="FILE[,divisor=128]",
            help="An ONNX face embedder that judges who resembles whom; may be repeated.",
        ),
    ],
    root: LfwFolder = LFW,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Receives validation, test, cohort."),
        Use.FOLDER,
        Leaves(()),
    ] = WILD,
    hold_out: Annotated[
        str,
        typer.Option(
            metavar="view1|fold:N,...", help="Whose film frames may be in the sets, where LFW names them."
        ),
    ] = "fold:9,10",
    people: Annotated[int, typer.Option(min=2, help="At most so many people of each source.")] = 350,
    strangers: Annotated[int, typer.Option(min=0, help="Faces without a name to report on, at most.")] = 1200,
    cohort: Annotated[int, typer.Option(min=0, help="Faces without a name to set thresholds by.")] = 2700,
    detector: DetectorFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Set faces beyond press photographs aside, once and for good: for `evaluate --protocol wild` and more.

    Nobody in the sets is alike with anybody of LFW or another of them. `recog train --wild` leaves them
    out of what it learns from.
    """
    from pipeline.commands.display import shown
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.training.wild import Wanted, build_wild

    settings = settings_from(config, assignments, detector)
    wanted = Wanted(people, strangers, cohort)
    with shown() as progress:
        made = build_wild(folders, root, out, teacher, settings, hold_out, wanted, progress)
    if as_json:
        print_json(made)
        return
    for part, counts in made["sets"].items():
        print(
            f"{out / part}: {counted(counts['faces'], 'face')}, of {counted_people(counts['people'])} "
            f"with names and {counted(counts['strangers'], 'stranger')}"
        )
    for what, count in made.items():
        if "left out" in what:
            print(f"{what}: {count:,}")


@app.command("triplets")
def triplets(
    root: LfwFolder = LFW,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Receives anchor, positive, negative."),
        Use.FOLDER,
        Leaves(()),
    ] = Path("data"),
    count: Annotated[
        int | None, typer.Option(min=1, help="How many rows; by default one for each fitting image.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses the images.")] = 0,
) -> None:
    """Fill data/anchor, data/positive and data/negative from LFW, in the layout of the original project."""
    from pipeline.commands.display import progress
    from siamese.lfw.files import FOLDER, view1_split
    from siamese.lfw.triplets import make_triplets

    people, _ = view1_split(root)  # those that tests are made of stay out
    with progress() as display:
        task = display.add_task("triplets", total=count)
        made = make_triplets(
            root / FOLDER, out, count, seed, people=people,
            progress=lambda done, total: display.update(task, completed=done, total=total),
        )  # fmt: skip
    print(f"{out}: {counted(made, 'row')} in anchor, positive and negative")


def collect(
    source: Annotated[
        str, typer.Option("--source", "-s", help="Camera number, or any other source."), Use.READ
    ] = "0",
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Receives anchor and positive."),
        Use.FOLDER,
        Leaves(()),
    ] = Path("data"),
    show: Annotated[
        bool | None,
        typer.Option("--show/--no-show", help="Preview with keys; by default where there is a screen."),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Save on its own, anchors and positives by turns."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many of each.")] = None,
    as_json: AsJson = False,
) -> None:
    """Gather your own anchors and positives: a saves an anchor, p a positive, q ends."""
    from pipeline.commands.shared import print_json
    from pipeline.config import StreamSettings
    from pipeline.outputs.window import can_show
    from pipeline.sources.open import open_source
    from pipeline.training.collect import collect as gather

    with open_source(source, stream=StreamSettings(patience=10)) as frames:
        preview = can_show() if show is None and every is not None else show is not False
        counts = gather(frames, out, show=preview, every=every, limit=limit)
    if as_json:
        print_json(counts)
    else:
        print(f"{out}: {counts['anchor']} anchors and {counts['positive']} positives saved")
