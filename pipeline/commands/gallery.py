"""`recog gallery`: who is enrolled, renaming and merging them; the other commands have files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands import (
    gallery_consent,
    gallery_encryption,
    gallery_exchange,
    gallery_history,
    gallery_remove,
    gallery_restore,
    gallery_upkeep,
)
from pipeline.commands.options import AsJson, GalleryFile, Name, Overwrite, PhotoNumbers
from pipeline.outputs.places import Use
from pipeline.words import counted

app = typer.Typer(help="See, correct and look after who is enrolled.", no_args_is_help=True)


@app.command("list")
def list_people(gallery: GalleryFile = None, as_json: AsJson = False) -> None:
    """Who is enrolled, with how many photos, and since when."""
    from gallery import Gallery
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json, print_table

    with Gallery.open(gallery_path(gallery), None, None) as opened:
        people = opened.people()
    if as_json:
        print_json(
            [
                {"name": p.name, "photos": p.templates, "aside": p.aside, "added": p.added,
                 "last_added": p.last_added}
                for p in people
            ]
        )  # fmt: skip
    elif people:
        print_table(("name", "photos", "added"), [(p.name, p.templates, p.added) for p in people])
    else:
        print("nobody is enrolled")


@app.command("show")
def show(
    name: Name,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The contact sheet (.png, .jpg); by default NAME.png."
        ),
        Use.NEW,
    ] = None,
    overwrite: Overwrite = False,
    gallery: GalleryFile = None,
    as_json: AsJson = False,
) -> None:
    """The photos of a person: a table, and a contact sheet of the kept crops."""
    from gallery import Gallery, check_name
    from pipeline.build import gallery_path
    from pipeline.commands.gallery_sheet import write_person_sheet
    from pipeline.commands.shared import print_json, print_table
    from pipeline.outputs.ledger import Ledger
    from pipeline.outputs.places import Output, check_outputs

    with Gallery.open(gallery_path(gallery), None, None) as opened:
        photos = list(opened.templates(name, aside=True))
    if out is not None or not as_json:
        out = out or Path(f"{check_name(name)}.png")
        check_outputs([Output(out)], [gallery_path(gallery)], overwrite)  # the name may be our own choice
        write_person_sheet(photos, out)
        Ledger(gallery_path(gallery)).note("picture", out)
    if as_json:
        print_json(
            {
                "name": check_name(name),
                "sheet": str(out) if out else None,
                "photos": [
                    {"photo": number, "quality": round(p.quality, 3), "origin": p.origin, "added": p.added,
                     "crop": p.crop is not None, "aside": p.aside, "detector": p.detector,
                     "details": p.details}
                    for number, p in enumerate(photos, 1)
                ],
            }
        )  # fmt: skip
        return
    rows = [
        (number, f"{p.quality:.2f}", p.origin, p.added, "set aside" if p.aside else "")
        for number, p in enumerate(photos, 1)
    ]
    some = any(p.aside for p in photos)
    print_table(
        ("photo", "quality", "from", "added", *([""] if some else [])),
        [row if some else row[:-1] for row in rows],
    )
    print(f"written: {out}")


@app.command("rename")
def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name from now on.")],
    gallery: GalleryFile = None,
) -> None:
    """Give a person another name."""
    from gallery import Gallery
    from pipeline.build import gallery_path

    with Gallery.open(gallery_path(gallery), None, None) as opened:
        opened.rename(name, new)
    print(f"{name} is now {new}")


@app.command("merge")
def merge(
    name: Name,
    into: Annotated[str, typer.Argument(metavar="INTO", help="Who they are in truth; this name stays.")],
    gallery: GalleryFile = None,
) -> None:
    """Make one person of two who are the same."""
    from gallery import Gallery
    from pipeline.build import gallery_path

    with Gallery.open(gallery_path(gallery), None, None) as opened:
        merged = opened.merge(name, into)
    again = f"; {merged.duplicates} were there already" if merged.duplicates else ""
    print(f"{name} is now {into}, with {counted(merged.moved, 'more photo')}{again}")


@app.command("aside")
def aside(
    name: Name,
    photo: PhotoNumbers = None,
    back: Annotated[bool, typer.Option("--back", help="Bring back what was set aside.")] = False,
    gallery: GalleryFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep photos, but recognise nobody by them. --back brings them back; so does `undo`."""
    from gallery import Gallery
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json

    with Gallery.open(gallery_path(gallery), None, None) as opened:
        ids = opened.photos(name)
        numbered = dict(enumerate(ids, 1))
        wanted = ids if photo is None else [numbered.get(number, 0) for number in photo]
        changed = opened.set_aside(name, wanted, not back)
        left = len(opened.photos(name, aside=False))
    if as_json:
        print_json({"name": name, "aside": not back, "photos": changed, "searched": left})
        return
    done = "brought back" if back else "set aside"
    print(f"{name}: {changed} {done}; recognised by {left} of {counted(len(ids), 'photo')}")


app.command("remove")(gallery_remove.remove)
app.command("check")(gallery_upkeep.check)
app.command("migrate")(gallery_upkeep.migrate)
app.command("backup")(gallery_upkeep.backup)
app.command("restore")(gallery_restore.restore)
app.command("copy")(gallery_upkeep.copy)
app.command("log")(gallery_history.log)
app.command("undo")(gallery_history.undo)
app.command("stats")(gallery_history.stats)
app.command("export")(gallery_exchange.export)
app.command("import")(gallery_exchange.import_)
app.command("encrypt")(gallery_encryption.encrypt)
app.command("decrypt")(gallery_encryption.decrypt)
app.command("consent")(gallery_consent.consent)
