"""`recog gallery consent`: what somebody has agreed to, and when."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.commands.options import AsJson, GalleryFile


def consent(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Who it is about; without, all.")] = None,
    note: Annotated[
        str | None,
        typer.Option("--note", metavar="TEXT", help="What they agreed to, and where that is kept."),
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="When; by default today.")
    ] = None,
    withdrawn: Annotated[
        bool, typer.Option("--withdrawn", help="Take the note away; the person stays enrolled.")
    ] = False,
    gallery: GalleryFile = None,
    as_json: AsJson = False,
) -> None:
    """Note what somebody has agreed to, and when; without --note, show who has and who has not."""
    from gallery import Gallery
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json, print_table
    from pipeline.identity.consent import Consent, noted, write

    if (note is not None or withdrawn) and name is None:
        raise typer.BadParameter("say who it is about", param_hint="NAME")
    if note is not None and withdrawn:
        raise typer.BadParameter("give --note or --withdrawn, not both")
    if date is not None and note is None:
        raise typer.BadParameter("goes with --note", param_hint="--date")
    with Gallery.open(gallery_path(gallery), None, None) as opened:
        if name is not None:
            opened.qualities(name)  # a name nobody has is refused first
        if note is not None or withdrawn:
            assert name is not None
            write(opened, name, None if note is None else Consent.of(note, date))
        known, people = noted(opened), [person.name for person in opened.people()]
    from gallery import check_name

    shown = people if name is None else [check_name(name)]
    if as_json:
        rows = [(each, known.get(each)) for each in shown]
        print_json([{"name": each, "consent": said and said.as_dict()} for each, said in rows])
        return
    none = Consent("", "none")
    told = [(each, known.get(each, none)) for each in shown]
    print_table(("name", "consent", "note"), [(each, said.date, said.note) for each, said in told])
