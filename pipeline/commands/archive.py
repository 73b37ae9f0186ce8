"""`recog archive`: every film below a folder becomes a tape and events."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import (
    AsJson,
    Assignments,
    ConfigFile,
    DetectorFile,
    EmbedderFile,
    GalleryFile,
    Overwrite,
)
from pipeline.outputs.places import Leaves, Use
from pipeline.words import counted

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipeline.fleet.archive import Archived
    from pipeline.fleet.crew import Crew
    from pipeline.fleet.jobs import Recipe


def archive(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with films, also in folders below it."), Use.READ
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Folder for a tape and events of each film."),
        Use.FOLDER,
        Leaves(()),
    ],
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="ADDRESS",
            help="Work on a Ray cluster: auto for the one that this machine is in, or ray://HOST:10001.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, max=1024, help="How many at once; by default one a processor."),
    ] = None,
    pieces: Annotated[
        float,
        typer.Option(
            "--pieces",
            metavar="MINUTES",
            min=0,
            help="Films longer than that are cut where the picture changes, and the pieces recognised side "
            "by side; 0 for never.",
        ),
    ] = 10.0,
    overwrite: Overwrite = False,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Make a tape and events of every film below a folder, on all processors or on a Ray cluster.

    What is done is not done again: a film is known by its content, whatever it is called. After Ctrl-C, a
    crash or a power cut the same command goes on where it was. A film that fails does not stop the others: it
    is told in the end, with exit code 1.
    """
    from pipeline.build import gallery_path
    from pipeline.commands.display import heard, shown
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.fleet.archive import Archive
    from pipeline.fleet.prepare import films_below, recipe_of
    from pipeline.fleet.records import Records
    from pipeline.outputs.ledger import Ledger
    from siamese.interrupt import stop_requested

    settings = settings_from(config, assignments, detector, model)
    films = films_below(folder, out)
    report, warn = heard(as_json)
    recipe, count = recipe_of(
        folder, out, gallery, settings, pieces * 60, workers, alone=ray is None, report=report
    )
    with Records(out) as records:
        ledger = Ledger(gallery_path(gallery))
        ledger.note("archive", out, warn)
        with ledger.writing(), shown(visible=not as_json) as progress, stop_requested() as asked:
            job = Archive(recipe, films, records, overwrite, warn, progress)
            with _crew(recipe, ray, count, workers) as crew:
                ended = job.run(crew, asked.is_set)
    for trace in ended.traces.values():
        print(trace, file=sys.stderr)
    if as_json:
        print_json(ended.as_dict() | {"out": str(out)})
    else:
        _tell(ended, out)
    if ended.interrupted:
        raise typer.Exit(asked.exit_code or 130)
    if ended.failed or ended.complaints:
        raise typer.Exit(1)


def _crew(recipe: Recipe, ray: str | None, count: int, most: int | None) -> AbstractContextManager[Crew]:
    if ray is None:
        from pipeline.fleet.crew import Processes

        return Processes(recipe, count)
    from pipeline.fleet.cluster import Actors

    return Actors(recipe, ray, most)


def _tell(ended: Archived, out: Path) -> None:
    """What it amounted to, in lines."""
    said = [f"{len(ended.done)} done"]
    said += [f"{len(ended.before)} done before"] if ended.before else []
    said += [f"{len(ended.same)} of the same content as another"] if ended.same else []
    said += [f"{len(ended.failed)} failed"] if ended.failed else []
    print(f"{counted(ended.films, 'film')}: {', '.join(said)}; tapes and events are in {out}")
    if ended.seconds and ended.frames:
        times, frames = ended.film_seconds / ended.seconds, counted(ended.frames, "frame")
        print(
            f"{_long(ended.film_seconds)} of film ({frames}) in {_long(ended.seconds)}, "
            f"{times:.1f} times as fast as they play"
        )
    if ended.died:
        print(f"workers that were lost: {ended.died}; what they had was done by others")
    for film, other in ended.same.items():
        print(f"{film}: the same film as {other}")
    for film, why in ended.complaints.items():
        print(f"{film}: {why}")
    for film, why in ended.failed.items():
        print(f"{film}: failed: {why}")
    if ended.interrupted:
        print("interrupted; the same command goes on from here")


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
