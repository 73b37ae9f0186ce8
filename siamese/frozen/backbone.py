"""Somebody else's face embedder, frozen: what it makes of aligned crops, before any head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from siamese.errors import ModelError
from siamese.frozen.graph import SIZE, compose
from siamese.frozen.settings import BackboneSettings
from siamese.metrics import Floats
from siamese.session import session_of
from siamese.shipped import sha256

BATCH = 32


class Backbone:
    """Embeddings of a backbone through the very graph that is exported later, only without the head."""

    def __init__(self, model: Path, settings: BackboneSettings, threads: int = 0) -> None:
        """
        Args:
            model: any ONNX face embedder (n, 3, 112, 112) -> (n, d) of the usual alignment.
            threads: CPU threads; 0 for all.

        Raises:
            ModelError: missing, damaged, or not such an embedder.
        """
        if not model.is_file():
            raise ModelError(f"{model}: no such model file")
        self.model, self.settings, self.digest = model, settings, sha256(model)
        graph = compose(model, settings).SerializeToString()
        try:
            self._session = session_of(graph, str(model), threads)
        except ModelError as error:
            raise ModelError(
                f"{model}: cannot be run on faces (n, 3, {SIZE}, {SIZE}): no face embedder, or damaged"
            ) from error
        self.dimension = self._check()

    @property
    def fed(self) -> dict[str, Any]:
        """The settings that its embeddings depend on, for JSON."""
        return self.settings.model_dump(exclude={"whiten"}, mode="json")

    def embed(self, crops: npt.NDArray[np.uint8]) -> Floats:
        """Embeddings (m, d) float32 of aligned crops (m, 112, 112, 3) uint8 BGR."""
        parts = [
            self._session.run(None, {"crops": np.ascontiguousarray(crops[start : start + BATCH])})[0]
            for start in range(0, len(crops), BATCH)
        ]
        return np.concatenate(parts)

    def _check(self) -> int:
        """The length of an embedding; whether faces may be embedded together."""
        random = np.random.default_rng(0)
        crops = random.integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
        try:
            each = [self.embed(crops[row : row + 1]) for row in range(len(crops))]
        except Exception as error:  # onnxruntime raises its own unexported types
            raise ModelError(f"{self.model}: cannot embed a face of {SIZE} x {SIZE}") from error
        shapes = sorted({rows.shape for rows in each})
        if len(shapes) > 1 or shapes[0][:-1] != (1,):
            raise ModelError(
                f"{self.model}: gives {' or '.join(map(str, shapes))} for one face, not an embedding of one "
                "length"
            )
        alone = np.concatenate(each)
        try:
            together = self.embed(crops)
        except Exception as error:
            raise ModelError(f"{self.model}: cannot embed several faces at once") from error
        if together.shape != alone.shape or not np.isfinite(together).all():
            raise ModelError(f"{self.model}: gives {together.shape} for 3 faces, not one embedding for each")
        if not np.allclose(together, alone, rtol=1e-2, atol=1e-3 * float(np.abs(together).max())):
            raise ModelError(f"{self.model}: a face's embedding depends on who is embedded with it")
        return int(together.shape[1])
