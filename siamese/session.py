"""Opening ONNX files with onnxruntime. Nothing else imports onnxruntime: it would call home."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from siamese import libraries
from siamese.devices import PROVIDERS
from siamese.errors import ModelError


def onnx_runtime() -> Any:
    """The module `onnxruntime`, which will not report that it is used, nor leave files behind."""
    libraries.restrain()
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # where somebody else has imported it before
    return onnxruntime


def open_session(model: Path, threads: int = 0, spin: bool = True, device: str = "cpu") -> Any:
    """An `onnxruntime.InferenceSession`.

    Args:
        threads: CPU threads; 0 for all.
        spin: idle threads wait by spinning: calls are a third faster where nothing else wants the cores, and
            take them from decoding and encoding where something does (docs/experiments.md).
        device: of `siamese.devices.PROVIDERS`; what it cannot compute, the CPU does. Whether its results are
            right is not asked here: see `siamese.placing`.

    Raises:
        ModelError: missing, or not an ONNX model that can be loaded (there).
    """
    if not model.is_file():
        raise ModelError(f"{model}: no such model file")
    return session_of(str(model), str(model), threads, spin, device)


def session_of(
    model: str | bytes,
    name: str,
    threads: int = 0,
    spin: bool = True,
    device: str = "cpu",
    *,
    plain: bool = False,
) -> Any:
    """As `open_session`, of a path or of a model's bytes.

    Args:
        name: what errors call it.
        plain: compute the graph as it stands, without any optimisation.
    """
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if not spin:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # what goes wrong is raised; warnings are for the model's makers
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if device != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    cpu = "CPUExecutionProvider"
    try:
        if device == "cpu":
            return onnxruntime.InferenceSession(model, options, providers=[cpu])
        with _quiet():  # of what it cannot load, onnxruntime prints pages
            return onnxruntime.InferenceSession(model, options, providers=[PROVIDERS[device], cpu])
    except Exception as error:  # onnxruntime raises its own unexported types
        if device != "cpu":
            why = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise ModelError(f"{name}: {device} cannot load it ({why[:200]})") from error
        raise ModelError(f"{name}: not an ONNX model that can be loaded, or damaged") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what onnxruntime prints and warns of off the standard streams: the session is asked instead."""
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
