"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.outputs.places import Use


def gallery_place(text: str) -> Path:
    """A gallery's file, or a server's address without the password that may stand in it."""
    from gallery.address import place

    return place(text)


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="Settings (TOML); only what differs from the defaults."
    ),
    Use.READ,
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting; may be repeated."),
]
GalleryFile = Annotated[
    Path | None,
    typer.Option(
        "--gallery",
        "-g",
        metavar="FILE|URL",
        parser=gallery_place,
        help="Gallery file, by default ~/.local/share/recog/gallery.db; or postgresql://USER@HOST/DATABASE.",
    ),
    Use.READ,
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DetectorFile = Annotated[
    Path | None,
    typer.Option(
        "--detector",
        metavar="FILE|NAME",
        help="face-n, face-p, person (follows people), or a YOLO of faces or people (.onnx, .pt).",
    ),
    Use.READ,
]
EmbedderFile = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="NAME|FILE", help="An embedder that `recog models adopt` or `recog export` made."
    ),
    Use.READ,
]
Blur = Annotated[
    list[str] | None,
    typer.Option(
        "--blur",
        metavar="WHO",
        help="Cover faces in every picture: unknown, known, all, name:NAME, not:NAME. Whoever is not decided "
        "yet is covered, too. name: and not: may be repeated.",
    ),
]
BlurStyle = Annotated[
    str | None,
    typer.Option("--blur-style", metavar="STYLE", help="pixelated, blurred, or filled: nothing is left."),
]
Mqtt = Annotated[
    str | None,
    typer.Option(
        "--mqtt",
        metavar="URL",
        help="Tell Home Assistant who is seen: mqtt://user@host of its broker; the password goes into the "
        "variable RECOG_MQTT_PASSWORD, or into the file that mqtt.password_file names.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace output files that are there already.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before downloading.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Who it is about.")]
PhotoNumbers = Annotated[
    list[int] | None,
    typer.Option("--photo", min=1, help="Only this photo, by its number in `show`; may be repeated."),
]
PickFace = Annotated[
    str | None,
    typer.Option(
        "--pick", metavar="WHICH", help="Of several faces: largest, center, or a number from the left."
    ),
]
TapeFile = Annotated[
    Path, typer.Option("--tape", "-t", metavar="FILE", help="What `recog run --tape` wrote."), Use.READ
]
