"""Embeddings of an independent face embedder, for the student to imitate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siamese.crops import CropSet
from siamese.errors import ModelError
from siamese.session import open_session
from siamese.shipped import sha256

Floats = npt.NDArray[np.float32]


class Teacher:
    """Any ONNX face embedder of the common kind: (n, 3, 112, 112) RGB, of the usual alignment."""

    def __init__(self, model: Path, threads: int = 0, weight: float = 1.0, divisor: float = 127.5) -> None:
        """
        Args:
            weight: how much its word counts beside other teachers'.
            divisor: it was trained on `(x - 127.5) / divisor` of bytes x.
        """
        self._session = open_session(model, threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != [3, 112, 112]:
            raise ModelError(f"{model}: a teacher takes one input (n, 3, 112, 112), not {inputs[0].shape}")
        if isinstance(inputs[0].shape[0], int):
            raise ModelError(f"{model}: takes {inputs[0].shape[0]} faces at once, a teacher any number")
        self._input = inputs[0].name
        self.path, self.digest, self.weight, self.divisor = model, sha256(model), weight, divisor

    def embed(self, images: npt.NDArray[np.uint8]) -> Floats:
        """Unit embeddings (n, d) of crops (n, 112, 112, 3) BGR, each the mean over crop and mirror image."""
        planes = ((images[..., ::-1].astype(np.float32) - 127.5) / self.divisor).transpose(0, 3, 1, 2)
        both = [
            self._session.run(None, {self._input: np.ascontiguousarray(view)})[0]
            for view in (planes, planes[..., ::-1])
        ]
        return unit(unit(both[0]) + unit(both[1]))

    def cached(
        self, crops: CropSet, folder: Path, progress: Callable[[int], None] = lambda _: None
    ) -> Floats:
        """The embeddings (n, d) of a whole crop set, computed once and kept in its folder."""
        what = json.dumps([self.digest, self.divisor, crops.alignment, crops.files])
        path = folder / f"teacher-{hashlib.sha256(what.encode()).hexdigest()[:16]}.npy"
        if path.is_file():
            return np.asarray(np.load(path), np.float32)
        parts = []
        for start in range(0, len(crops), 64):
            parts.append(self.embed(np.asarray(crops.images[start : start + 64])))
            progress(min(start + 64, len(crops)))
        made = np.concatenate(parts)
        temporary = path.with_suffix(".tmp.npy")
        np.save(temporary, made)
        temporary.replace(path)
        return made


def unit(vectors: Floats) -> Floats:
    """Each row scaled to length one."""
    scaled: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled.astype(np.float32)
