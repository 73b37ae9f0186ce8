"""What is seen in a frame, and what is said where nobody can be judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline import build
from pipeline.authentication.watch import Watch
from pipeline.config import QualitySettings, Settings
from pipeline.types import Frame


def test_several_people_before_the_camera_are_told_to_be_one(
    world: Any, detector: Any, embedder: Any, tmp_path: Path
) -> None:
    image = np.asarray(cv2.imread(str(world.picture(tmp_path / "two.png", world.RED, world.BLUE))), np.uint8)
    watch = Watch(build.detector(Settings()), build.embedder(Settings()), QualitySettings())
    seen = watch.look(Frame(image, 0, 0.0, "camera 0"))
    assert seen.row is None
    assert seen.why == "2 faces: only one person may be before the camera"
