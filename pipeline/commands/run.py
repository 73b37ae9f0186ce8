"""`recog run`: recognise people in a camera, file, folder, image or stream."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import (
    AsJson,
    Assignments,
    Blur,
    BlurStyle,
    ConfigFile,
    DetectorFile,
    EmbedderFile,
    GalleryFile,
    Mqtt,
    Overwrite,
)
from pipeline.commands.run_report import as_dict, report, shown_source
from pipeline.outputs.places import Use

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
        Use.READ,
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Annotated video (or image) to write; a folder for videos where there are several sources.",
        ),
        Use.CHECKED,
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option("--events", "-e", metavar="FILE", help="Append events as JSON lines."),
        Use.CHECKED,
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
    mqtt: Mqtt = None,
    snapshots: Annotated[
        Path | None,
        typer.Option("--snapshots", metavar="DIR", help="Keep one picture of each decided face there."),
        Use.CHECKED,
    ] = None,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help="Put small pictures into events.")] = False,
    tape: Annotated[
        Path | None,
        typer.Option("--tape", metavar="FILE", help="Keep embeddings there, to replay and search."),
        Use.CHECKED,
    ] = None,
    blur: Blur = None,
    blur_style: BlurStyle = None,
    overwrite: Overwrite = False,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Recognise the enrolled people in a video; everybody else stays unknown."""
    from pipeline.commands.display import heard, shown
    from pipeline.commands.shared import print_json, settings_from, with_blur, with_mqtt
    from pipeline.errors import SourceError
    from pipeline.outputs.home import camera_ids
    from pipeline.outputs.leftovers import left_behind
    from pipeline.outputs.outputs import Outputs
    from pipeline.recognition.engine import recognise

    settings = with_blur(settings_from(config, assignments, detector, model), blur, blur_style)
    settings = with_mqtt(settings, mqtt)
    specs = source or list(settings.run.sources)
    if not specs:
        raise typer.BadParameter("give at least one, or run.sources in a --config", param_hint="--source")
    outputs = Outputs(
        out,
        events,
        show,
        webhook,
        snapshots,
        thumbnails,
        tape,
        settings.keep,
        overwrite,
        settings.mqtt,
        camera_ids(specs)[0],
    )
    if settings.keep.people is not None:
        from pipeline.api import Recog

        with Recog.open(gallery, settings) as recog:
            recog.expire()
    if out is not None:
        for line in left_behind(out if len(specs) > 1 else out.parent):
            print(line, file=sys.stderr)
    if len(specs) > 1:
        endings = _several(specs, outputs, gallery, settings, as_json, delay)
    else:
        with shown(visible=not as_json) as progress:
            endings = [recognise(specs[0], outputs, gallery, settings, delay, *heard(as_json), progress)]
        if as_json:
            told = as_dict(endings[0], shown_source(specs[0]), outputs)
            print_json(told | {"sources": [told]})  # the list is as of several
        else:
            report(endings[0], out, events)
    if code := max(ended.exit_code for ended in endings):
        raise typer.Exit(code)
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

    from pipeline.commands.display import heard
    from pipeline.commands.shared import print_json
    from pipeline.outputs.home import camera_ids
    from pipeline.recognition.several import own_videos, recognise_all

    videos: list[Path] | list[None] = [None] * len(specs)
    if outputs.video is not None:
        videos = own_videos(outputs.video, specs)
    cameras = camera_ids(specs)
    each = [
        replace(outputs, video=video, camera=camera) for video, camera in zip(videos, cameras, strict=True)
    ]
    endings = recognise_all(specs, each, gallery, settings, delay, *heard(as_json))
    names = [shown_source(spec) for spec in specs]
    if as_json:
        rows = zip(endings, names, each, strict=True)
        print_json({"sources": [as_dict(*row) for row in rows]})
        return endings
    for name, ended, where in zip(names, endings, each, strict=True):
        print(f"{name}: ", end="")
        report(ended, where.video, where.events)
    return endings
