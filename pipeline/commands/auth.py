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
    from pipeline.api import Authentication, Recog
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
AllowBent = Annotated[
    bool,
    typer.Option(
        "--allow-bent",
        help="Do not ask that the nose be seen to stand out in every direction: that refuses bent prints, "
        "but some people, too; see docs/security.md.",
    ),
]
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
    allow_bent: AllowBent = False,
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
    from pipeline.api import ERRORS, Recog
    from pipeline.commands.shared import print_json, settings_from

    try:
        with Recog.open(gallery, settings_from(config, assignments, detector, model)) as recog:
            outcome = _tried(
                recog, name, source, timeout, intent, allow_remote, allow_bent, rehearsal, liveness_model
            )
    except ERRORS as error:
        why = " ".join(str(error).split())
        if as_json:
            print_json({"accepted": False, "tried": False, "why": why})
        print(f"recog: not tried: {why}", file=sys.stderr)
        raise typer.Exit(NOT_TRIED) from error
    if as_json:
        print_json({"tried": True, "rehearsal": rehearsal} | outcome.as_dict())
    else:
        _print(outcome)
    raise typer.Exit(ACCEPTED if outcome.accepted else REFUSED)


def _print(outcome: Authentication) -> None:
    if outcome.rehearsal:
        would = "would be accepted" if outcome.verdict.accepted else "would be refused"
        print(f"refused, as this is a rehearsal; a live camera {would}: {outcome.verdict.why}")
    else:
        print(f"{'accepted' if outcome.verdict.accepted else 'refused'}: {outcome.verdict.why}")
    if outcome.claim is not None:
        print(outcome.claim)


def _tried(
    recog: Recog,
    name: str,
    source: str,
    timeout: float,
    intent: str,
    allow_remote: bool,
    allow_bent: bool,
    rehearsal: bool,
    liveness_model: Path | None,
) -> Authentication:
    """The outcome of one attempt. Raises `pipeline.api.ERRORS` where none can be made."""
    from pipeline.commands.auth_parts import prompter, show_licence
    from pipeline.errors import SourceError
    from pipeline.outputs.window import Window, can_show

    with Window("recog auth", enabled=not rehearsal) as window:

        def intended(frames: Iterator[Frame]) -> bool:
            if intent == "none" or rehearsal:
                return True
            if sys.stdin.isatty():
                print(f"press Enter to let {name} in", file=sys.stderr)
                return bool(sys.stdin.readline())
            if not can_show():
                raise SourceError("no key can be pressed here; the caller may say --intent none")
            return _pressed(frames, window)

        return recog.authenticate(
            name,
            source,
            intended=intended,
            timeout=timeout,
            allow_remote=allow_remote,
            allow_bent=allow_bent,
            rehearsal=rehearsal,
            liveness_model=liveness_model,
            licensed=lambda licence: show_licence(liveness_model, licence),
            show=prompter(window),
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
