"""What is seen in a frame, and what is said where nobody can be judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline import build, detectors
from pipeline.authentication.watch import Watch
from pipeline.config import QualitySettings, Settings
from pipeline.types import Detections, Frame, Image


def test_several_people_before_the_camera_are_told_to_be_one(
    world: Any, detector: Any, embedder: Any, tmp_path: Path
) -> None:
    image = np.asarray(cv2.imread(str(world.picture(tmp_path / "two.png", world.RED, world.BLUE))), np.uint8)
    watch = Watch(detectors.detector(Settings()), build.embedder(Settings()), QualitySettings())
    seen = watch.look(Frame(image, 0, 0.0, "camera 0"))
    assert seen.row is None
    assert seen.why == "2 faces: only one person may be before the camera"


def test_what_is_larger_than_the_face_and_may_be_one_is_a_second_person(
    embedder: Any,
) -> None:
    class Doubtful:
        """Finds a face, and a larger one that it believes little."""

        digest = "doubtful"

        def detect(self, image: Image) -> Detections:
            boxes = np.array([[10, 10, 60, 60], [80, 0, 200, 120]], np.float32)
            return Detections(boxes, np.array([0.9, 0.45], np.float32), np.ones((2, 5, 2), np.float32))

    watch = Watch(Doubtful(), build.embedder(Settings()), QualitySettings())
    seen = watch.look(Frame(np.zeros((240, 320, 3), np.uint8), 0, 0.0, "camera 0"))
    assert seen.row is None
    assert seen.why == "2 faces: only one person may be before the camera"
