"""What a run amounted to, in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.words import counted

if TYPE_CHECKING:
    from pipeline.outputs.outputs import Outputs
    from pipeline.recognition.engine import Ended


def shown_source(spec: str) -> str:
    """What `--source` was given, without login and query."""
    from pipeline.sources.streams import shown_address

    return shown_address(spec) if "://" in spec else spec


def as_dict(ended: Ended, source: str, outputs: Outputs) -> dict[str, Any]:
    """What a run over one source amounted to, for JSON; the same whether it was the only one or not.

    Args:
        source: as it may be shown, without login and query.
    """
    where = {"out": outputs.video, "events": outputs.events}
    return {
        "source": source,
        **ended.summary.as_dict(),
        "dropped": ended.dropped,
        "enrolled": ended.enrolled,
        "complaint": ended.complaint,
        "notes": list(ended.notes),
        "guarantee": None if ended.guarantee is None else ended.guarantee.as_dict(),
        **{key: str(path) if path in ended.written else None for key, path in where.items()},
    }


def report(ended: Ended, out: Path | None, events: Path | None) -> None:
    """What the run amounted to, as a table, and the files among those asked for that are there now."""
    values = ended.summary.as_dict()
    rate = f", {values['fps']:.1f} frames a second" if values["fps"] else ""
    lost = f", {ended.dropped} dropped" if ended.dropped else ""
    print(f"{counted(values['frames'], 'frame')} in {values['seconds']:.1f} s{rate}{lost}")
    if values["people"]:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table("name", "first seen", "last seen", "frames", "confidence")
        for person in values["people"]:
            table.add_row(
                Text(person["name"]),
                f"{person['first_seconds']:.1f} s",
                f"{person['last_seconds']:.1f} s",
                str(person["frames"]),
                f"{min(person['confidence'], 0.999):.1%}",  # rounding must not claim certainty
            )
        Console().print(table)
    else:
        print("nobody was recognised")
    print(f"{counted(values['unknown_tracks'], 'track')} unknown, {values['undecided_tracks']} undecided")
    for path in (out, events):
        if path in ended.written:
            print(f"written: {path}{_codec_of(path) if path is out else ''}")
    for note in ended.notes:
        print(note)


def _codec_of(path: Path) -> str:
    """A hint, where a better codec could be had."""
    from pipeline.outputs.encoders import H264_SUFFIXES, has_h264

    if path.suffix.lower() not in H264_SUFFIXES or has_h264():
        return ""
    return " (MPEG-4, without sound: this PyAV was built without x264)"
