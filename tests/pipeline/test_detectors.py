"""From settings to detectors."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline import detectors
from pipeline.config import DetectSettings, Settings
from pipeline.detection.region import RegionDetector
from pipeline.detection.second_stage import FIRST, CascadeDetector
from pipeline.detection.tiles import TiledDetector
from pipeline.detection.yolo import YoloDetector


def test_settings_reach_the_detector_and_opencv_leaves_the_cores_to_the_models() -> None:
    before = cv2.getNumThreads()
    try:
        made = detectors.detector(
            Settings(det=DetectSettings(size=96, confidence=0.25, overlap=0.6, max_faces=3))
        )
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)
    assert isinstance(made, CascadeDetector)
    assert (made.confidence, made.overlap, made.max_faces) == (0.25, 0.6, 3)
    assert isinstance(made.first, YoloDetector)
    assert (made.first.size, made.first.confidence, made.first.overlap) == (96, FIRST, 0.6)
    assert made.first.max_faces > 3  # the best of them may not stay the best
    assert len(made.detect(np.zeros((48, 64, 3), np.uint8))) <= 3


def test_tiles_and_a_region_are_put_around_the_detector_and_keep_its_checksum() -> None:
    before = cv2.getNumThreads()
    try:
        plain, tiled, region, both = (
            detectors.detector(Settings(det=DetectSettings(size=96, tiles=tiles, roi=roi, max_faces=3)))
            for tiles, roi in ((1, None), (2, None), (1, (0, 0, 0.5, 1)), (2, (0, 0, 0.5, 1)))
        )
    finally:
        cv2.setNumThreads(before)
    assert isinstance(tiled, CascadeDetector)
    assert isinstance(tiled.first, TiledDetector)
    assert (tiled.first.tiles, tiled.max_faces) == (2, 3)
    assert isinstance(region, RegionDetector)
    assert isinstance(both, RegionDetector)
    assert {each.digest for each in (plain, tiled, region, both)} == {plain.digest}
    for each in (plain, tiled, region, both):
        assert len(each.detect(np.zeros((48, 64, 3), np.uint8))) <= 3


def test_authentication_does_without_the_second_stage() -> None:
    one = detectors.of_authentication(Settings(det=DetectSettings(size=96, confidence=0.3)))
    assert isinstance(one, YoloDetector)
    assert (one.size, one.confidence) == (96, 0.3)


def test_a_shipped_detector_is_known_by_its_name() -> None:
    named = detectors.detector(Settings(det=DetectSettings(model=Path("face-n"))))
    assert named.digest == detectors.detector(Settings()).digest
