"""Which file a detector's name or path stands for: one of ours by name, or anybody's by path."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import DetectorError
from pipeline.models.catalogue import find
from pipeline.models.local import resolve

WEIGHTS = Path(__file__).parents[1] / "weights"
NAMES = ("face-n", "face-p")  # of our detectors, the largest first
SECOND_STAGE = WEIGHTS / "second-stage.onnx"  # looks again at what those are unsure of


def model_file(model: Path | None) -> Path:
    """The ONNX file of a detector.

    Args:
        model: one of NAMES, one that was pulled, or a path, which is taken as it is; None for the first of
            NAMES. `pipeline.detectors.detector_file` takes weights of ultralytics (`.pt`) as well.

    Raises:
        DetectorError: a name that is none of ours, or whose weights this installation lacks.
        siamese.errors.ModelError: a name whose model was not pulled, or is not what was pulled.
    """
    if model is None:
        return WEIGHTS / f"{NAMES[0]}.onnx"
    if str(model) in NAMES:
        file = WEIGHTS / f"{model}.onnx"
        if not file.is_file():
            here = ", ".join(name for name in NAMES if (WEIGHTS / f"{name}.onnx").is_file())
            raise DetectorError(f"{model}: its weights are not part of this installation; there are: {here}")
        return file
    if find(str(model)) is not None:
        return resolve(model)
    if not model.suffix and not model.exists():
        raise DetectorError(
            f"{model}: neither a file nor one of our detectors; those are: {', '.join(NAMES)}"
        )
    return model
