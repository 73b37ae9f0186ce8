"""Opening ONNX files with onnxruntime, on the CPU. Nothing else imports onnxruntime: it would call home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from siamese import libraries
from siamese.errors import ModelError


def onnx_runtime() -> Any:
    """The module `onnxruntime`, which will not report that it is used, nor leave files behind."""
    libraries.restrain()
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # where somebody else has imported it before
    return onnxruntime


def open_session(model: Path, threads: int = 0, spin: bool = True) -> Any:
    """An `onnxruntime.InferenceSession`.

    Args:
        threads: CPU threads; 0 for all.
        spin: idle threads wait by spinning: calls are a third faster where nothing else wants the cores, and
            take them from decoding and encoding where something does (docs/experiments.md).

    Raises:
        ModelError: missing, or not an ONNX model that can be loaded.
    """
    if not model.is_file():
        raise ModelError(f"{model}: no such model file")
    return session_of(str(model), str(model), threads, spin)


def session_of(model: str | bytes, name: str, threads: int = 0, spin: bool = True) -> Any:
    """As `open_session`, of a path or of a model's bytes; `name` is what errors call it."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if not spin:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # what goes wrong is raised; warnings are for the model's makers
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own unexported types
        raise ModelError(f"{name}: not an ONNX model that can be loaded, or damaged") from error
