"""`recog identify`: who of the people enrolled is in a photograph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import AsJson, Assignments, ConfigFile, DetectorFile, EmbedderFile, GalleryFile
from pipeline.outputs.places import Use


def identify(
    photo: Annotated[Path, typer.Argument(help="A photo."), Use.READ],
    most: Annotated[int, typer.Option("--most", min=1, help="People to rank for each face.")] = 5,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Say who is in a photo: for each face, from the left, the likeliest people enrolled, and "unknown"."""
    from pipeline.api import Recog, State
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.errors import SourceError
    from pipeline.identity import guarantee
    from pipeline.identity.verify import shown_percent

    with (
        Recog.open(gallery, settings_from(config, assignments, detector, model)) as recog,
        recog.gallery() as people,  # opened once for all that is asked of it
    ):
        claim = recog.guarantee(people)
        found = recog.identify(photo, most, people)
        many = recog.hindrance(people)
        lapsed = guarantee.lapsed(people)
    if not found:
        raise SourceError(f"{photo}: no face found")
    if as_json:
        print_json(
            {
                "photo": str(photo),
                "faces": [each.as_dict() for each in found],
                "guarantee": None if claim is None else claim.as_dict(),
            }
        )
        return
    for line in (lapsed, many):
        if line:
            print(line)
    for number, each in enumerate(found, 1):
        face = f"face {number} of {len(found)}: " if len(found) > 1 else ""
        ranked = [(each.unknown, "unknown"), *((c.probability, c.name) for c in each.candidates)]
        ranked.sort(key=lambda pair: -pair[0])
        match each.state:
            case State.NAMED:
                verdict = str(each.name)
            case State.UNKNOWN:
                verdict = "unknown, nobody enrolled is near"
            case State.UNDECIDED:
                verdict = "cannot tell"
        print(f"{face}{verdict}")
        print("  " + ", ".join(f"{name} {shown_percent(chance)}" for chance, name in ranked))
        for flaw in each.probe.flaws:
            print(f"  the face is {flaw}: this is less sure than it would be with a better photo")
    if claim is not None:
        print(f"calibrated: {claim}")
