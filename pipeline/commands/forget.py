"""`recog forget`: everything of a person, in one command, with a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import AsJson, Assignments, ConfigFile, EmbedderFile, GalleryFile, Name
from pipeline.outputs.places import Use
from pipeline.words import counted

if TYPE_CHECKING:
    from pipeline.outputs.forget import Known, Receipt


def forget(
    name: Name,
    tape: Annotated[
        list[Path] | None,
        typer.Option("--tape", "-t", metavar="FILE", help="A tape; may be repeated."),
        Use.READ,
    ] = None,
    events: Annotated[
        list[Path] | None,
        typer.Option("--events", "-e", metavar="FILE", help="A file of events; may be repeated."),
        Use.READ,
    ] = None,
    snapshots: Annotated[
        list[Path] | None,
        typer.Option("--snapshots", metavar="DIR", help="A folder of snapshots; may be repeated."),
        Use.READ,
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be erased, and change nothing.")
    ] = False,
    gallery: GalleryFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Erase a person from gallery, tapes, events, snapshots and the service, for good, with a receipt.

    Where runs with this gallery have written is known; name what was moved, or written before. Runs have to
    be ended first. Of somebody who is not enrolled any more, what bears the name goes. It cannot be undone.
    The receipt also says what is left for you to delete, and what others hold.
    """
    from dataclasses import replace

    from pipeline.api import Recog
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.outputs.forget import Left

    aside: list[Left] = []
    with Recog.open(gallery, settings_from(config, assignments, model=model)) as recog:

        def elsewhere(known: Known, erase: bool) -> Mapping[str, int]:
            from pipeline.service.store import store_path

            if not store_path(recog.path).exists():
                return {}
            from pipeline.service.forgetting import forget_in_store, unreadable

            if count := unreadable(recog.path, recog.model, known.dimension):
                groups = counted(count, "group")
                why = f"{groups} of faces put aside with another model, not searched: take theirs back"
                aside.append(Left("decisions", str(store_path(recog.path)), why))
            return forget_in_store(
                recog.path,
                known.person,
                known.names,
                known.tracks,
                recog.model,
                known.dimension,
                known.likely,
                erase,
            )

        receipt = recog.forget(
            name,
            tapes=tape or (),
            events=events or (),
            snapshots=snapshots or (),
            dry_run=dry_run,
            elsewhere=elsewhere,
        )
    receipt = replace(receipt, left=(*receipt.left, *aside))
    if as_json:
        print_json(receipt.as_dict())
    else:
        _tell(receipt)


def _tell(receipt: Receipt) -> None:
    done = "deleted" if receipt.done else "would be deleted"
    print(f"{receipt.name}: {'forgotten' if receipt.done else 'nothing was changed'}, {receipt.at}")
    embeddings = counted(receipt.templates, "embedding")
    if not receipt.templates:
        print(f"gallery     {receipt.gallery}: nobody of that name is enrolled")
    else:
        print(f"gallery     {receipt.gallery}: {embeddings}, {counted(receipt.crops, 'crop')} {done}")
    served = any(each.kind == "server" for each in receipt.others)
    if receipt.done and receipt.templates and not receipt.rewritten and not served:
        print("            another program is using it: the bytes are wiped when it is next opened")
    if receipt.tries:
        print(f"recog auth  {counted(receipt.tries, 'failure')} {done}")
    for tape in receipt.tapes:
        found = f"{counted(tape.looks, 'look')} of {counted(tape.tracks, 'track')}"
        print(f"tape        {tape.tape}: {found} {done}")
    for file in receipt.events:
        pictures = f" with {counted(file.thumbnails, 'thumbnail')}" if file.thumbnails else ""
        print(f"events      {file.path}: {counted(file.events, 'event')}{pictures} {done}")
        if file.rules:
            others = f"{counted(file.rules, 'event')} of others, which told whose faces were covered"
            print(f"            their name {done} in {others}")
    for folder in receipt.snapshots:
        print(f"snapshots   {folder.folder}: {counted(folder.pictures, 'picture')} {done}")
    for what, count in receipt.elsewhere.items():
        if count:
            print(f"service     {what}: {count} {done}")
    if receipt.left:
        print("not erased, for you to delete:")
        for each in receipt.left:
            print(f"    {each.kind:<10}  {each.where}: {each.why}")
    if receipt.others:
        print("out of reach:")
        for each in receipt.others:
            print(f"    {each.kind:<10}  {each.where}: {each.why}")
