"""What `gallery` may load, and when: asked in a fresh process, because this one has loaded everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import gallery

FOLDER = Path(gallery.__file__).parent

USE = """
import numpy as np
from pathlib import Path
from gallery import Gallery, NewTemplate
path = Path(sys.argv[1])
with Gallery.open(path, "model", 4, create=True) as opened:
    crop = np.ones((8, 8, 3), np.uint8)
    opened.add("Ada", [NewTemplate(np.ones(4, np.float32), crop, 1.0, "origin", "digest")])
    opened.search(np.ones((1, 4), np.float32))
    list(opened.templates("Ada"))
"""


def loaded(code: str, *arguments: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_the_package_loads_nothing_heavy() -> None:
    modules = loaded("import gallery")
    assert "gallery" in modules
    assert not modules & {
        "faiss",
        "cv2",
        "torch",
        "onnxruntime",
        "ultralytics",
        "scipy",
        "pipeline",
        "siamese",
    }


def test_using_the_package_loads_no_other_package_of_recog(tmp_path: Path) -> None:
    modules = loaded(USE, str(tmp_path / "faces.db"))
    assert {"faiss", "cv2"} <= modules
    assert not modules & {"torch", "onnxruntime", "ultralytics", "scipy", "pipeline", "siamese"}


def test_listing_and_pruning_search_nothing_and_load_nothing_heavy(tmp_path: Path) -> None:
    loaded(USE, str(tmp_path / "faces.db"))
    modules = loaded(
        """
from pathlib import Path
from gallery import Gallery
with Gallery.open(Path(sys.argv[1]), None, None) as opened:
    assert [person.name for person in opened.people()] == ["Ada"]
    opened.remove("Ada")
""",
        str(tmp_path / "faces.db"),
    )
    assert not modules & {"faiss", "cv2"}


def test_a_threshold_is_calibrated_without_scipy() -> None:
    modules = loaded(
        """
import numpy as np
from gallery.calibration import choose_threshold, to_people
faces = np.random.default_rng(0).random((400, 4), np.float32)
assert choose_threshold(to_people(faces[1:], faces[:1], np.zeros(1, np.int64), 1)[:, 0], 0.02).bound <= 0.02
"""
    )
    assert "scipy" not in modules


def test_one_file_alone_knows_faiss() -> None:
    naming = [file.name for file in FOLDER.rglob("*.py") if "faiss." in file.read_text()]
    assert naming == ["index.py"]
