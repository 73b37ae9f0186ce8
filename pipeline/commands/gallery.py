"""`recog gallery`: who is enrolled, and removing them."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.commands.options import AsJson, GalleryFile

app = typer.Typer(help="List and remove the people who are enrolled.", no_args_is_help=True)


@app.command("list")
def list_people(gallery: GalleryFile = None, as_json: AsJson = False) -> None:
    """Who is enrolled, with how many photos, and since when."""
    from gallery import Gallery
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json

    with Gallery.open(gallery_path(gallery), None, None) as opened:
        people = opened.people()
    if as_json:
        print_json(
            [
                {"name": p.name, "photos": p.templates, "added": p.added, "last_added": p.last_added}
                for p in people
            ]
        )
        return
    if not people:
        print("nobody is enrolled")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "photos", "added")
    for person in people:
        table.add_row(Text(person.name), str(person.templates), person.added)
    Console().print(table)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="Who is to be removed.")],
    gallery: GalleryFile = None,
    as_json: AsJson = False,
) -> None:
    """Remove a person with all photos and embeddings, for good: no byte of them stays in the file."""
    from gallery import Gallery
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json

    with Gallery.open(gallery_path(gallery), None, None) as opened:
        removed = opened.remove(name)
    if as_json:
        print_json({"name": name, "photos": removed.templates, "erased": removed.erased})
        return
    print(f"{name}: removed with {removed.templates} photos")
    if not removed.erased:
        print("another program is using the gallery: the bytes are wiped when it is next opened")
