"""`recog enroll`: photographs of one person into the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import AsJson, Assignments, ConfigFile, DetectorFile, EmbedderFile, GalleryFile


def enroll(
    name: Annotated[str, typer.Option("--name", "-n", help="Who it is.")],
    images: Annotated[
        list[Path],
        typer.Option(
            "--images", "-i", metavar="PATH", help="A photo or a folder of photos; may be repeated."
        ),
    ],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="More photos or folders.")
    ] = None,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Enroll a person from photographs: detect, align, embed, store.

    Each photo is accepted or rejected with its reason. If none can be used, nothing is stored and the exit
    code is 1.
    """
    from gallery import check_name
    from pipeline import build
    from pipeline import enroll as enrolling
    from pipeline.commands.shared import print_json, progress, settings_from
    from pipeline.errors import SourceError

    name = check_name(name)
    settings = settings_from(config, assignments, detector, model)
    photos = enrolling.find_photos([*images, *(more or [])])
    embedder = build.embedder(settings)
    find = build.detector(settings.of_photographs())
    path = build.gallery_path(gallery)
    if path.exists():  # refuse a damaged or foreign gallery before any work
        build.gallery(path, embedder).close()
    outcomes = []
    with progress() as display:
        task = display.add_task(f"enrolling {name}", total=len(photos))
        for outcome in enrolling.look_at(photos, find, embedder, settings.enroll):
            outcomes.append(outcome)
            if not as_json:
                verdict = "accepted" if outcome.template else f"rejected: {outcome.reason}"
                print(f"{outcome.photo}: {verdict}")
            display.advance(task)
    templates = [outcome.template for outcome in outcomes if outcome.template is not None]
    if templates:
        with build.gallery(path, embedder, create=True) as people:
            added = people.add(name, templates)
            stored, duplicates, enrolled = added.stored, added.duplicates, people.people_count
    else:
        stored = duplicates = enrolled = 0
    if as_json:
        print_json(
            {
                "name": name,
                "gallery": str(path),
                "stored": stored,
                "duplicates": duplicates,
                "photos": [
                    {"photo": str(o.photo), "accepted": o.template is not None, "reason": o.reason or None}
                    for o in outcomes
                ],
            }
        )
    if not templates:
        raise SourceError(f"none of the {len(photos)} photos of {name} can be used; nothing was stored")
    if not as_json:
        again = f", {duplicates} already there" if duplicates else ""
        people_there = "1 person" if enrolled == 1 else f"{enrolled} people"
        print(f"{name}: {stored} of {len(photos)} photos stored{again}; {people_there} in {path}")
