"""The body of `recog detector evaluate`: ours beside YuNet, on the same photographs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from pipeline.commands.shared import print_json, progress
from pipeline.detector import evaluate as evaluating
from pipeline.detector.yolo import DEFAULT, YoloDetector
from pipeline.detector.yunet import YuNet
from pipeline.errors import SinkError

LOW = 0.01  # average precision ranks whatever is found


def evaluate_on(
    folders: list[Path], model: Path | None, yunet: Path | None, sizes: list[int], out: Path, as_json: bool
) -> None:
    """Evaluate on the test fifth of each folder, at each input size; print a table, leave JSON and curves.

    Raises:
        DetectorError: no photographs, or a model that cannot be used.
        SinkError: `out` cannot be written.
    """
    detectors: dict[str, evaluating.Detector] = {}
    for size in sizes:
        detectors[f"{(model or DEFAULT).stem} {size}"] = YoloDetector(
            model or DEFAULT, size, LOW, max_faces=1000
        )
        if yunet is not None:
            detectors[f"yunet {size}"] = YuNet(yunet, size, LOW)
    figures = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in folders:
            photos = evaluating.held_out([folder])
            with progress() as display:
                advance = partial(display.advance, display.add_task(folder.name, total=len(photos)))
                reports = evaluating.compare(detectors, photos, progress=advance)
            evaluating.plot(reports, out / f"{folder.name}.png")
            figures[folder.name] = {name: report.as_dict() for name, report in reports.items()}
            if not as_json:
                _print(folder.name, evaluating.table(reports))
        (out / "figures.json").write_text(json.dumps(figures, indent=2))
    except OSError as error:
        raise SinkError(f"{out}: cannot be written ({error.strerror})") from error
    if as_json:
        print_json(figures)
    else:
        print(f"written: {out / 'figures.json'} and precision-recall curves")


def _print(title: str, rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    # A column for each detector: there are more figures than a terminal is wide.
    heading, *figures = zip(*rows, strict=True)
    table = Table(*heading, title=title)
    for row in figures:
        table.add_row(*row)
    Console().print(table, markup=False)
