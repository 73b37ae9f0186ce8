"""`recog run`: recognise people in a camera, file, folder, image or stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.options import AsJson, Assignments, ConfigFile, DetectorFile, EmbedderFile, GalleryFile

if TYPE_CHECKING:
    from pipeline.engine import Ended


def run(
    source: Annotated[
        str, typer.Option("--source", "-s", help="Camera number, video, image, folder of images, or URL.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Annotated video (or image) to write.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", "-e", metavar="FILE", help="Append events as JSON lines.")
    ] = None,
    show: Annotated[
        bool | None, typer.Option("--show/--no-show", help="Show a window; by default for live sources.")
    ] = None,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Recognise the enrolled people in a video; everybody else stays unknown."""
    from pipeline.commands.shared import settings_from
    from pipeline.engine import Outputs, recognise
    from pipeline.errors import SourceError

    settings = settings_from(config, assignments, detector, model)
    ended = recognise(source, Outputs(out, events, show), gallery, settings, quiet=as_json)
    report(ended, out, events, as_json)
    if ended.interrupted:
        raise typer.Exit(130)
    if ended.complaint:
        raise SourceError(ended.complaint)


def report(ended: Ended, out: Path | None, events: Path | None, as_json: bool) -> None:
    """What the run amounted to, as a table or as JSON."""
    from pipeline.commands.shared import print_json

    values: dict[str, Any] = ended.summary.as_dict()
    values |= {"dropped": ended.dropped, "enrolled": ended.enrolled}
    if as_json:
        print_json(values | {"out": str(out) if out else None, "events": str(events) if events else None})
        return
    rate = f", {values['fps']:.1f} frames a second" if values["fps"] else ""
    lost = f", {ended.dropped} dropped" if ended.dropped else ""
    frames = "1 frame" if values["frames"] == 1 else f"{values['frames']} frames"
    print(f"{frames} in {values['seconds']:.1f} s{rate}{lost}")
    if values["people"]:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table("name", "first seen", "last seen", "frames", "confidence")
        for person in values["people"]:
            table.add_row(
                Text(person["name"]),
                f"{person['first_seconds']:.1f} s",
                f"{person['last_seconds']:.1f} s",
                str(person["frames"]),
                f"{min(person['confidence'], 0.999):.1%}",  # rounding must not claim certainty
            )
        Console().print(table)
    else:
        print("nobody was recognised")
    print(f"{values['unknown_tracks']} unknown, {values['undecided_tracks']} undecided")
    for path in (out, events):
        if path is not None:
            print(f"written: {path}")
