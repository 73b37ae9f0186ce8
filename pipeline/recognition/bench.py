"""How fast a run is, and where its time goes: the path of `recog run`, with a clock at every stage."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Settings
from pipeline.outputs.video import open_sink
from pipeline.recognition.engine import models
from pipeline.recognition.stream import Stream
from pipeline.sources.rehearsal import Rehearsal
from pipeline.sources.streams import shown_address

WARM = 1000  # frames after which memory is looked at for the first time
_PACKAGES = ("av", "faiss-cpu", "numpy", "onnxruntime", "opencv-python", "recog")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure.

    Attributes:
        frames: how many; the video is repeated as often as it takes.
        rate: frames a second of a simulated live camera; None for a film, as fast as it goes.
        out: a video file that is written meanwhile; None to draw, and write nothing.
    """

    video: Path
    frames: int
    rate: float | None = None
    out: Path | None = None


def bench(wanted: Wanted, gallery: Path | None, settings: Settings) -> dict[str, Any]:
    """Run over a video and measure; plain values for JSON, times in milliseconds.

    Names are not painted back: that would hold frames, and read the film twice.

    Raises:
        PipelineError, SiameseError, GalleryError: what the user can mend.
    """
    begun = time.perf_counter()
    spent: dict[str, list[float]] = defaultdict(list)
    delays: list[float] = []
    memory: list[tuple[int, float]] = []
    source = Rehearsal(wanted.video, wanted.frames, wanted.rate)
    with models(gallery, settings) as made:
        stream = Stream("", source, made, settings, 0.0, True, lambda: False)
        count, first = 0, 0.0
        with open_sink(wanted.out, stream.fps) as sink, stream.run() as runner:
            started = time.perf_counter()
            for result, image in runner:
                if source.began is not None:
                    delays.append(time.monotonic() - source.began - result.frame.seconds)
                write = time.perf_counter()
                if image is not None:
                    sink.write(image, result.frame.seconds)
                now = time.perf_counter()
                for stage, seconds in (result.seconds | {"write": now - write}).items():
                    spent[stage].append(seconds)
                count += 1
                if count == 1:
                    first = now - begun
                if count % WARM == 0:
                    memory.append((count, resident()))
            elapsed = time.perf_counter() - started
        enrolled = stream.recogniser.enrolled
    spent["read"] = source.read_seconds
    return {
        "video": wanted.video.name,
        "frames": count,
        "seconds": round(elapsed, 3),
        "fps": round(count / elapsed, 2),
        "first_frame_seconds": round(first, 3),
        "dropped": stream.dropped,
        "delay_ms": statistics(delays),
        "stages_ms": {stage: statistics(times) for stage, times in spent.items()},
        "peak_memory_mib": peak(),
        "memory_mib": memory,
        "rate": wanted.rate,
        "written": wanted.out.suffix if wanted.out else None,
        "enrolled": enrolled,
        "environment": environment(),
        "settings": _shown(settings),
    }


def _shown(settings: Settings) -> dict[str, Any]:
    """The settings as they may be read by others: addresses without login and query."""
    values = settings.model_dump(mode="json", exclude={"train", "model"})
    sources = values["run"]["sources"]
    values["run"]["sources"] = [shown_address(each) if "://" in each else each for each in sources]
    values["mqtt"]["url"] = settings.mqtt.url and shown_address(settings.mqtt.url)
    return values


def statistics(seconds: list[float]) -> dict[str, float] | None:
    """Median and 95th percentile in milliseconds; None where nothing was measured."""
    if not seconds:
        return None
    median, p95 = np.percentile(seconds, [50, 95]) * 1000
    return {"median": round(float(median), 2), "p95": round(float(p95), 2), "count": len(seconds)}


def resident() -> float:
    """Memory of this process now, MiB; where the system does not tell, the most it has had."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak()
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def peak() -> float:
    """The most memory this process has had, MiB."""
    if sys.platform == "win32":
        return float("nan")
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, on macOS bytes
    return round(most / (2**20 if sys.platform == "darwin" else 2**10), 1)


def environment() -> dict[str, Any]:
    """What a figure depends on besides the code: machine, load, versions."""
    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
