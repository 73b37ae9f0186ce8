"""`recog fleet`: cameras on the machines of a Ray cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import AsJson, Assignments, ConfigFile, DetectorFile, EmbedderFile, Mqtt
from pipeline.outputs.places import Use

app = typer.Typer(help="Watch cameras on many machines, with Ray.", rich_markup_mode=None)
FleetFile = Annotated[
    Path, typer.Argument(metavar="FLEET.TOML", help="Which cameras, and what each needs."), Use.READ
]


@app.command()
def run(
    fleet: FleetFile,
    ray: Annotated[
        str,
        typer.Option("--ray", metavar="ADDRESS", help="The cluster: auto, or ray://HOST:10001."),
    ] = "auto",
    mqtt: Mqtt = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Watch all cameras of a file, each on a machine with room for it; events and looks come to one place.

    A camera whose machine is lost is begun again on another. Frames stay where they are decoded.
    """
    from pipeline.commands.shared import settings_from, with_mqtt
    from pipeline.fleet.drive import Drive
    from pipeline.fleet.plan import read_fleet
    from pipeline.fleet.told import Told
    from pipeline.outputs.home import check_home
    from siamese.interrupt import stop_requested

    settings = with_mqtt(settings_from(config, assignments, detector, model), mqtt)
    check_home(settings.mqtt)
    plan = read_fleet(fleet)

    def say(line: str) -> None:
        print(line, flush=True)

    with (
        stop_requested() as asked,
        Drive(plan, settings, ray) as drive,
        Told(plan, settings, say) as told,
    ):
        drive.run(told, asked.is_set, lambda text: print(text, file=sys.stderr))
    if asked.exit_code:
        raise typer.Exit(asked.exit_code)


@app.command()
def status(fleet: FleetFile, as_json: AsJson = False) -> None:
    """How each camera of a fleet is: where, since when, how fast, and how often it was begun again."""
    from pipeline.commands.shared import print_json, print_table
    from pipeline.fleet.plan import read_fleet
    from pipeline.fleet.told import is_stale, read_state

    values = read_state(read_fleet(fleet).out)
    if as_json:
        print_json(values)
        return
    columns = ("name", "state", "machine", "since", "fps", "dropped", "restarts", "detail")
    rows = [
        each | {"since": each["since"].removesuffix("+00:00").replace("T", " ")} for each in values["cameras"]
    ]
    print_table(columns, [["" if each[c] is None else each[c] for c in columns] for each in rows])
    ended = any(each["state"] != "ended" for each in values["cameras"]) and is_stale(values)
    print(
        f"as of {values['at']}"
        + (": nothing was heard since, recog fleet run may have ended" if ended else "")
    )
