"""`recog explain`: why an event says what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import Assignments, ConfigFile, EmbedderFile, GalleryFile, Overwrite, TapeFile
from pipeline.outputs.places import Use


def explain(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The `id` of an event.")],
    events: Annotated[
        Path,
        typer.Option("--events", "-e", metavar="FILE", help="What `recog run --events` wrote."),
        Use.READ,
    ],
    tape: TapeFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write a card (.png), for you only."),
        Use.NEW,
    ] = None,
    overwrite: Overwrite = False,
    gallery: GalleryFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Show why somebody was or was not recognised: looks, nearest people, scores, threshold."""
    from pipeline import build
    from pipeline.commands.shared import settings_from
    from pipeline.errors import SinkError
    from pipeline.outputs.ledger import Ledger
    from pipeline.outputs.video import ImageSink
    from pipeline.tapes.explain import card, find_event, sentences
    from pipeline.tapes.explain import explain as gather
    from pipeline.tapes.tape import Tape

    settings = settings_from(config, assignments, model=model)
    if out is not None and out.suffix.lower() != ".png":
        raise SinkError(f"{out}: a card is a .png")
    found = find_event(events, event)
    embedder = build.embedder(settings)
    with (
        Tape(tape, build.fingerprint(embedder)) as opened,
        build.gallery(gallery, embedder) as people,
    ):
        why = gather(found, opened, people, build.judge(people, embedder, settings))
    for line in sentences(why):
        print(line)
    if out is not None:
        with ImageSink(out, private=True) as sink:
            sink.write(card(why, settings.blur.style))
        Ledger(build.gallery_path(gallery)).note("picture", out)
        print(f"written: {out}")
