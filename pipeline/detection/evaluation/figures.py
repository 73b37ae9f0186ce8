"""What was measured of detectors, as tables and as a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.detection.evaluation.alarms import Alarms
from pipeline.detection.evaluation.evaluate import FLOORS, LONG, SIZES, Report
from pipeline.detection.evaluation.lfw_check import LfwReport
from pipeline.detection.evaluation.precision import Interval, interval, precision_recall
from pipeline.detection.evaluation.timing import Timing, ratio
from pipeline.faces.turn import TURNS


def share(value: float | None) -> str:
    """A figure between 0 and 1, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def bounds(of: Interval | None) -> str:
    """An interval, or a dash where there is none."""
    return "-" if of is None else f"{of.low:.3f} to {of.high:.3f}"


def table(reports: Mapping[str, Report]) -> list[list[str]]:
    """A heading and a line for each detector, as text, for whatever prints tables."""

    heading = ["detector", "AP50", "95 % of draws", "AP50-95"]
    heading += [f"AP50 from {floor} px of {LONG}" for floor in FLOORS]
    heading += ["found in use", "right in use", *(f"recall {name} px" for name in SIZES)]
    heading += ["landmarks, median", "landmarks, 90 %", "ms a photo", "photos without a face"]
    lines = [
        [
            name,
            share(report.ap50),
            bounds(report.ap50_interval),
            *map(share, (report.ap50_95, *report.ap50_from.values(), report.found, report.right)),
            *map(share, report.recall.values()),
            *map(share, (report.landmark_median, report.landmark_p90)),
            f"{report.milliseconds:.1f}",
            f"{report.without_faces} of {report.photos}",
        ]
        for name, report in reports.items()
    ]
    return [heading, *lines]


def table_of_turns(reports: Mapping[str, Report]) -> list[list[str]]:
    """A heading and a line for each detector: faces found in use and landmark errors, by degrees."""
    heading = ["detector"]
    for name in TURNS:
        heading += [f"faces {name} degrees", "found in use", "landmarks, in sides of the face"]
    lines = []
    for name, report in reports.items():
        line = [name]
        for of in report.turned.values():
            line += [str(of.faces), share(of.found), share(of.landmarks)]
        lines.append(line)
    return [heading, *lines]


def plot(reports: Mapping[str, Report], out: Path, title: str) -> None:
    """Draw the precision-recall curves at IoU 0.5 of several detectors into one image file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title=title)
    axes.grid(alpha=0.3)
    for name, report in reports.items():
        precision, recall = precision_recall(report.scores, report.hits, report.faces)
        axes.plot(recall, precision, label=f"{name}: AP {report.ap50:.3f}")
    axes.legend(loc="lower left")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)


def mean_of_sets(sets: Mapping[str, Mapping[str, Report]]) -> dict[str, tuple[float, Interval]]:
    """AP50 of each detector, averaged over the data sets with equal weight, and its interval."""
    means = {}
    for name in next(iter(sets.values())):
        reports = [reports[name] for reports in sets.values()]
        drawn = np.stack([report.drawn for report in reports]).mean(axis=0)
        means[name] = float(np.mean([report.ap50 for report in reports])), interval(np.asarray(drawn))
    return means


def table_of_means(means: Mapping[str, tuple[float, Interval]]) -> list[list[str]]:
    """A heading and a line for each detector."""
    lines = [[name, share(value), bounds(of)] for name, (value, of) in means.items()]
    return [["detector", "AP50", "95 % of draws"], *lines]


def table_of_lfw(reports: Mapping[str, LfwReport]) -> list[list[str]]:
    """A heading and a line for each detector."""
    lines = [
        [
            name,
            f"{report.without_faces} of {report.images}",
            share(report.landmark_median),
            bounds(report.landmark_interval),
            share(report.landmark_p90),
            str(report.landmarks_compared),
        ]
        for name, report in reports.items()
    ]
    heading = ["detector", "images without a face", "landmarks, median", "95 % of draws"]
    return [[*heading, "landmarks, 90 %", "faces compared"], *lines]


def table_of_alarms(counted: Mapping[str, Alarms]) -> list[list[str]]:
    """A heading and a line for each detector."""
    lines = [
        [name, str(of.alarms), f"{of.photos_with} of {of.photos}", share(of.surest)]
        for name, of in counted.items()
    ]
    return [["detector", "false alarms", "photographs with any", "surest"], *lines]


def table_of_times(timings: Mapping[str, Timing], reference: str) -> list[list[str]]:
    """A heading and a line for each detector; times relative to the reference's, round by round."""
    lines = [
        [
            name,
            *(f"{ms:.2f}" for ms in (of.median, of.p95, of.fastest)),
            f"{ratio(of, timings[reference]):.2f}",
        ]
        for name, of in timings.items()
    ]
    return [["detector", "ms, median", "ms, 95 %", "ms, fastest", f"times {reference}"], *lines]
