"""`recog bench`: how fast a run is here, and where the time goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import (
    AsJson,
    Assignments,
    ConfigFile,
    DetectorFile,
    EmbedderFile,
    GalleryFile,
    Overwrite,
)
from pipeline.outputs.places import Use
from pipeline.words import counted


def bench(
    source: Annotated[Path, typer.Option("--source", "-s", metavar="FILE", help="A video file."), Use.READ],
    frames: Annotated[
        int | None, typer.Option("--frames", min=1, help="Repeat the video until so many have come.")
    ] = None,
    live: Annotated[
        float | None,
        typer.Option("--live", min=1, metavar="FPS", help="Play it as a camera would, which does not wait."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the annotated video meanwhile."),
        Use.NEW,
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write everything measured, as JSON."),
        Use.NEW,
    ] = None,
    overwrite: Overwrite = False,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Measure a run: frames a second, time by stage, dropped frames, delay, memory."""
    import json

    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.errors import SinkError
    from pipeline.outputs.file import check_place
    from pipeline.outputs.ledger import Ledger
    from pipeline.outputs.video import check_output
    from pipeline.recognition.bench import Wanted
    from pipeline.recognition.bench import bench as measure
    from pipeline.sources.open import open_source

    settings = settings_from(config, assignments, detector, model)
    if out is not None:
        check_output(out, str(source))
    if report is not None:
        check_place(report)
    with open_source(str(source)) as film:
        count = frames or film.frame_count or sum(1 for _ in film)
    values = measure(Wanted(source, count, live, out), gallery, settings)
    if out is not None:
        Ledger(gallery_path(gallery)).note("video", out)
    if report is not None:
        try:
            report.write_text(json.dumps(values, indent=2) + "\n")
        except OSError as error:
            raise SinkError(f"cannot write {report}: {error.strerror}") from error
    if as_json:
        print_json(values)
        return
    from rich.console import Console
    from rich.table import Table

    lost = f", {values['dropped']} dropped" if live else ""
    print(
        f"{counted(values['frames'], 'frame')} in {values['seconds']:.1f} s, "
        f"{values['fps']:.1f} a second{lost}; "
        f"first after {values['first_frame_seconds']:.1f} s; at most {values['peak_memory_mib']:.0f} MiB"
    )
    table = Table("milliseconds", "median", "95 %")
    delay = {"delay, capture to overlay": values["delay_ms"]} if values["delay_ms"] else {}
    for stage, figures in (values["stages_ms"] | delay).items():
        table.add_row(stage, f"{figures['median']:.2f}", f"{figures['p95']:.2f}")
    Console().print(table)
