"""`recog gallery remove`: people and photos for good, and what tapes hold of a person."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import (
    AsJson,
    Assignments,
    ConfigFile,
    EmbedderFile,
    GalleryFile,
    Name,
    PhotoNumbers,
)
from pipeline.outputs.places import Use
from pipeline.words import counted

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.tapes.purge import Purged


def remove(
    name: Name,
    photo: PhotoNumbers = None,
    purge: Annotated[
        list[Path] | None,
        typer.Option("--purge", metavar="TAPE", help="Erase the person from this tape; may be repeated."),
        Use.READ,
    ] = None,
    gallery: GalleryFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Remove a person with all photos and embeddings, for good: no byte of them stays in the file.

    This is the one change that cannot be undone. The receipt says what was deleted.

    With --purge, tapes lose every look that is likelier of this person than of anybody else.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from gallery import Gallery
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json, settings_from

    if photo and purge:
        raise typer.BadParameter("tapes hold no photos: give --purge when you remove the whole person")
    path = gallery_path(gallery)
    settings = settings_from(config, assignments, model=model)
    with Gallery.open(path, None, None) as opened:
        wanted = None
        if photo is not None:
            ids = dict(enumerate(opened.photos(name), 1))
            wanted = [ids.get(number, 0) for number in photo]
        # First: once the person is gone from the gallery, nothing says any more which looks show them.
        purged = _purge(name, purge, path, settings) if purge else []
        removed = opened.remove(name, wanted)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    if as_json:
        print_json(
            {"name": name, "gallery": str(path), "at": at, "person": wanted is None,
             "photos": removed.templates, "crops": removed.crops, "erased": removed.erased,
             "remains": removed.remains,
             "tapes": [asdict(each) | {"tape": str(each.tape)} for each in purged]}
        )  # fmt: skip
        return
    whole = f"removed with {counted(removed.templates, 'photo')}" if wanted is None else "photos removed"
    print(f"{name}: {whole}")
    print(f"gallery     {path}")
    print(f"at          {at}")
    print(f"embeddings  {removed.templates} deleted, with what the history held of them")
    print(f"crops       {removed.crops} deleted")
    if removed.remains:
        print(f"server      {removed.remains}")
    elif removed.erased:
        print("file        rewritten: no byte of them is left in it; copies and exports are yours to delete")
    else:
        print("another program is using the gallery: the bytes are wiped when it is next opened")
    if wanted is None:
        print(f"runs        what they wrote is not touched: recog forget {shlex.quote(name)}")
    for each in purged:
        looks, tracks = counted(each.looks, "look"), counted(each.tracks, "track")
        found = f"{looks} of {tracks} deleted" if each.looks else "nothing of them found"
        print(f"tape        {each.tape}: {found}, the file rewritten")


def _purge(name: str, tapes: list[Path], path: Path, settings: Settings) -> list[Purged]:
    """Erase a person from tapes: all of them are read and found fit before the first is changed."""
    from gallery import check_name
    from pipeline import build
    from pipeline.tapes.purge import find, purge
    from pipeline.tapes.tape import Tape

    name = check_name(name)
    embedder = build.embedder(settings)
    with ExitStack() as stack:
        people = stack.enter_context(build.gallery(path, embedder))
        people.qualities(name)  # a name nobody has is refused first
        judge, opened = build.judge(people, embedder, settings), {}
        for tape in {each.resolve(): each for each in tapes}.values():
            one = stack.enter_context(Tape(tape, build.fingerprint(embedder), alone=True))
            one.check()
            opened[tape] = one, find(one, name, judge)
        return [purge(one, tape, found) for tape, (one, found) in opened.items()]
