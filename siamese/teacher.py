"""Embeddings of an independent face embedder, for the student to imitate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siamese.errors import ModelError
from siamese.session import open_session

Floats = npt.NDArray[np.float32]


class Teacher:
    """Any ONNX face embedder of the common kind: (n, 3, 112, 112) RGB in -1..1, of the usual alignment."""

    def __init__(self, model: Path, threads: int = 0) -> None:
        self._session = open_session(model, threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != [3, 112, 112]:
            raise ModelError(f"{model}: a teacher takes one input (n, 3, 112, 112), not {inputs[0].shape}")
        if isinstance(inputs[0].shape[0], int):
            raise ModelError(f"{model}: takes {inputs[0].shape[0]} faces at once, a teacher any number")
        self._input = inputs[0].name

    def embed(self, images: npt.NDArray[np.uint8]) -> Floats:
        """Unit embeddings (n, d) of crops (n, 112, 112, 3) BGR, each the mean over crop and mirror image."""
        planes = ((images[..., ::-1].astype(np.float32) - 127.5) / 127.5).transpose(0, 3, 1, 2)
        both = [
            self._session.run(None, {self._input: np.ascontiguousarray(view)})[0]
            for view in (planes, planes[..., ::-1])
        ]
        return unit(unit(both[0]) + unit(both[1]))


def unit(vectors: Floats) -> Floats:
    """Each row scaled to length one."""
    scaled: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled.astype(np.float32)


def teach(
    teachers: list[Teacher], images: npt.NDArray[np.uint8], progress: Callable[[int], None] = lambda _: None
) -> list[Floats]:
    """The embeddings (n, d_t) of every teacher t for all crops."""
    batches: list[list[Floats]] = [[] for _ in teachers]
    for start in range(0, len(images), 64):
        part = np.asarray(images[start : start + 64])
        for teacher, collected in zip(teachers, batches, strict=True):
            collected.append(teacher.embed(part))
        progress(start + len(part))
    return [np.concatenate(collected) for collected in batches]
