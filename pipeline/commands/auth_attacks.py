"""`recog auth test`: attack it yourself, with your own printer and phone, and have it counted."""

from __future__ import annotations

import sys
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


def attacks(
    name: Annotated[str, typer.Option("--name", "-n", help="Whom the attacks are to be taken for.")],
    species: Annotated[
        list[str],
        typer.Option(
            metavar="KIND",
            help="print, bent-print, screen, replay, cut-out, mask, somebody-else, genuine; may be repeated.",
        ),
    ],
    tries: Annotated[int, typer.Option(min=1, max=1000, help="Presentations of each kind.")] = 10,
    source: Annotated[
        str, typer.Option("--source", "-s", metavar="SOURCE", help="A camera; or a film of an attack.")
    ] = "0",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the figures (JSON)."), Use.NEW
    ] = None,
    timeout: Annotated[float, typer.Option(min=1.0, max=120.0, help="Seconds for each.")] = 15.0,
    allow_bent: Annotated[bool, typer.Option("--allow-bent", help="As for recog auth.")] = False,
    ask: Annotated[bool, typer.Option(help="Wait for Enter before each presentation.")] = True,
    overwrite: Overwrite = False,
    liveness_model: Annotated[
        Path | None,
        typer.Option("--liveness-model", metavar="FILE", help="As for recog auth."),
        Use.READ,
    ] = None,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Present attacks, or yourself, to your own camera, and report how many were accepted (ISO/IEC 30107-3).

    Judges as recog auth does, but lets nobody in, and no try counts.
    """
    from pipeline.authentication.report import SPECIES

    unknown = [each for each in species if each not in SPECIES]
    if unknown:
        raise typer.BadParameter(f"--species {unknown[0]}: there are {', '.join(SPECIES)}")
    import json

    from pipeline import build
    from pipeline.authentication.parts import parts, shown
    from pipeline.authentication.report import Tally, headline
    from pipeline.authentication.session import circumstances, judge
    from pipeline.commands.auth_parts import prompter, show_licence
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.outputs.private import private_file
    from pipeline.outputs.window import Window
    from pipeline.recognition.newest import newest
    from siamese.provenance import machine, versions

    settings = settings_from(config, assignments, detector, model)
    made = parts(settings, gallery, name, build.embedder(settings), liveness_model)
    show_licence(liveness_model, made.licence)
    known = circumstances(None, None, True, "not asked in a test", intended=True)
    tallies = [Tally(each) for each in dict.fromkeys(species)]
    for tally in tallies:
        print(f"{tally.species}: {SPECIES[tally.species]}", file=sys.stderr)
        for number in range(1, tries + 1):
            if ask:
                print(f"{tally.species} {number} of {tries}: press Enter", file=sys.stderr)
                if not sys.stdin.readline():
                    break
            with Window("recog auth test") as window, newest(source, settings) as frames:
                attempt, show = made.attempt(timeout, allow_bent), prompter(window)
                outcome = judge(
                    frames, made.watch, attempt, known, made.claimed.claim, None, shown(attempt, show)
                )
            tally.add(outcome)
            print(
                f"{'accepted' if outcome.verdict.accepted else 'refused'}: {outcome.verdict.why}",
                file=sys.stderr,
            )
    worst = headline(tallies)
    told = {
        "name": name,
        "source": source,
        "species": [tally.as_dict() for tally in tallies],
        "worst_species": None if worst is None else worst.species,
        "false_match_rate": str(made.claimed.claim),
        "versions": versions(),
        "machine": machine(),
    }
    if report is not None:
        with private_file(report) as file:
            file.write((json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())
    if as_json:
        print_json(told)
        return
    for tally in tallies:
        print(tally)
    print(made.claimed.claim)
    if report is not None:
        print(f"written: {report}")
