"""`recog run`: recognise people in a camera, file, folder, image or stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.options import AsJson, Assignments, ConfigFile, DetectorFile, EmbedderFile, GalleryFile

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.outputs.outputs import Outputs
    from pipeline.recognition.engine import Ended


def run(
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            "-s",
            help="Camera number, video, image, folder of images, or URL; may be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Annotated video (or image) to write; a folder for videos where there are several sources.",
        ),
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", "-e", metavar="FILE", help="Append events as JSON lines.")
    ] = None,
    show: Annotated[
        bool | None, typer.Option("--show/--no-show", help="Show a window; by default for live sources.")
    ] = None,
    delay: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="Hold frames back so that names reach them; by default 0 if live, as needed for files.",
        ),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Post each event there as JSON.")
    ] = None,
    snapshots: Annotated[
        Path | None,
        typer.Option("--snapshots", metavar="DIR", help="Keep one picture of each decided face there."),
    ] = None,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help="Put small pictures into events.")] = False,
    tape: Annotated[
        Path | None,
        typer.Option("--tape", metavar="FILE", help="Keep embeddings there, to replay and search."),
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
    from pipeline.errors import SourceError
    from pipeline.outputs.outputs import Outputs
    from pipeline.recognition.engine import recognise

    settings = settings_from(config, assignments, detector, model)
    outputs = Outputs(out, events, show, webhook, snapshots, thumbnails, tape)
    specs = source or list(settings.run.sources)
    if not specs:
        raise typer.BadParameter("give at least one, or run.sources in a --config", param_hint="--source")
    if len(specs) > 1:
        endings = _several(specs, outputs, gallery, settings, as_json, delay)
    else:
        endings = [recognise(specs[0], outputs, gallery, settings, as_json, delay)]
        report(endings[0], out, events, as_json)
    if any(ended.interrupted for ended in endings):
        raise typer.Exit(130)
    if complaints := [ended.complaint for ended in endings if ended.complaint]:
        raise SourceError("; ".join(complaints))


def _several(
    specs: list[str],
    outputs: Outputs,
    gallery: Path | None,
    settings: Settings,
    as_json: bool,
    delay: float | None,
) -> list[Ended]:
    """Run over several sources, and say of each what its run amounted to."""
    from dataclasses import replace

    from pipeline.commands.shared import print_json
    from pipeline.recognition.several import own_videos, recognise_all
    from pipeline.sources.streams import shown_address

    videos: list[Path] | list[None] = [None] * len(specs)
    if outputs.video is not None:
        videos = own_videos(outputs.video, specs)
    each = [replace(outputs, video=video) for video in videos]
    endings = recognise_all(specs, each, gallery, settings, as_json, delay)
    names = [shown_address(spec) if "://" in spec else spec for spec in specs]
    if as_json:
        rows = zip(names, endings, each, strict=True)
        print_json({"sources": [{"source": name} | _values(ended, where) for name, ended, where in rows]})
        return endings
    for name, ended, where in zip(names, endings, each, strict=True):
        print(f"{name}: ", end="")
        report(ended, where.video, where.events, as_json=False)
    return endings


def _values(ended: Ended, outputs: Outputs) -> dict[str, Any]:
    """What a run amounted to, for JSON."""
    where = {"out": outputs.video, "events": outputs.events}
    counts = {"dropped": ended.dropped, "enrolled": ended.enrolled, "complaint": ended.complaint}
    return (
        ended.summary.as_dict() | counts | {key: str(path) if path else None for key, path in where.items()}
    )


def report(ended: Ended, out: Path | None, events: Path | None, as_json: bool) -> None:
    """What the run amounted to, as a table or as JSON."""
    from pipeline.commands.shared import print_json

    values: dict[str, Any] = ended.summary.as_dict()
    values |= {"dropped": ended.dropped, "enrolled": ended.enrolled, "notes": list(ended.notes)}
    values |= {"guarantee": None if ended.guarantee is None else ended.guarantee.as_dict()}
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
            print(f"written: {path}{_codec_of(path) if path is out else ''}")
    for note in ended.notes:
        print(note)


def _codec_of(path: Path) -> str:
    """A hint, where a better codec could be had."""
    from pipeline.outputs.encoders import H264_SUFFIXES, has_h264

    if path.suffix.lower() not in H264_SUFFIXES or has_h264():
        return ""
    return " (MPEG-4, without sound; for H.264, which browsers play: pip install 'recog[h264]')"
