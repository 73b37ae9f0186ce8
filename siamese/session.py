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
    import onnxruntime

    if not model.is_file():
        raise ModelError(f"{model}: no such model file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # what goes wrong is raised; warnings are for the model's makers
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own unexported types
        raise ModelError(f"{model}: not an ONNX model that can be loaded, or damaged") from error
