"""A frozen backbone and the head that was fitted to it, as one model file like every other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siamese.calibration import Calibration
from siamese.describe import describe
from siamese.frozen.backbone import Backbone
from siamese.frozen.graph import compose
from siamese.frozen.verdict import Head


def export_frozen(
    backbone: Backbone, head: Head, out: Path, calibration: Calibration, card: Mapping[str, Any]
) -> Path:
    """Write the backbone with its head folded in to `out`.

    Args:
        calibration: on people that the head was not fitted to.
        card: what travels with the weights.
    """
    import onnx

    model = compose(backbone.model, backbone.settings, head)
    describe(
        model,
        architecture={"backbone": "frozen", "file": backbone.model.name, **backbone.settings.model_dump()},
        dimension=backbone.dimension,
        bias=head.bias,
        calibration=calibration,
        card=card,
    )
    temporary = out.with_suffix(".tmp")
    onnx.save(model, str(temporary))
    os.replace(temporary, out)
    return out
