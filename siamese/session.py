"""Opening ONNX files with onnxruntime, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from siamese.errors import ModelError


def open_session(model: Path, threads: int = 0) -> Any:
    """An `onnxruntime.InferenceSession`; `threads` 0 for all.

    Raises:
        ModelError: missing, or not an ONNX model that can be loaded.
    """
    if not model.is_file():
        raise ModelError(f"{model}: no such model file")
    return session_of(str(model), str(model), threads)


def session_of(model: str | bytes, name: str, threads: int = 0) -> Any:
    """As `open_session`, of a path or of a model's bytes; `name` is what errors call it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Idle threads that spin take the cores from decoding and encoding; waking them costs microseconds.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # what goes wrong is raised; warnings are for the model's makers
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own unexported types
        raise ModelError(f"{name}: not an ONNX model that can be loaded, or damaged") from error
