"""What networks run on besides the CPU, and whether it computes what the CPU does.

A device is used for a model only once it has been checked: made-up input goes through the model there and on
the CPU, and both must agree. The reference is computed and not shipped: so there is one for every model,
adopted ones included, and it is never another model's.

How far two right results may be apart depends on the model. The sums of a quantised one are rounded to whole
numbers at each layer, and every way to compute it rounds otherwise. So the yardstick is measured, too: by how
much the CPU's own results differ with the graph optimised and as it stands.

What was found is kept in a file in the user's cache, for this model, version of onnxruntime and machine.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from siamese.errors import ModelError

_log = logging.getLogger(__name__)
Verdict = Literal["same", "close", "wrong", "unusable"]
CHECK = 1  # one more whenever the check itself changes
# What may always differ: of a graph's numbers, such as boxes in pixels, so much and so large a share;
ABSOLUTE, RELATIVE = 0.02, 0.002
EVIDENCE = 0.05  # of embeddings, so much evidence, in nats; a distance then is off by at most twice that
LEAST = 0.1  # score from which a place of a detector's output is looked at
NOISE = 2.0  # ... and by how many times as much as the CPU differs from itself
SAME = 0.1  # share of what may always differ up to which a result counts as the CPU's own
RUNS = 5  # timed runs, of which the median counts
_SIDE, _FACES = 320, 8  # what open dimensions of made-up input are set to

# The names of `runtime.provider`, with onnxruntime's, and its options: exact sums wherever there is a choice.
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "cpu": ("CPUExecutionProvider", {}),
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}),
    "tensorrt": ("TensorrtExecutionProvider", {}),
    "openvino": ("OpenVINOExecutionProvider", {"device_type": "CPU", "precision": "FP32"}),
    "openvino-gpu": ("OpenVINOExecutionProvider", {"device_type": "GPU", "precision": "FP32"}),
    "openvino-npu": ("OpenVINOExecutionProvider", {"device_type": "NPU"}),
    "coreml": ("CoreMLExecutionProvider", {"ModelFormat": "MLProgram"}),
    "directml": ("DmlExecutionProvider", {}),
    "migraphx": ("MIGraphXExecutionProvider", {}),
}
AUTO = ("cuda", "migraphx", "directml", "openvino", "coreml")  # what `auto` tries


@dataclass(frozen=True, slots=True)
class Finding:
    """What a device makes of a model.

    `same` is the CPU's own result, but for what does not count; `close` is right, but its embeddings and the
    CPU's should not be mixed in a gallery; `wrong` and `unusable` are not used.
    """

    device: str
    verdict: Verdict
    error: float  # largest difference from the CPU, as a share of what is allowed; NaN where unusable
    milliseconds: float  # a run, median; NaN where unusable
    cpu_milliseconds: float  # the same run on the CPU
    on_device: float  # share of the graph's nodes that the device took, 0..1; the CPU has the rest
    why: str = ""  # it is wrong or unusable

    @property
    def usable(self) -> bool:
        """Whether it computes what it should."""
        return self.verdict in ("same", "close")


def available(names: Sequence[str]) -> list[str]:
    """The devices that this onnxruntime was built for.

    Args:
        names: onnxruntime's own, as it lists them.
    """
    return [device for device, (provider, _) in PROVIDERS.items() if provider in names]


def check_device(device: str, names: Sequence[str]) -> None:
    """Refuse a device that there is not.

    Raises:
        ModelError: in one line, what there is.
    """
    there = available(names)
    if device != "auto" and device not in there:
        raise ModelError(
            f"runtime.provider={device}: the onnxruntime installed here runs on {', '.join(there)}; "
            "install one that is built for it, such as onnxruntime-openvino, in its place"
        )


def made_up(inputs: Sequence[Any]) -> dict[str, npt.NDArray[Any]]:
    """Made-up input for a graph, always the same: pictures of drawn faces.

    Args:
        inputs: as `InferenceSession.get_inputs()` describes them: aligned crops, uint8 (n, h, w, 3) BGR, or
            pictures, float (n, 3, h, w), 0..1.

    Raises:
        ModelError: they are of another kind.
    """
    random = np.random.default_rng(22)
    made = {}
    for each in inputs:
        crops = each.type == "tensor(uint8)"
        if len(each.shape) != 4 or each.type not in ("tensor(uint8)", "tensor(float)"):
            raise ModelError(f"a model whose input {each.name} is {each.type} {each.shape} cannot be checked")
        open_to = [_FACES if crops else 1, *[_SIDE] * 3]
        n, *rest = (size if isinstance(size, int) else open_to[i] for i, size in enumerate(each.shape))
        height, width = rest[:2] if crops else rest[1:]
        image = np.stack([_picture(height, width, random, crops) for _ in range(n)])
        made[each.name] = (
            (image * 255).astype(np.uint8) if crops else image.transpose(0, 3, 1, 2).astype(np.float32)
        )
    return made


def _picture(height: int, width: int, random: np.random.Generator, filled: bool) -> npt.NDArray[np.float64]:
    """A picture (height, width, 3), 0..1: one face that fills it, or four on a plain wall."""
    rows, columns = np.indices((height, width))
    wall = 0.35 + 0.2 * random.random(3) + 0.15 * (columns / width - 0.5)[..., None]
    image = wall + 0.02 * random.standard_normal((height, width, 3))
    places = (
        [(0.5, 0.5, 0.5)] if filled else [(x, y, r) for x in (0.25, 0.7) for y in (0.3, 0.7) for r in (0.14,)]
    )
    for x, y, radius in places:
        # In units of the face's half height, from its middle.
        down = (rows - y * height) / (radius * height)
        across = (columns - x * width) / (radius * height)
        skin = np.array([0.5, 0.6, 0.8]) * random.uniform(0.6, 1.1)
        lit = 1 + 0.25 * random.uniform(-1, 1) * across
        inside = 1 / (1 + np.exp(np.clip(20 * ((across / 0.8) ** 2 + down**2 - 1), -50, 50)))
        image = image * (1 - inside[..., None]) + inside[..., None] * skin * lit[..., None]
        eyes, mouth = random.uniform(0.3, 0.42), random.uniform(0.4, 0.52)
        marks = [
            (-eyes, -0.2, 0.13, 0.07),
            (eyes, -0.2, 0.13, 0.07),
            (-eyes, -0.4, 0.2, 0.04),
            (eyes, -0.4, 0.2, 0.04),
        ]
        marks += [
            (0.0, mouth, random.uniform(0.2, 0.35), 0.06),
            (0.0, 0.15, 0.1, 0.05),
            (0.0, -0.95, 0.7, 0.25),
        ]
        for at, below, wide, high in marks:
            dark = 0.75 * np.exp(-(((across - at) / wide) ** 2) - ((down - below) / high) ** 2)
            image = image * (1 - dark[..., None])
    return np.clip(image, 0, 1)


def apart(found: Sequence[npt.NDArray[Any]], expected: Sequence[npt.NDArray[Any]]) -> float:
    """The largest difference of two results, as a share of what may always be; infinite for other shapes."""
    if [each.shape for each in found] != [each.shape for each in expected]:
        return float("inf")
    worst = 0.0
    for ours, theirs in zip(found, expected, strict=True):
        a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return float("inf")
        both = np.isfinite(a)
        gaps = np.abs(a - b)[both] / (ABSOLUTE + RELATIVE * np.abs(b[both]))
        worst = max(worst, float(gaps.max(initial=0.0)))
    return worst


def detections_apart(found: Sequence[npt.NDArray[Any]], expected: Sequence[npt.NDArray[Any]]) -> float:
    """The same of what detectors give, (n, 5 or more, places): box, score, and what else there is of each.

    Where nothing is found, only that counts: the box of nothing may be anywhere.
    """
    if [each.shape for each in found] != [each.shape for each in expected]:
        return float("inf")
    pairs = list(zip(found, expected, strict=True))
    if any(a.ndim != 3 or a.shape[1] < 5 for a, _ in pairs):
        return apart(found, expected)
    counts = [np.maximum(a[:, 4:5], b[:, 4:5]) >= LEAST for a, b in pairs]
    scores = apart([a[:, 4:5] for a, _ in pairs], [b[:, 4:5] for _, b in pairs])
    places = apart(
        *([np.where(at, each[i], 0) for each, at in zip(pairs, counts, strict=True)] for i in (0, 1))
    )
    return max(scores, places)


def embeddings_apart(
    found: Sequence[npt.NDArray[Any]], expected: Sequence[npt.NDArray[Any]], slope: float
) -> float:
    """The same of embeddings, (n, d) each.

    Args:
        slope: nats that a unit of L1 distance is worth, from the model's calibration.
    """
    if [each.shape for each in found] != [each.shape for each in expected]:
        return float("inf")
    gaps = [np.abs(a - b).sum(axis=-1).max(initial=0.0) for a, b in zip(found, expected, strict=True)]
    worst = float(np.max(gaps, initial=0.0))
    return slope * worst / EVIDENCE if np.isfinite(worst) else float("inf")


def judged(error: float, noise: float) -> tuple[Verdict, float]:
    """What a difference amounts to, and which share of what is allowed it is.

    Args:
        error, noise: of the device from the CPU, and of the CPU from itself, as `apart` gives them.
    """
    share = error / max(1.0, NOISE * noise)
    return ("same" if error <= SAME else "close" if share <= 1 else "wrong"), share


class Kept:
    """Findings of earlier, in a file of the user's cache. One that cannot be written is done without."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_folder() / "devices.json"

    def get(self, device: str, digest: str, version: str) -> Finding | None:
        """What was found of a device with this model and this version of onnxruntime."""
        found = self._read().get(_key(device, digest, version))
        try:
            return None if found is None else Finding(**found)
        except TypeError:
            return None  # of another version of recog

    def put(self, finding: Finding, digest: str, version: str) -> None:
        """Keep a finding."""
        values = self._read() | {_key(finding.device, digest, version): asdict(finding)}
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:
                json.dump(values, file, indent=1)
            os.replace(file.name, self.path)
        except OSError as error:
            _log.warning(
                "%s cannot be written (%s); devices are checked at each start", self.path, error.strerror
            )

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def cache_folder() -> Path:
    """Where what can be made again is kept: `$XDG_CACHE_HOME/recog`, or `~/.cache/recog`."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return Path(cache if os.path.isabs(cache) else os.path.expanduser("~/.cache")) / "recog"


def median_milliseconds(run: Callable[[], object], runs: int = RUNS) -> float:
    """How long it takes, once it is warm."""
    run()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return float(np.median(times)) * 1000


def _key(device: str, digest: str, version: str) -> str:
    machine = f"{platform.machine()} {_processor()}"
    return f"{CHECK} | {device} | {digest[:16]} | onnxruntime {version} | {machine}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
