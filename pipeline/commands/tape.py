"""`recog replay` and `recog search`: what a tape says, decided again or asked for somebody."""

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
    PickFace,
    TapeFile,
)
from pipeline.outputs.places import Use
from pipeline.words import counted


def replay(
    tape: TapeFile,
    gallery: GalleryFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Decide again who was seen, with other settings or another gallery; no video is needed."""
    from dataclasses import asdict

    from pipeline import build
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.tapes.replay import replay as decide_again
    from pipeline.tapes.tape import Tape
    from pipeline.types import State

    settings = settings_from(config, assignments, model=model)
    embedder = build.embedder(settings)
    people = build.people(gallery, embedder)
    try:
        with Tape(tape, build.fingerprint(embedder)) as opened:
            decided = decide_again(opened, build.judge(people, embedder, settings))
    finally:
        people.close()
    if as_json:
        rows = []
        for each in decided:
            identity = asdict(each.identity) | {"state": each.identity.state.value}
            rows.append({"source": each.source, **asdict(each.track), **identity, "looks": each.looks})
        print_json({"tracks": rows})
        return
    named = [each for each in decided if each.identity.state is State.NAMED]
    if named:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table("source", "name", "first seen", "last seen", "looks", "confidence")
        for each in sorted(named, key=lambda one: (one.source, one.track.first_seconds)):
            table.add_row(
                Text(each.source),
                Text(each.identity.name or ""),
                f"{each.track.first_seconds:.1f} s",
                f"{each.track.last_seconds:.1f} s",
                str(each.looks),
                f"{min(each.identity.confidence, 0.999):.1%}",  # rounding must not claim certainty
            )
        Console().print(table)
    else:
        print("nobody was recognised")
    unknown = sum(each.identity.state is State.UNKNOWN for each in decided)
    print(f"{counted(unknown, 'track')} unknown, {len(decided) - len(named) - unknown} undecided")


def search(
    image: Annotated[
        Path, typer.Option("--image", "-i", metavar="FILE", help="A picture of one face."), Use.READ
    ],
    tape: TapeFile,
    pick: PickFace = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many tracks.")] = 10,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Was this person here before? The tracks of a tape, nearest first, with calibrated scores."""
    from dataclasses import asdict

    from pipeline import build
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.faces.choose import parse_pick
    from pipeline.sources.images import read_photo
    from pipeline.tapes.replay import search as search_tape
    from pipeline.tapes.tape import Tape

    chosen = parse_pick(pick)
    settings = settings_from(config, assignments, detector, model)
    embedder = build.embedder(settings)
    with Tape(tape, build.fingerprint(embedder)) as opened:
        probe = build.examiner(settings, embedder).probe(read_photo(image), str(image), chosen)
        found, chance = search_tape(opened, probe.embedding, embedder.calibration, settings.evidence)
    bound = 1 - settings.evidence.target_fpir
    if as_json:
        rows = [
            {"source": each.source, "started": each.started, **asdict(each.track), "looks": each.looks,
             "llr": round(each.llr, 3), "probability": round(each.probability, 4)}
            for each in found[:limit]
        ]  # fmt: skip
        print_json({"here_before": chance >= bound, "probability": round(chance, 4),
                    "tracks": rows, "searched": len(found)})  # fmt: skip
        return
    if not found:
        print("the tape holds no looks")
        return
    if chance >= bound:
        print(f"yes, with probability {min(chance, 0.999):.1%}")
    else:
        print(f"no such person was decided on; probability {chance:.1%} (a yes needs {bound:.1%})")
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("source", "run begun", "first seen", "last seen", "looks", "evidence", "probability")
    for each in found[:limit]:
        table.add_row(
            Text(each.source),
            each.started,
            each.track.first_taken or f"{each.track.first_seconds:.1f} s",
            each.track.last_taken or f"{each.track.last_seconds:.1f} s",
            str(each.looks),
            f"{each.llr:+.1f}",
            f"{min(each.probability, 0.999):.1%}",
        )
    Console().print(table)
