"""`recog gallery log`, `undo` and `stats`: what was done, taking it back, and what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import AsJson, GalleryFile
from pipeline.words import counted, counted_people

if TYPE_CHECKING:
    from gallery import Change


def log(
    most: Annotated[int, typer.Option("--most", min=1, help="How many of the latest changes.")] = 20,
    gallery: GalleryFile = None,
    as_json: AsJson = False,
) -> None:
    """What was changed, newest first. People who were removed have no name here any more."""
    from dataclasses import asdict

    from gallery import Gallery
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json, print_table

    with Gallery.open(gallery_path(gallery), None, None) as opened:
        changes = opened.log(most)
    if as_json:
        print_json([asdict(change) for change in changes])
    elif changes:
        rows = [(each.at, describe(each), "undone" if each.undone else "") for each in changes]
        print_table(("when", "what", ""), rows)
    else:
        print("nothing was changed yet")


def undo(gallery: GalleryFile = None, as_json: AsJson = False) -> None:
    """Take back the last change. Again for the one before; a removal cannot be taken back."""
    from dataclasses import asdict

    from gallery import Gallery
    from pipeline.build import gallery_path
    from pipeline.commands.display import aside
    from pipeline.commands.shared import print_json

    with Gallery.open(gallery_path(gallery), None, None) as opened:
        change = opened.undo(aside)
    if as_json:
        print_json(None if change is None else asdict(change))
    else:
        print("there is nothing to undo" if change is None else f"undone: {describe(change)} ({change.at})")


def stats(gallery: GalleryFile = None, as_json: AsJson = False) -> None:
    """How much there is, of which model, and how large the file is."""
    from gallery import Gallery
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json

    path = gallery_path(gallery)
    with Gallery.open(path, None, None) as opened:
        counts = opened.stats()
    figures = {
        "gallery": str(path), "people": counts.people, "photos": counts.templates, "crops": counts.crops,
        "model": counts.fingerprint, "dimension": counts.dimension, "detectors": counts.detectors,
        "denied": counts.denials, "changes": counts.changes, "bytes": counts.size, "undo_bytes": counts.undo,
    }  # fmt: skip
    if as_json:
        print_json(figures)
        return
    held = f"{counted_people(counts.people)}, {counted(counts.templates, 'photo')}"
    print(f"{path}: {held}, {counts.crops:,} with a kept crop")
    print(f"model: {counts.fingerprint}, embeddings of {counts.dimension}")
    if counts.denials:
        whose = "whose it is not" if counts.denials == 1 else "whose they are not"
        print(f"denied: {counted(counts.denials, 'look')} of which somebody said {whose}")
    for name, count in counts.detectors.items():
        print(f"detector: {name or 'not recorded'}, {counted(count, 'photo')}")
    print(f"file: {counts.size / 1e6:,.1f} MB, of which {counts.undo / 1e6:,.1f} MB to undo with")
    print(f"changes: {counts.changes:,}; see them with: recog gallery log")


def describe(change: Change) -> str:
    """A change in words."""
    who = change.person or "somebody removed since"
    photos = counted(change.count, "photo")
    match change.action:
        case "rename":
            return f"renamed {who} to {change.other}" if change.undone is None else f"renamed {who}"
        case "merge":
            return f"merged {who} into {change.other or 'somebody removed since'}, {photos}"
        case "remove":
            return f"removed a person for good, {photos}"
        case "remove photos":
            return f"removed {photos} of {who} for good"
        case "set aside":
            return f"set aside {photos} of {who}"
        case "bring back":
            return f"brought back {photos} of {who}"
        case "migrate":
            return f"went over to another model, {photos}"
        case "deny":
            return f"said that somebody is not {who}, {photos.replace('photo', 'look')}"
        case "withdraw":
            return f"took back that somebody is not {who}"
        case "note":
            return "set notes (calibration)"
        case _:
            whose = f" of {change.person}" if change.person else ""
            return f"{change.action}ed {photos}{whose}"
