"""What a model file says about itself, in its metadata.

recog.kind         "embedder"
recog.model        JSON, the architecture and its settings
recog.dimension    length of an embedding
recog.bias         the head's logit of two equal faces
recog.calibration  JSON, see `siamese.calibration`
recog.card         JSON: data, outside data, category, people (`siamese.splits`), alignment (input
                   template), figures on validation people, settings, commit, licence
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from siamese.calibration import Calibration
from siamese.provenance import category, commit


def describe(
    graph: Any,
    *,
    architecture: Mapping[str, Any],
    dimension: int,
    bias: float,
    calibration: Calibration,
    card: Mapping[str, Any],
) -> None:
    """Write the metadata of an `onnx.ModelProto`, instead of what it had.

    Args:
        card: what travels with the weights; category and commit are added.
    """
    described = {
        "recog.kind": "embedder",
        "recog.dimension": dimension,
        "recog.bias": bias,
        "recog.calibration": calibration.as_dict(),
        "recog.model": architecture,
        "recog.card": {**card, "category": category(card), "commit": commit()},
    }
    del graph.metadata_props[:]
    for key, value in described.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value if isinstance(value, str) else json.dumps(value)
