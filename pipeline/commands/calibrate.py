"""`recog calibrate`: a threshold with a bound on how many strangers are given a name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.data import LFW, LfwFolder
from pipeline.commands.options import (
    AsJson,
    Assignments,
    ConfigFile,
    DetectorFile,
    EmbedderFile,
    GalleryFile,
    Overwrite,
)
from pipeline.outputs.places import Use
from pipeline.words import counted, counted_people

if TYPE_CHECKING:
    from pipeline.identity.calibrate import Calibrated

app = typer.Typer(invoke_without_command=True, help="Set the gallery's threshold, with a guarantee.")


@app.callback()
def calibrate(
    context: typer.Context,
    target_fpir: Annotated[
        str, typer.Option("--target-fpir", metavar="SHARE", help="Of strangers who may be named: 1%, 0.001.")
    ] = "1%",
    strangers: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Photos of your own strangers, each of somebody else."),
        Use.READ,
    ] = None,
    cohort: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The model's strangers; by default beside the model."),
        Use.READ,
    ] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Shift each person's distances by how near strangers come.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the distances, as a picture."), Use.NEW
    ] = None,
    overwrite: Overwrite = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would be; store nothing.")] = False,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Choose the threshold by which at most so many strangers are given a name, and store it in the gallery.

    It is found with people whom the model never saw, and with --strangers of your own, and refused where they
    are too few for the claim. `recog run` then uses and shows it; docs/guarantee.md says what it means.
    """
    from pipeline.commands.shared import left_to_subcommand

    if left_to_subcommand(context):
        return
    import numpy as np

    from pipeline import build
    from pipeline.commands.shared import settings_from
    from pipeline.enrolment.photos import look_at
    from pipeline.enrolment.strangers import PICK, different_people, find_strangers
    from pipeline.enrolment.vetting import copy_distance
    from pipeline.identity.calibrate import calibrate as find
    from pipeline.identity.calibrate import keep
    from pipeline.identity.guarantee import own_threshold
    from pipeline.outputs.video import ImageSink
    from siamese.cohort import cohort_path, read

    target = parse_share(target_fpir)
    settings = build.single_threaded(settings_from(config, assignments, detector, model))
    picture = None if plot is None else ImageSink(plot)  # refused now rather than after the work
    embedder = build.embedder(settings)
    with build.gallery(gallery, embedder) as people:
        if not dry_run:
            people.must_write()  # said before the work
        known = read(cohort or cohort_path(build.embedder_path(settings)), embedder.digest)
        own, photos = np.zeros((0, embedder.dimension), np.float32), []
        if strangers is not None:
            looker = build.looker(settings, embedder, PICK)
            photos = list(look_at(find_strangers(strangers), looker, build.threads(settings)))
            own, _ = different_people(photos, embedder)
        copy = copy_distance(embedder.calibration)
        made = find(people, known.one_each, own, target, copy, normalise, known.kinds_each)
        if not dry_run:
            keep(people, made.guarantee, own, undoable=True)
    if picture is not None:
        from pipeline.drawing.distances import draw_distances

        claim = made.guarantee
        labels = (
            f"strangers, to the nearest person ({claim.strangers})",
            f"photos, to the person's others ({claim.tried}, {claim.recognised} recognised)",
        )
        with picture as sink:
            sink.write(draw_distances(made.strangers, made.genuine, claim.distance, str(claim), labels))
    without = own_threshold(embedder.calibration, settings.evidence, made.guarantee.people)
    _tell(made, without, known.source, len(photos), len(own), plot, dry_run, as_json)


@app.command("cohort")
def cohort(
    root: LfwFolder = LFW,
    people: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Names, one a line, instead of those held out for validation."),
        Use.READ,
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A crop set (`recog data align`) of further strangers; whoever has no name there counts as "
            "somebody else than all others. May be repeated.",
        ),
        Use.READ,
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="By default beside the model."), Use.NEW
    ] = None,
    overwrite: Overwrite = False,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Make a model's strangers: embeddings, no images, of LFW's people whom it was validated on.

    They took no part in training, and are not among those on whom figures are reported.
    """
    from pipeline import build
    from pipeline.commands.display import shown
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.outputs.places import Output, check_outputs
    from pipeline.training.cohort import build_cohort
    from siamese.cohort import cohort_path

    settings = settings_from(config, assignments, detector, model)
    path = out or cohort_path(build.embedder_path(settings))
    check_outputs([Output(path)], [build.embedder_path(settings)], overwrite)
    with shown() as progress:
        made = build_cohort(build.embedder(settings), root, path, settings, people, also or [], progress)
    count = len(made.one_each)
    if as_json:
        print_json({"out": str(path), "people": count, "faces": len(made.people), "source": made.source})
    else:
        faces, named = counted(len(made.people), "face"), counted_people(count)
        print(f"{path}: {faces} of {named} ({made.source})")


def parse_share(text: str) -> float:
    """A share of strangers: `0.1%` or `0.001`.

    Raises:
        ConfigError: it is none between 0 and a half.
    """
    from pipeline.errors import ConfigError

    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 0.5:
        raise ConfigError(f"--target-fpir {text}: give a share under a half, such as 0.1% or 0.001")
    return share


def _tell(
    made: Calibrated,
    without: float | None,
    source: str,
    photos: int,
    own: int,
    plot: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    from gallery.calibration import lower_bound
    from pipeline.commands.shared import print_json

    claim = made.guarantee
    least = lower_bound(claim.recognised, claim.tried) if claim.tried else None
    if as_json:
        values = {name: value for name, value in claim.as_dict().items() if name != "format"}
        print_json(
            values
            | {
                "offsets": dict(claim.offsets),
                "distance_uncalibrated": without,
                "cohort": source, "own_photos": photos, "own_strangers": own,
                "recognised_at_least": least,
                "close": [{"first": o.first, "second": o.second, "distance": o.distance} for o in
                made.overlaps],
                "kinds": [
                    {"name": kind.name, "tried": kind.tried, "named": kind.named,
                     "over_target": kind.exceeds(claim.target)} for kind in made.kinds
                ],
                "plot": str(plot) if plot else None, "stored": not dry_run,
            }
        )  # fmt: skip
        return
    print(f"{'would be stored' if dry_run else 'stored'}: {claim}")
    tried = counted(claim.strangers, "stranger")
    print(f"threshold {claim.distance:.3f}; {claim.named} of {tried} tried are within it")
    if without is not None and claim.distance > without:
        print(
            f"that is looser than without a calibration ({without:.3f}): it names more of your people, and "
            "more strangers; a smaller --target-fpir is stricter"
        )
    yours = f"; {counted_people(own)} in your {counted(photos, 'photo')}" if photos else ""
    print(f"strangers: {source}{yours}")
    if len(made.kinds) > 1:
        print(f"of them within it, by where they are from: {', '.join(map(str, made.kinds))}")
    for doubt in claim.doubts():
        print(f"{doubt}: if yours are like them, choose a smaller --target-fpir")
    if least is None:
        print("nobody has two photos, so how many of the enrolled are recognised cannot be said")
    else:
        print(
            f"of {counted(claim.tried, 'photo')}, each tried against the person's others, "
            f"{claim.recognised} are recognised ({claim.recognised / claim.tried:.1%}; at least {least:.1%}, "
            f"{claim.confidence:.0%} sure)"
        )
    for overlap in made.overlaps:
        print(f"{overlap.first} and {overlap.second} are close: a photo of the first is within the threshold "
              f"of the second ({overlap.distance:.2f})")  # fmt: skip
    if plot is not None:
        print(f"written: {plot}")
