"""The exported network through onnxruntime: what enrolling and running use. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from siamese.calibration import Calibration
from siamese.errors import ModelError
from siamese.placing import place
from siamese.shipped import verified

DEFAULT = Path(__file__).parent / "weights" / "recog-siamese.onnx"
BATCH = 32  # faces embedded at once: more would only cost memory


class Embedder:
    """Embeddings whose plain L1 distance is the Siamese head's distance."""

    def __init__(
        self, model: Path = DEFAULT, threads: int = 0, spin: bool = True, device: str = "cpu"
    ) -> None:
        """
        Args:
            model: a file that `recog export` wrote.
            threads: CPU threads; 0 for all.
            spin: see `siamese.session.open_session`.
            device: see `siamese.placing.place`. One that makes embeddings of its own is part of `name`: those
                are not to be mixed with the CPU's in a gallery.

        Raises:
            ModelError: missing, damaged, wrong checksum, not an embedder of ours, or there is no such device.
        """
        digest = verified(model)
        placed = place(model, device, threads, spin)
        self._session, self.device = placed.session, placed.device
        described = self._session.get_modelmeta().custom_metadata_map
        if described.get("recog.kind") != "embedder":
            raise ModelError(
                f"{model}: not an embedder of ours; write one with: recog export, or make one of anybody's "
                "face embedder with: recog models adopt"
            )
        try:
            self.dimension = int(described["recog.dimension"])
            self.bias = float(described["recog.bias"])
            self.calibration = Calibration.from_dict(json.loads(described["recog.calibration"]))
            self.card: dict[str, Any] = json.loads(described["recog.card"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{model}: its description does not fit this version of recog; export it again"
            ) from error
        self.name = f"{model.stem} on {placed.device}" if placed.own else model.stem
        self.digest = digest

    def embed(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embeddings (m, d) float32 of aligned crops (m, 112, 112, 3) uint8 BGR."""
        if not len(crops):
            return np.zeros((0, self.dimension), np.float32)
        return embed_by(self._session, crops)


def embed_by(session: Any, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Embeddings (m, d) float32 of aligned crops (m, 112, 112, 3) uint8 BGR, m > 0, by an open graph."""
    parts = [
        session.run(None, {"crops": np.ascontiguousarray(crops[start : start + BATCH])})[0]
        for start in range(0, len(crops), BATCH)
    ]
    return np.concatenate(parts)
