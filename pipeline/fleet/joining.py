"""Parts of a film put together: its events and its tape are those of a run over the whole.

Tracks are numbered on from part to part. A track that was in view at the end of a part has left when it would
have been noticed to: a second later, among the events of the next part.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.outputs.events import PATIENCE
from pipeline.outputs.private import private_file


def join_events(
    parts: Sequence[Path], last: Sequence[int], times: Sequence[float], run: str, out: Path
) -> list[int]:
    """Write the events of a film, and tell by how much the tracks of each part are to be moved on.

    Args:
        parts: events of each part, in order.
        last: the highest number of a track on the tape of each: somebody may be gone from its events.
        times: seconds of every frame of the film.
        run: its id.

    Raises:
        SinkError: `out` cannot be written.
    """
    moved, told = [0], list[dict[str, Any]]()
    for path, taped in zip(parts, last, strict=True):
        events = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
        told += [event | {"track": event["track"] + moved[-1]} for event in events]
        moved.append(moved[-1] + 1 + max([taped, *(event["track"] for event in events)]))
    told.sort(key=lambda event: _noticed(event, times))  # stable: those of a frame stay in their order
    with private_file(out) as file:
        for number, event in enumerate(told, 1):
            line = json.dumps(event | {"id": f"{run}-{number}"}, ensure_ascii=False)
            file.write(line.encode(errors="backslashreplace") + b"\n")
    return moved[:-1]


def _noticed(event: dict[str, Any], times: Sequence[float]) -> tuple[int, bool]:
    """In which frame it was noticed; who left is told of first."""
    if event["event"] != "left":
        return event["frame"], True
    last = times[event["frame"]]
    frame = max(0, bisect_right(times, last + PATIENCE) - 2)
    while frame < len(times) and times[frame] - last <= PATIENCE:  # as it is noticed, to the last bit
        frame += 1
    return frame, False
