"""`recog auth`: is the person before the camera the one enrolled under a name, alive and asking for it?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands import auth_attacks
from pipeline.commands.options import AsJson, Assignments, ConfigFile, DetectorFile, EmbedderFile, GalleryFile
from pipeline.outputs.places import Use

if TYPE_CHECKING:
    from pipeline.authentication.session import Outcome
    from pipeline.config import Settings
    from pipeline.outputs.window import Window
    from pipeline.types import Frame

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
app.command("test")(auth_attacks.attacks)

ACCEPTED, REFUSED, NOT_TRIED = 0, 1, 2

LivenessModel = Annotated[
    Path | None,
    typer.Option(
        "--liveness-model", metavar="FILE", help="An anti-spoofing model (.onnx); it may only deny."
    ),
    Use.READ,
]
Camera = Annotated[str, typer.Option("--source", "-s", metavar="CAMERA", help="A camera of this machine.")]
Timeout = Annotated[float, typer.Option(min=1.0, max=120.0, help="Seconds for everything.")]


@app.callback()
def auth(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Who it is said to be.")] = None,
    source: Camera = "0",
    timeout: Timeout = 15.0,
    intent: Annotated[
        str, typer.Option(metavar="key|none", help="A key must be pressed; none where the caller knows.")
    ] = "key",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Also in a session from afar (SSH); see docs/security.md.")
    ] = False,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="Judge a recording: no try counts, and nobody is accepted.")
    ] = False,
    liveness_model: LivenessModel = None,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Let one person in by the face: a live head that answers a random challenge, and is that person in
    every frame.

    Exit code 0: accepted. 1: refused. 2: it could not be tried (no camera, nobody of that name, no gallery).
    Refuses in doubt. What it withstands and what it does not: docs/security.md.
    """
    from pipeline.commands.shared import left_to_subcommand

    if left_to_subcommand(context):
        return
    if name is None:
        raise typer.BadParameter("say who it is: --name NAME")
    if intent not in ("key", "none"):
        raise typer.BadParameter("--intent is key or none")
    from pipeline.api import ERRORS
    from pipeline.commands.shared import print_json, settings_from

    try:
        settings = settings_from(config, assignments, detector, model)
        outcome = _tried(
            settings, gallery, name, source, timeout, intent, allow_remote, rehearsal, liveness_model
        )
    except ERRORS as error:
        why = " ".join(str(error).split())
        if as_json:
            print_json({"accepted": False, "tried": False, "why": why})
        print(f"recog: not tried: {why}", file=sys.stderr)
        raise typer.Exit(NOT_TRIED) from error
    accepted = outcome.verdict.accepted and not rehearsal
    if as_json:
        print_json({"tried": True, "rehearsal": rehearsal} | outcome.as_dict() | {"accepted": accepted})
    else:
        _print(outcome, rehearsal)
    raise typer.Exit(ACCEPTED if accepted else REFUSED)


def _print(outcome: Outcome, rehearsal: bool) -> None:
    if rehearsal:
        would = "would be accepted" if outcome.verdict.accepted else "would be refused"
        print(f"refused, as this is a rehearsal; a live camera {would}: {outcome.verdict.why}")
    else:
        print(f"{'accepted' if outcome.verdict.accepted else 'refused'}: {outcome.verdict.why}")
    if outcome.claim is not None:
        print(outcome.claim)


def _tried(
    settings: Settings,
    gallery: Path | None,
    name: str,
    source: str,
    timeout: float,
    intent: str,
    allow_remote: bool,
    rehearsal: bool,
    liveness_model: Path | None,
) -> Outcome:
    """The outcome of one attempt. Raises `pipeline.api.ERRORS` where none can be made."""
    from pipeline import build
    from pipeline.authentication.place import remote
    from pipeline.authentication.session import circumstances, judge, refused_before
    from pipeline.authentication.tries import Tries, tries_path
    from pipeline.commands.auth_parts import opened, parts, prompter
    from pipeline.errors import SourceError
    from pipeline.outputs.window import Window, can_show
    from pipeline.sources.devices import device

    made = parts(settings, gallery, name, liveness_model)
    tries = Tries(tries_path(build.gallery_path(gallery)), name)
    found = device(source)
    if rehearsal and found.real:
        raise SourceError("--rehearsal is for recordings; leave it out for a camera")
    if found.missing:
        raise SourceError(f"{found.why}; see which there are: recog doctor")
    afar = None if allow_remote else remote()
    with tries.held():
        known = circumstances(
            None if rehearsal else tries.refusal(), afar, found.real or rehearsal, found.why, intended=True
        )
        if (outcome := refused_before(known)) is not None:
            return outcome
        keyed = intent == "key" and not rehearsal
        if keyed and not sys.stdin.isatty() and not can_show():
            raise SourceError("no key can be pressed here; the caller may say --intent none")
        if keyed and sys.stdin.isatty():
            print(f"press Enter to let {name} in", file=sys.stderr)
            if not sys.stdin.readline():
                raise SourceError("no key was pressed")
            keyed = False
        with Window("recog auth", enabled=not rehearsal) as window, opened(source, settings) as frames:
            if keyed and not _pressed(frames, window):
                raise SourceError("no key was pressed")
            attempt = made.attempt(timeout)
            return judge(
                frames,
                made.watch,
                attempt,
                known,
                made.claimed.claim,
                None if rehearsal else tries,
                prompter(attempt, window),
            )


def _pressed(frames: Iterator[Frame], window: Window) -> bool:
    """Wait for a key in the window; False where it was closed or the camera ended."""
    from pipeline.enrolment.guide import preview

    for frame in frames:
        key: Any = window.show(preview(frame.image, "press a key to begin", 0.0, 0, 1))
        if window.closed:
            return False
        if key is not None:
            return True
    return False
