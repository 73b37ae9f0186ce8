"""What a model file says of itself, read with onnxruntime and nothing else; no code in it is run."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siamese.errors import ModelError
from siamese.provenance import category
from siamese.session import onnx_runtime

# What a card of ours should say; what it does not is named as missing.
_CARD = {
    "training data": ("data", "trained on"),
    "fold": ("fold", "held out"),
    "metrics": ("metrics", "figures"),
    "commit": ("commit",),
}
UNSTATED = "not stated"


@dataclass(frozen=True, slots=True)
class Header:
    """The outside of a graph."""

    entries: dict[str, str]  # metadata
    inputs: tuple[str, ...]  # such as `crops [n, 112, 112, 3] uint8`
    outputs: tuple[str, ...]


def read(model: Path) -> Header:
    """The header of an ONNX file.

    Raises:
        ModelError: missing, or not an ONNX model that can be loaded.
    """
    if not model.is_file():
        raise ModelError(f"{model}: no such model file")
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # only looked at
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own unexported types
        raise ModelError(f"{model}: not an ONNX model that can be loaded, or damaged") from error
    entries = dict(session.get_modelmeta().custom_metadata_map)
    return Header(entries, _tensors(session.get_inputs()), _tensors(session.get_outputs()))


def kind(header: Header) -> str:
    """`embedder`, `face detector`, `person detector`, or `unknown` for graphs that do not say."""
    return kind_of(header.entries)


def kind_of(entries: Mapping[str, str]) -> str:
    """As `kind`, from the metadata alone."""
    stated = entries.get("recog.kind")
    if stated is not None:
        return stated
    names = {str(name).lower() for name in classes(entries)}
    if entries.get("task") not in ("detect", "pose") or not names:
        return "unknown"
    if "face" in names or (len(names) == 1 and "person" not in names):
        return "face detector"
    return "person detector" if "person" in names else "object detector"


def classes(entries: Mapping[str, str]) -> list[str]:
    """Names of the classes that a YOLO model of ultralytics finds; none for other graphs."""
    names = _literal(entries.get("names", ""))
    return [str(name) for name in names.values()] if isinstance(names, dict) else []


def licence(header: Header) -> str:
    """The licence that a file states."""
    card = _json(header.entries.get("recog.card", ""))
    stated = header.entries.get("recog.licence") or header.entries.get("license")
    return str(card.get("licence") or stated or UNSTATED)


def facts(header: Header) -> dict[str, Any]:
    """What the file says, by what it is about, in the order in which people ask; JSON values."""
    entries, card = header.entries, dict(_json(header.entries.get("recog.card", "")))
    what = kind(header)
    found: dict[str, Any] = {"kind": what, "licence": licence(header)}
    card.pop("licence", None)
    if what == "embedder":
        found |= {
            "architecture": _json(entries.get("recog.model", "")) or UNSTATED,
            "input": list(header.inputs),
            "input template": card.pop("alignment", UNSTATED),
            "embedding size": int(entries["recog.dimension"]) if "recog.dimension" in entries else UNSTATED,
            "category": category(card),
        }
        found |= {about: _first(card, keys) for about, keys in _CARD.items()}
        found["calibration"] = _json(entries.get("recog.calibration", "")) or UNSTATED
    else:
        names = classes(entries)
        found |= {
            "architecture": card.pop("architecture", "") or _yolo(entries) or UNSTATED,
            "input": list(header.inputs),
            "outputs": list(header.outputs),
        }
        if names:
            found["classes"] = names if len(names) <= 10 else f"{', '.join(names[:3])} ... ({len(names)})"
        if "kpt_shape" in entries:
            found["landmarks"] = _literal(entries["kpt_shape"])
        found |= {about: _first(card, keys) for about, keys in _CARD.items() if about != "fold"}
    return found | card


def _yolo(entries: Mapping[str, str]) -> str:
    if "task" not in entries:
        return ""
    made = f"ultralytics {entries.get('version', '')}".strip()
    return f"YOLO for {entries['task']}, {entries.get('head', 'head not named')}, exported by {made}"


def _first(card: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Take what a card says under the first of some names."""
    stated = [card.pop(key) for key in keys if key in card]
    return stated[0] if stated else UNSTATED


def _tensors(values: Any) -> tuple[str, ...]:
    return tuple(
        f"{value.name} [{', '.join(str(side) for side in value.shape)}] "
        f"{value.type.removeprefix('tensor(').removesuffix(')')}"
        for value in values
    )


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
