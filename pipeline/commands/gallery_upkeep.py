"""`recog gallery check`, `migrate` and `backup`: what is wrong, another model, and a copy to be safe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import (
    AsJson,
    Assignments,
    ConfigFile,
    EmbedderFile,
    GalleryFile,
    gallery_place,
)
from pipeline.outputs.places import Use
from pipeline.words import counted, counted_people


def check(
    gallery: GalleryFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Look for two people who are one, one person who is two, photos that do not fit, and poor photos.

    Nothing is changed: each finding names the command that would. Whether it is right, you see best.
    """
    from dataclasses import asdict

    from gallery.check import check as look
    from pipeline import build
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.faces.quality import least

    settings = settings_from(config, assignments, model=model)
    embedder = build.embedder(settings)
    with build.gallery(gallery, embedder) as opened:
        findings = look(opened, embedder.calibration.extrapolated, least(settings.enroll))
    if as_json:
        print_json([asdict(finding) for finding in findings])
        return
    for finding in findings:
        print(f"{finding.kind}: {finding.text}")
        print(f"    {finding.advice}")
    print(f"{counted(len(findings), 'finding')}; nothing was changed" if findings else "nothing found")


def migrate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Take out photos without a kept crop; undo brings them back.")
    ] = False,
    gallery: GalleryFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Bring a gallery over to another model: embed the kept crops again, all in one step or not at all."""
    from gallery import Gallery
    from pipeline import build
    from pipeline.commands.display import aside, progress
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.enrolment import reembed

    embedder = build.embedder(settings_from(config, assignments, model=model))
    path = build.gallery_path(gallery)
    with Gallery.open(path, None, None) as opened:
        planned = reembed.plan(opened, build.fingerprint(embedder))
        done = planned.needed and not dry_run
        if done:
            opened.must_write()  # said before the work
            with progress() as display:
                task = display.add_task("embedding", total=len(planned.embeddable))
                reembed.migrate(
                    opened, planned, embedder, embedder.dimension, leave_out,
                    lambda count: display.advance(task, count), aside,
                )  # fmt: skip
    if as_json:
        print_json(
            {"gallery": str(path), "before": planned.before, "after": planned.after, "needed": planned.needed,
             "embedded": len(planned.embeddable), "without_crop": len(planned.missing), "done": done}
        )  # fmt: skip
    elif not planned.needed:
        print(f"{path}: made with {planned.before}, the model in use; nothing to do")
    else:
        would = "would be " if dry_run else ""
        print(f"{path}: from {planned.before} to {planned.after}")
        from_crops = "its crop" if len(planned.embeddable) == 1 else "their crops"
        print(f"{counted(len(planned.embeddable), 'photo')} {would}embedded again from {from_crops}")
        if planned.missing:
            fate = "left out" if leave_out or done else "in the way, unless --leave-out is given"
            print(f"{counted(len(planned.missing), 'photo')} without a kept crop {would}{fate}")
        if planned.denied or planned.denied_missing:
            looks = counted(len(planned.denied), "look")
            again = f"{looks} of whom somebody is not {would}embedded again"
            print(
                again
                + (f", {planned.denied_missing} without a crop left out" if planned.denied_missing else "")
            )
        if done:
            print("undo with: recog gallery undo; calibrate again with: recog calibrate")


def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The copy to make; its mode is 0600."), Use.CHECKED
    ],
    gallery: GalleryFile = None,
    as_json: AsJson = False,
) -> None:
    """Copy the gallery into a new file, whole and checked, even while others write to it.

    A copy made with cp may lack what was written last, or be of no use at all. Nothing is ever replaced.
    """
    from gallery import Gallery
    from gallery.address import is_server
    from gallery.sealed import is_sealed
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json
    from pipeline.outputs.ledger import Ledger

    path = gallery_path(gallery)
    with Gallery.open(path, None, None) as opened:
        people, photos = opened.back_up(file)
    Ledger(path).note("backup", file)
    size = file.stat().st_size
    if as_json:
        print_json(
            {"gallery": str(path), "backup": str(file), "people": people, "photos": photos, "bytes": size}
        )
        return
    held = f"{counted_people(people)}, {counted(photos, 'photo')}"
    print(f"written: {file}, {held}, {size / 1e6:,.1f} MB; read back and whole")
    guarded = "encrypted as the gallery is" if is_sealed(file) else "not encrypted: keep it to yourself"
    print(f"it is {guarded}; restore it with: recog gallery restore")
    if is_server(path):
        print("it is a file that recog opens by itself; the server's own are made with: pg_dump -n recog")


def copy(
    source: Annotated[
        Path, typer.Argument(metavar="FROM", help="A gallery's file or URL.", parser=gallery_place), Use.READ
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="TO", help="A new file, or a database's URL.", parser=gallery_place),
        Use.CHECKED,
    ],
    as_json: AsJson = False,
) -> None:
    """Copy a gallery from file to PostgreSQL server, back, or to another file: all of it, with its history.

    The source stays as it is, and nothing is ever replaced. Runs that follow the source go on following it.
    """
    from gallery.transfer import copy as transfer
    from pipeline.build import gallery_path
    from pipeline.commands.display import aside, shown
    from pipeline.commands.shared import print_json
    from pipeline.outputs.ledger import Ledger

    one, other = gallery_path(source), gallery_path(target)
    with shown(visible=not as_json) as progress:
        people, photos = transfer(one, other, aside, progress)
    Ledger(one).note("backup", other)
    if as_json:
        print_json({"from": str(one), "to": str(other), "people": people, "photos": photos})
        return
    held = f"{counted_people(people)}, {counted(photos, 'photo')}"
    print(f"copied: {held}, from {one} to {other}")
