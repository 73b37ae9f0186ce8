"""`recog doctor`: whether everything is as it should be here, and what to do where it is not."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.commands.options import (
    AsJson,
    Assignments,
    ConfigFile,
    DetectorFile,
    EmbedderFile,
    GalleryFile,
)
from pipeline.outputs.places import Use


def doctor(
    source: Annotated[
        list[str] | None,
        typer.Option("--source", "-s", help="Also read a picture of this source; may be repeated."),
        Use.READ,
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Check and measure devices that were checked before, too.")
    ] = False,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Check models, devices, gallery, cameras, codecs, clock and disk; exit code 1 if one is to mend."""
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.doctor.checkup import check_up
    from pipeline.recognition.bench import environment

    settings = settings_from(config, assignments, detector, model)
    specs = source or list(settings.run.sources)
    devices: list[dict[str, Any]] = []
    found = []
    for each in check_up(settings, gallery, specs, again, devices):
        found.append(each)
        if not as_json:
            print(f"{each.state:4}  {each.area:8} {each.said}", flush=True)
            if each.todo:
                print(f"{'':15}-> {each.todo}", flush=True)
    broken = sum(each.state == "mend" for each in found)
    if as_json:
        print_json(
            {
                "ok": not broken,
                "findings": [each.as_dict() for each in found],
                "devices": [_finite(each) for each in devices],
                "environment": environment(),
            }
        )
    else:
        print("nothing has to be mended" if not broken else f"{broken} to mend")
    if broken:
        raise typer.Exit(1)


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """The same with null for what was not measured: JSON has no NaN."""
    return {key: None if value != value or value == float("inf") else value for key, value in values.items()}
