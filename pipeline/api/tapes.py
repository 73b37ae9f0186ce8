"""What was seen, kept on a tape and asked again: record, search, explain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.api.pictures import Picture, probe
from pipeline.api.shared import Shared
from pipeline.config import KeepSettings
from pipeline.outputs.ledger import Ledger
from pipeline.recognition.past import Past
from pipeline.tapes import explain as explaining
from pipeline.tapes import replay
from pipeline.tapes.tape import Run, Tape
from pipeline.tapes.writer import TapeWriter
from pipeline.types import Image


def record(
    shared: Shared,
    tape: str | Path,
    run: str,
    source: str,
    *,
    live: bool,
    keep: KeepSettings | None,
    erased: Callable[[int], bool],
) -> TapeWriter:
    """As `Recog.record`."""
    embedder = shared.embedder()
    begun = Run(run, source, datetime.now(UTC).isoformat(timespec="seconds"), live)
    kept = shared.settings.keep if keep is None else keep
    writer = TapeWriter(Path(tape), begun, shared.model(), embedder.dimension, kept, erased)
    Ledger(shared.path).note("tape", tape)
    return writer


def search(
    shared: Shared, tape: Path, picture: Picture, pick: str | None
) -> tuple[list[replay.Sighting], float]:
    """As `Recog.search`."""
    wanted, embedder = probe(shared, picture, pick), shared.embedder()
    with Tape(tape, shared.model()) as opened:
        return replay.search(opened, wanted.embedding, embedder.calibration, shared.settings.evidence)


def explain(
    shared: Shared, tape: Path, run: str, track: int, told: Mapping[str, Any], picture: Image | None
) -> explaining.Explanation:
    """As `Recog.explain`."""
    kind = {"named": "recognised", "unknown": "unknown"}.get(told["state"], "undecided")
    event = {**told, "id": f"{run}-{track}", "track": track, "event": kind, "snapshot": ""}
    event |= {"blur": shared.settings.blur.who}
    with closing(Tape(tape, shared.model())) as opened, shared.gallery() as people:
        found = explaining.explain(event, opened, people, shared.judge(people))
    return replace(found, snapshot=picture)


def past(shared: Shared, tape: Path) -> Past:
    """As `Recog.past`."""
    return Past(tape, shared.path, shared.embedder(), shared.settings)
