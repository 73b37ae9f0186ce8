"""`recog enroll`: people into the gallery, from photographs, a film, a camera, or folders of photographs."""

from __future__ import annotations

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
    PickFace,
)
from pipeline.outputs.places import Use

if TYPE_CHECKING:
    from pipeline.commands.enroll_report import Report
    from pipeline.enrolment.enroller import Enroller
    from pipeline.enrolment.photos import Looker, Outcome
    from siamese.cohort import Cohort

SheetFile = Annotated[
    Path | None,
    typer.Option("--sheet", metavar="FILE", help="Write a contact sheet of what was accepted."),
    Use.NEW,
]


def enroll(
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Photos, or folders of photos."), Use.READ
    ] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Who it is.")] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            "--images", "-i", metavar="PATH", help="A photo or a folder of photos; may be repeated."
        ),
        Use.READ,
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A film of one person: the best, most different looks."),
        Use.READ,
    ] = None,
    webcam: Annotated[
        bool, typer.Option("--webcam", help="A camera, with guidance: straight ahead, left, right.")
    ] = False,
    camera: Annotated[str, typer.Option(help="Which camera, for --webcam."), Use.READ] = "0",
    people: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Many people: a folder of photos for each, named so."),
        Use.READ,
    ] = None,
    pick: PickFace = None,
    force: Annotated[
        bool, typer.Option("--force", help="Store photos that look like somebody else as well.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; store nothing.")] = False,
    no_crops: Annotated[
        bool,
        typer.Option("--no-crops", help="Keep no face pictures; another model then needs the photos again."),
    ] = False,
    sheet: SheetFile = None,
    overwrite: Overwrite = False,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Enroll people: detect, align, embed, check, store.

    Each photo is accepted, rejected, known already, or held back because it looks like somebody else, and
    says why. If none can be used, nothing is stored and the exit code is 1.
    """
    from pipeline.commands.enroll_report import Report
    from pipeline.commands.shared import settings_from
    from pipeline.faces.choose import parse_pick
    from pipeline.sources.images import unused

    photos = [*(images or []), *(more or [])]
    if sum((bool(photos), video is not None, webcam, people is not None)) != 1:
        raise typer.BadParameter("give one of: photos or folders of them, --video, --webcam, --people")
    if name is None and people is None:
        raise typer.BadParameter("say who it is with --name")
    if name is not None and people is not None:
        raise typer.BadParameter("--people takes the names of its folders; leave --name out")
    from gallery import check_new_name
    from pipeline import build

    name = None if name is None else check_new_name(name)
    chosen = parse_pick(pick)
    settings = settings_from(config, assignments, detector, model)
    threads = build.threads(settings)
    single = build.single_threaded(settings)  # photographs are looked at side by side
    embedder = build.embedder(single if photos or people else settings)
    report = Report(build.gallery_path(gallery), dry_run=dry_run, as_json=as_json, sheet=sheet)
    # A damaged or foreign gallery is refused before any work.
    with build.enroller(gallery, embedder, force=force, dry_run=dry_run, crops=not no_crops) as enroller:
        if people is not None:
            looker = build.looker(single, embedder, chosen, quick=True)
            strangers = build.cohort(settings, embedder)
            calibrated = _enroll_people(people, looker, threads, enroller, report, strangers)
            report.all(people, enroller.enrolled, calibrated)
            return
        assert name is not None
        if photos:
            report.passed_over([each for folder in photos if folder.is_dir() for each in unused(folder)])
            outcomes = _from_photos(name, photos, build.looker(single, embedder, chosen), threads)
        elif video is not None:
            outcomes = _from_video(video, build.looker(settings, embedder, chosen, photographs=False))
        else:
            looker = build.looker(settings, embedder, chosen, photographs=False)
            outcomes = _from_webcam(camera, looker, quiet=as_json)
        person = enroller.enroll(name, outcomes)
        report.one(person, enroller.enrolled, enroller.keep_guarantee(build.cohort(settings, embedder)))


def _from_photos(name: str, paths: list[Path], looker: Looker, threads: int) -> list[Outcome]:
    from pipeline.commands.display import progress
    from pipeline.enrolment.photos import find_photos, look_at

    photos, outcomes = find_photos(paths), []
    with progress() as display:
        task = display.add_task(f"enrolling {name}", total=len(photos))
        for outcome in look_at(photos, looker, threads):
            outcomes.append(outcome)
            display.advance(task)
    return outcomes


def _from_video(video: Path, looker: Looker) -> list[Outcome]:
    from pipeline.commands.display import progress
    from pipeline.enrolment.film import from_film
    from pipeline.errors import SourceError
    from pipeline.sources.open import open_source

    if not video.is_file():
        raise SourceError(f"{video} does not exist, or is no file")
    with open_source(str(video)) as film, progress() as display:
        task = display.add_task(f"watching {video.name}", total=film.frame_count)
        return from_film(film, looker, lambda frames: display.update(task, completed=frames))


def _from_webcam(camera: str, looker: Looker, quiet: bool) -> list[Outcome]:
    from pipeline.config import StreamSettings
    from pipeline.enrolment.camera import from_camera
    from pipeline.outputs.window import Window
    from pipeline.sources.open import open_source

    with (
        open_source(camera, stream=StreamSettings(patience=10), report=print) as frames,
        Window("recog enroll") as window,
    ):
        return from_camera(frames, looker, window, report=(lambda words: None) if quiet else print)


def _enroll_people(
    root: Path, looker: Looker, threads: int, enroller: Enroller, report: Report, strangers: Cohort | None
) -> str:
    """Enroll everybody; what became of the gallery's calibration, in a line."""
    from pipeline.commands.display import progress
    from pipeline.enrolment.people import find_people, look_at_people
    from pipeline.identity.guarantee import GROWTH

    folders = find_people(root)
    calibrated, new = "", 0
    with progress() as display:
        task = display.add_task("enrolling people", total=sum(len(folder.photos) for folder in folders))
        for folder, outcomes in look_at_people(folders, looker, threads):
            report.passed_over(folder.unused)
            report.add(enroller.enroll(folder.name, outcomes), folder.refused)
            display.advance(task, len(folder.photos))
            new += 1
            if new >= GROWTH * enroller.enrolled:  # not only at the end: cameras rely on it meanwhile
                calibrated, new = enroller.keep_guarantee(strangers) or calibrated, 0
    return enroller.keep_guarantee(strangers) or calibrated
