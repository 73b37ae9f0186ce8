"""The models on this machine: those that ship with recog, that were adopted or pulled, any other by its path.

An embedder of others that was pulled and then adopted has one name: it stands for the adopted model, which
is the one that can be used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.models.catalogue import CATALOGUE, EMBEDDER, Entry
from pipeline.paths import expanded
from siamese.errors import ModelError
from siamese.shipped import listed, sha256

_PACKAGES = Path(__file__).parents[2]
WEIGHTS = (_PACKAGES / "pipeline" / "weights", _PACKAGES / "siamese" / "weights")


@dataclass(frozen=True, slots=True)
class Local:
    """A model that recog knows by name, and where it is or would be."""

    name: str
    path: Path
    expected: str | None  # its SHA-256, as hex; None where a shipped file is on no list
    entry: Entry | None  # None for those that are not in the catalogue

    def complaint(self) -> str | None:
        """What is wrong with the file; None if it is there and is what it should be."""
        if not self.path.is_file():
            return "missing"
        if self.expected is None:
            return "not in the list of checksums beside it"
        try:
            actual = sha256(self.path)
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        return None if actual == self.expected else f"wrong checksum: {actual} instead of {self.expected}"


def folder() -> Path:
    """Where pulled models are kept: `recog/models` in the user's data folder (XDG)."""
    data = os.environ.get("XDG_DATA_HOME", "")
    # By the XDG base directory specification a relative path there is to be ignored.
    base = Path(data) if os.path.isabs(data) else expanded("~/.local/share")
    return base / "recog" / "models"


def shipped() -> list[Local]:
    """The models that came with recog."""
    paths = [path for weights in WEIGHTS for path in sorted(weights.glob("*.onnx"))]
    return [Local(path.stem, path, listed(path), None) for path in paths]


def adopted_folder() -> Path:
    """Where models lie that `recog models adopt` made."""
    return folder() / "adopted"


def adopted() -> list[Local]:
    """The models that were made of other people's embedders here."""
    paths = sorted(adopted_folder().glob("*.onnx"))
    return [Local(path.stem, path, listed(path), None) for path in paths]


def pullable() -> list[Local]:
    """The models that can be pulled, whether they were or not."""
    return [Local(each.name, folder() / each.file, each.sha256, each) for each in CATALOGUE]


def known(name: str) -> Local | None:
    """The model of this name: shipped, adopted or to be pulled."""
    return next((model for model in [*shipped(), *adopted(), *pullable()] if model.name == name), None)


def resolve(model: str | Path) -> Path:
    """The file that a name or a path stands for: names of shipped and pulled models come first.

    Raises:
        ModelError: a model that was not pulled yet, one that is not what was pulled, or a name nobody knows.
    """
    name, path = str(model), expanded(model)
    local = known(name)
    if local is None:
        if not path.suffix and not path.exists():
            raise ModelError(f"{name}: no model of this name and no such file; see: recog models list")
        return path
    if local.entry is None:
        return local.path  # whoever opens it compares it with the list beside it
    if not local.path.exists():
        raise ModelError(f"{name}: not on this machine yet; get it with: recog models pull {name}")
    wrong = local.complaint()
    if wrong is not None:
        raise ModelError(f"{local.path}: {wrong}; remove it and get it again: recog models pull {name}")
    return local.path


def resolve_embedder(model: str | Path) -> Path:
    """As `resolve`, of an embedder that is to be used.

    Raises:
        ModelError: as `resolve`; or an embedder of others that was not adopted yet.
    """
    local = known(str(model))
    if local is not None and local.entry is not None and local.entry.kind == EMBEDDER:
        raise ModelError(
            f"{model}: comes without our head and its calibration; make a model of it with: "
            f"recog models adopt {model}"
        )
    return resolve(model)


def identify(path: Path) -> Entry | None:
    """The entry of the catalogue that a file is, by its content alone."""
    size = path.stat().st_size
    same = [each for each in CATALOGUE if each.size == size]
    digest = sha256(path) if same else ""
    return next((each for each in same if each.sha256 == digest), None)
