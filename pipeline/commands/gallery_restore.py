"""`recog gallery restore`: a backup, back in the gallery's place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import AsJson, GalleryFile, gallery_place
from pipeline.outputs.places import Use
from pipeline.words import counted, counted_people


def restore(
    backup: Annotated[
        Path,
        typer.Argument(metavar="BACKUP", help="What `backup` wrote; it stays.", parser=gallery_place),
        Use.READ,
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is in the gallery; that is lost.")
    ] = False,
    gallery: GalleryFile = None,
    as_json: AsJson = False,
) -> None:
    """Make the gallery what a backup of it is, also while a run or a service has it open; they follow.

    Nobody who was enrolled since is left. Whoever was removed since is back: remove them again.
    """
    from gallery import restoring
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json
    from pipeline.errors import SinkError

    path = gallery_path(gallery)
    restoring.check(backup, path)
    before = path.exists()
    if before and not overwrite:
        raise SinkError(
            f"{path} exists, and what is in it would be lost; keep a copy with recog gallery backup, then "
            "replace it with --overwrite"
        )
    done = restoring.restore(backup, path)
    if as_json:
        print_json(
            {"gallery": str(path), "backup": str(backup), "people": done.people, "photos": done.templates,
             "model": done.model, "erased": done.erased}
        )  # fmt: skip
        return
    print(f"restored: {path}, {counted_people(done.people)}, {counted(done.templates, 'photo')}")
    print(f"model: {done.model}; another one takes it over with: recog gallery migrate")
    if not done.erased:
        print("another program is using the gallery: what was in it is wiped when it is next opened")
    if before:
        print("whoever was removed after the backup was made is enrolled again; remove them again")
