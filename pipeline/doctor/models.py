"""The models: whether they are whole, what they can run on here, and how fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline import build, detectors
from pipeline.config import Settings
from pipeline.detection.files import SECOND_STAGE
from pipeline.doctor.finding import Finding
from siamese import devices
from siamese.devices import Kept
from siamese.placing import examine, finding_of
from siamese.session import onnx_runtime
from siamese.shipped import sha256, verified


def files(settings: Settings) -> dict[str, Path]:
    """The models that a run would use.

    Raises:
        DetectorError, ModelError: there are none of these names.
    """
    return {
        "detector": detectors.detector_file(settings.det.model),
        "embedder": build.embedder_path(settings),
    }


def models(settings: Settings) -> Iterator[Finding]:
    """Whether they are there, and what they should be."""
    used = files(settings)
    if settings.det.cascade:
        used["second stage"] = settings.det.second_stage or SECOND_STAGE  # always on the CPU: not of `files`
    for kind, file in used.items():
        verified(file)
        yield Finding("models", "ok", f"the {kind} {file.name} is whole")


def placed(settings: Settings, again: bool, found: list[dict[str, Any]]) -> Iterator[Finding]:
    """What this onnxruntime can run the models on: each device checked, measured, and kept.

    Args:
        again: also those that were checked earlier.
        found: is given everything, for JSON.
    """
    runtime, wanted, kept = onnx_runtime(), settings.runtime.provider, Kept()
    there = devices.available(runtime.get_available_providers())
    yield Finding("devices", "ok", f"onnxruntime {runtime.__version__}, made for {', '.join(there)}")
    devices.check_device(wanted, runtime.get_available_providers())
    cores, load = os.cpu_count() or 1, os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > cores:
        said = f"the machine is busy (load {load:.0f} on {cores} cores): what is measured now takes too long"
        yield Finding("devices", "note", said, "recog doctor --again, once it is not")
    for kind, file in files(settings).items():
        for device in there:
            if again:
                result = examine(file, device, settings.runtime.threads)
                kept.put(result, sha256(file), runtime.__version__)
            else:
                result = finding_of(file, device, settings.runtime.threads, kept)
            found.append({"model": file.name, **asdict(result)})
            what = "8 faces" if kind == "embedder" else "a picture of 320 x 320"
            speed = f"{file.name} on {device}: {what} in {result.milliseconds:.1f} ms"
            if not result.usable:
                asked = wanted == device
                todo = "it is not used; set runtime.provider=cpu" if asked else "it is not used"
                state = Finding(
                    "devices", "mend" if asked else "note", f"{file.name} on {device}: {result.why}", todo
                )
                yield state
            elif result.verdict == "close":
                todo = "use it for a gallery of its own, or leave it to the CPU" if kind == "embedder" else ""
                yield Finding("devices", "note", f"{speed}, right, and not quite the CPU's results", todo)
            else:
                share = f", {result.on_device:.0%} of the model on it" if result.on_device < 1 else ""
                yield Finding("devices", "ok", f"{speed}{share}")
