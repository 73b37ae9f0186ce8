"""What `siamese` may load, and when: asked in a fresh process, because this one has loaded everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import siamese

FOLDER = Path(siamese.__file__).parent
NEVER = {"ultralytics", "pipeline", "gallery", "faiss"}
HEAVY = {"torch", "torchvision", "matplotlib", "scipy", "sklearn", "tensorboard", "onnx"}
# Whatever running, enrolling and evaluating import: everything but what training is made of.
TORCH = {
    "augment",
    "batches",
    "checkpoint",
    "embed",
    "export",
    "grow",
    "losses",
    "margin",
    "model",
    "muon",
    "precision",
    "resume",
    "step",
    "train",
    "warm_start",
}
TRAINING = {f"training.{name}" for name in TORCH}
MODULES = {".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.glob("**/[a-z]*.py")}
LIGHT = sorted(MODULES - TRAINING)


def loaded(code: str, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)", *arguments],
        env=os.environ | {"PYTHONPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_the_package_loads_next_to_nothing() -> None:
    modules = loaded("import siamese")
    assert "siamese" in modules
    assert not modules & (NEVER | HEAVY | {"numpy", "cv2", "onnxruntime", "pydantic"})


def test_what_running_and_evaluating_import_loads_nothing_of_training() -> None:
    assert {
        "runtime",
        "lfw.files",
        "protocols.evaluate",
        "plots.curves",
        "lfw.triplets",
        "frozen.graph",
        "protocols.open_set",
        "training.faces",
        "training.prefetch",
        "settings",
        "lfw.split",
        "training.teacher",
    } <= set(LIGHT)
    modules = loaded("\n".join(f"import siamese.{name}" for name in LIGHT))
    assert not modules & (NEVER | HEAVY | {"onnxruntime"})


def test_embedding_loads_onnxruntime_and_nothing_of_training(exported: Path) -> None:
    modules = loaded(
        "import numpy as np\nfrom pathlib import Path\nfrom siamese.runtime import Embedder\n"
        "Embedder(Path(sys.argv[1])).embed(np.zeros((1, 112, 112, 3), np.uint8))",
        str(exported),
    )
    assert "onnxruntime" in modules
    assert not modules & (NEVER | HEAVY)


def test_training_loads_torch_and_no_other_package_of_recog() -> None:
    modules = loaded("import siamese.training.train, siamese.training.export")
    assert "torch" in modules
    assert not modules & NEVER


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.stem)
def test_no_file_names_the_packages_that_build_on_this_one(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    imported = [
        line.split()[1].split(".")[0]
        for line in map(str.strip, lines)
        if line.startswith(("import ", "from "))
    ]
    assert not {"pipeline", "gallery", "ultralytics"} & set(imported)
