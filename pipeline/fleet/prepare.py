"""What has to be so before an archive begins: its films, its models, its gallery."""

from __future__ import annotations

import os
from pathlib import Path

from gallery.address import is_server, secrets
from pipeline import build
from pipeline.config import Settings
from pipeline.errors import SourceError
from pipeline.fleet.jobs import Recipe
from pipeline.fleet.worker import made_with
from pipeline.outputs.places import check_folder
from pipeline.progress import Report, unheard
from pipeline.recognition.engine import models
from pipeline.sources.films import list_films


def films_below(folder: Path, out: Path) -> list[str]:
    """The films below a folder by their paths in it. The largest come first: they take long.

    Raises:
        SourceError: there are none, or a folder cannot be listed.
        SinkError: `out` cannot be written.
    """
    check_folder(out)
    films = list_films(folder, out)
    if not films:
        raise SourceError(f"{folder} holds no films, nor does any folder below it")
    films.sort(key=lambda path: -path.stat().st_size)
    return [os.fspath(path.relative_to(folder)) for path in films]


def recipe_of(
    folder: Path,
    out: Path,
    gallery: Path | None,
    settings: Settings,
    longest: float,
    workers: int | None,
    alone: bool = True,
    report: Report = unheard,
) -> tuple[Recipe, int]:
    """What is the same for all films, and how many workers this machine has room for.

    Models and gallery are opened once, so that what is wrong with them is said before anything is begun.

    Args:
        longest: seconds from which a film is cut; 0 for never.
        workers: how many are wanted; if None one a processor, or fewer where each is to have several threads
            (`runtime.threads`).
        alone: the workers share this machine; else each has as many threads as its settings say, or one.
        report: as for `pipeline.recognition.engine.recognise`.

    Raises:
        PipelineError, SiameseError, GalleryError: what the user can mend.
    """
    processors = build.threads(settings.model_copy(update={"runtime": type(settings.runtime)()}))
    threads = settings.runtime.threads
    count = workers or max(1, processors // (threads or 1))
    threads = threads or (max(1, processors // count) if alone else 1)
    settings = settings.model_copy(
        update={"runtime": settings.runtime.model_copy(update={"threads": threads})}
    )
    with models(gallery, settings, report) as made:
        chosen = made_with(made.embedder, made.detector, settings)
    people = None if gallery is None else build.gallery_path(gallery)
    server = people is not None and is_server(people)
    recipe = Recipe(
        folder.absolute(),
        out.absolute(),
        people if people is None or server else people.absolute(),
        settings,
        longest,
        secrets(people) if people is not None and server else {},
        chosen,
    )
    return recipe, count
