"""Which device a model is opened on: the one that was asked for, if it computes what the CPU computes.

    placed = place(model, "openvino")
    placed.session.run(...)

What onnxruntime lists is what it was built for, not what works: a provider whose libraries or hardware are
missing is passed over in silence, and one that loads may compute nonsense. So the open session is asked, and
its results are compared, at first use; see `siamese.devices`. Where that fails, the CPU does the work, and
that is said.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from siamese.devices import (
    AUTO,
    PROVIDERS,
    Finding,
    Kept,
    available,
    check_device,
    detections_apart,
    embeddings_apart,
    judged,
    made_up,
    median_milliseconds,
)
from siamese.errors import ModelError
from siamese.session import onnx_runtime, open_session, session_of
from siamese.shipped import sha256

_log = logging.getLogger(__name__)
GAIN = 0.9  # `auto` leaves the CPU for what takes at most this share of its time


@dataclass(frozen=True, slots=True)
class Placed:
    """A model that is open.

    Attributes:
        session: an `onnxruntime.InferenceSession`.
        device: that it runs on, by its name in `siamese.devices.PROVIDERS`.
        own: its results are right, and yet not the CPU's own: embeddings of both should not be mixed.
    """

    session: Any
    device: str
    own: bool = False


def place(model: Path, device: str, threads: int = 0, spin: bool = True, kept: Kept | None = None) -> Placed:
    """Open a model on a device, or on the CPU where the device cannot be trusted with it.

    Args:
        device: of `siamese.devices.PROVIDERS`, or `auto`: the fastest one whose results are the CPU's own.
        threads, spin: as for `siamese.session.open_session`.
        kept: findings of earlier.

    Raises:
        ModelError: the model cannot be opened at all, or this onnxruntime has no such device.
    """
    if device == "cpu":
        return Placed(open_session(model, threads, spin), "cpu")
    names = onnx_runtime().get_available_providers()
    check_device(device, names)
    kept = kept or Kept()
    if device == "auto":
        findings = [finding_of(model, each, threads, kept) for each in AUTO if each in available(names)]
        good = [each for each in findings if each.verdict == "same" and _gains(each)]
        chosen = min(good, key=lambda each: each.milliseconds, default=None)
        for each in findings:
            if not each.usable:
                _log.warning("%s is not used for %s: %s", each.device, model.name, each.why)
    else:
        chosen = finding_of(model, device, threads, kept)
        if not chosen.usable:
            _log.warning("%s is not used for %s, the CPU is: %s", device, model.name, chosen.why)
            chosen = None
    if chosen is None:
        return Placed(open_session(model, threads, spin), "cpu")
    try:
        session = open_session(model, threads, spin, chosen.device)
        if (why := _absent(session, chosen.device)) is not None:
            raise ModelError(why)
    except ModelError as error:  # it has worked before
        _log.warning("%s is not used for %s, the CPU is: %s", chosen.device, model.name, error)
        return Placed(open_session(model, threads, spin), "cpu")
    return Placed(session, chosen.device, chosen.verdict == "close")


def finding_of(model: Path, device: str, threads: int = 0, kept: Kept | None = None) -> Finding:
    """What was found of a device and a model, or is found now and kept.

    Raises:
        ModelError: the CPU cannot open the model, or it is of a kind that cannot be checked.
    """
    kept, version = kept or Kept(), onnx_runtime().__version__
    digest = sha256(model)
    found = kept.get(device, digest, version)
    # What could not be used may be there by now: a driver that was installed, a card that was plugged in.
    if found is None or found.verdict == "unusable":
        found = examine(model, device, threads)
        kept.put(found, digest, version)
    return found


def examine(model: Path, device: str, threads: int = 0) -> Finding:
    """Check a device with a model, and measure it; nothing is kept.

    Raises:
        ModelError: the CPU cannot open the model, or it is of a kind that cannot be checked.
    """
    plain = session_of(str(model), str(model), threads, spin=False, plain=True)
    given = made_up(plain.get_inputs())
    every = [given, *([] if _fixed(plain) else [{key: value[:1] for key, value in given.items()}])]
    cpu = open_session(model, threads, spin=False)
    expected = _results(cpu, every)
    cpu_time = median_milliseconds(lambda: cpu.run(None, given))
    if device == "cpu":
        return Finding(device, "same", 0.0, cpu_time, cpu_time, 1.0)
    why = None
    try:
        session = open_session(model, threads, False, device)
        why = _absent(session, device)
        if why is None:
            found = _results(session, every)
            spent = median_milliseconds(lambda: session.run(None, given))
    except ModelError as error:
        why = str(error)
    except Exception as error:  # onnxruntime raises its own unexported types, and a driver anything
        why = f"it fails ({str(error).strip().partition(chr(10))[0][:200]})"
    if why is not None:
        return Finding(device, "unusable", math.nan, math.nan, cpu_time, 0.0, why)
    verdict, share = judged(_apart(cpu, found, expected), _apart(cpu, _results(plain, every), expected))
    why = f"it computes something else than the CPU, by {share:.1f} times what is allowed"
    return Finding(
        device, verdict, share, spent, cpu_time, _share(session, device), why if verdict == "wrong" else ""
    )


def _results(session: Any, inputs: Sequence[dict[str, npt.NDArray[Any]]]) -> list[npt.NDArray[Any]]:
    return [result for each in inputs for result in session.run(None, each)]


def _apart(session: Any, found: Sequence[npt.NDArray[Any]], expected: Sequence[npt.NDArray[Any]]) -> float:
    described = session.get_modelmeta().custom_metadata_map
    if described.get("recog.kind") != "embedder":
        return detections_apart(found, expected)
    return embeddings_apart(found, expected, float(json.loads(described["recog.calibration"])["slope"]))


def _absent(session: Any, device: str) -> str | None:
    """Why a session does not run on a device, asked of the session itself; None where it does."""
    if PROVIDERS[device][0] not in session.get_providers():
        return "onnxruntime cannot load it here; are its libraries and its driver installed?"
    if _share(session, device) == 0:
        return "it takes no part of this model"
    return None


def _share(session: Any, device: str) -> float:
    """The share of the graph's nodes that a device runs; 1 where this onnxruntime does not tell."""
    if device == "cpu" or not hasattr(session, "get_provider_graph_assignment_info"):
        return 1.0
    parts = session.get_provider_graph_assignment_info()
    counts = [(each.ep_name, len(each.get_nodes())) for each in parts]
    every = sum(count for _, count in counts)
    ours = sum(count for name, count in counts if name == PROVIDERS[device][0])
    return ours / every if every else 1.0


def _fixed(session: Any) -> bool:
    return any(isinstance(each.shape[0], int) for each in session.get_inputs())


def _gains(finding: Finding) -> bool:
    return finding.milliseconds <= GAIN * finding.cpu_milliseconds
