"""Pairs of other sets, calibrations that can be believed or not, and the pictures of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from siamese import calibration, metrics
from siamese.calibration import Calibration
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.plots import curves, scatter, sheet
from siamese.protocols.evaluate import EvaluationSettings, evaluate_pairs
from siamese.protocols.everyone import everyone
from siamese.protocols.lfw_pairs import Model
from siamese.protocols.reliability import reliability
from siamese.protocols.report import Report
from siamese.protocols.verification import Verification

QUICK = EvaluationSettings(samples=20)
OWN = Calibration(14.0, 1.0, 5.0, 10, 10)
MAGENTA = (255, 0, 255)


@pytest.fixture(scope="module")
def report(crops: CropSet, protocol: Path, looked: Any) -> Report:
    files = tuple(file.replace(".jpg", ".png") for file in crops.files)
    return evaluate_pairs(
        Model(looked(0.8), {}, None, OWN),
        OWN,
        replace(crops, files=files),
        protocol / "pairsDevTest.txt",
        QUICK,
    )


def test_one_fold_of_pairs_is_judged_where_the_models_calibration_is_even(report: Report) -> None:
    judged = report.judged
    assert judged is not None
    assert set(judged.thresholds) == {14.0}
    told = report.as_dict()
    assert told["category"].startswith("unknown")
    assert "its card cannot say" in told["data"]
    assert told["pairs"]["accuracy"]["value"] == judged.right.mean()


def test_several_folds_give_each_other_thresholds(crops: CropSet, protocol: Path, looked: Any) -> None:
    found = evaluate_pairs(Model(looked(), {}, None, OWN), OWN, crops, protocol / "pairs.txt", QUICK)
    assert found.judged is not None
    expected = metrics.thresholds_of_others(found.judged.distances, found.judged.same, found.judged.folds)
    assert (found.judged.thresholds == expected).all()
    assert found.as_dict()["pairs"]["standard error over"] == "folds"


def test_images_that_are_missing_or_doubtful_are_errors(crops: CropSet, protocol: Path, looked: Any) -> None:
    pairs = protocol / "pairsDevTest.txt"
    with pytest.raises(DataError, match="no such image among those given"):
        evaluate_pairs(Model(looked(), {}, None, OWN), OWN, crops.rows(np.arange(5)), pairs, QUICK)
    twice = replace(crops, files=("Train_0/Train_0_0002.png", *crops.files[1:]))
    with pytest.raises(DataError, match="another image of this name"):
        evaluate_pairs(Model(looked(), {}, None, OWN), OWN, twice, pairs, QUICK)


def people(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(80), 3)
    return (random.normal(size=(80, 6))[labels] + 0.5 * random.normal(size=(240, 6))).astype(
        np.float32
    ), labels


def test_a_fitted_calibration_can_be_believed_on_other_people_and_an_exaggerated_one_cannot() -> None:
    fitted = calibration.fit(*metrics.every_pair(*people(0)))
    found = reliability(fitted, *people(1), seed=0)
    assert found.cost < 1.3 * found.least_cost
    assert all(excess.share < excess.allowed for excess in found.excesses)
    assert (found.low < found.high).all()
    boastful = replace(fitted, intercept=4 * fitted.intercept + 4, slope=4 * fitted.slope, ceiling=9.0)
    wrong = reliability(boastful, *people(1), seed=0)
    assert wrong.cost > 2 * found.cost
    assert "MORE than" in wrong.lines()[0]
    assert wrong.as_dict()["strangers"][0]["allowed"] == pytest.approx(np.exp(-1))


def test_people_told_apart_without_error_and_a_ceiling_of_nothing_are_reported_too(tmp_path: Path) -> None:
    embeddings = np.array([[0], [0.1], [9], [9.1]], np.float32)
    found = reliability(Calibration(10.0, 5.0, 0.5, 2, 4), embeddings, np.array([0, 0, 1, 1]), seed=0)
    assert (len(found.claimed), len(found.low), found.excesses, found.least_cost) == (0, 0, (), 0)
    assert "too low to be checked" in found.lines()[0]
    assert curves.reliability_diagram(found, "title", tmp_path / "reliability.png").is_file()


def colours(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image.reshape(-1, 3)


@pytest.mark.parametrize("count", [1, 5])
def test_the_sheet_shows_pairs_at_random_and_the_most_wrong_ones(
    report: Report, crops: CropSet, tmp_path: Path, count: int
) -> None:
    assert report.judged is not None
    errors = int((~report.judged.right).sum())
    assert errors
    path = sheet.pair_sheet(report.judged, crops, tmp_path / "sheet.png", count=count)
    shown = (colours(path) == MAGENTA).all(axis=1).sum()
    assert shown > (count + min(errors, count)) * 2 * 112 * 112  # pixels of a pair, before it is scaled


def test_the_sheet_of_a_model_without_errors_can_be_drawn(
    report: Report, crops: CropSet, tmp_path: Path
) -> None:
    assert report.judged is not None
    perfect = replace(report.judged, distances=np.where(report.judged.same, 1, 99).astype(np.float32))
    path = sheet.pair_sheet(perfect, crops, tmp_path / "sheet.png")
    assert (colours(path) == MAGENTA).all(axis=1).any()


def test_curves_histogram_reliability_and_map_are_drawn(
    report: Report, crops: CropSet, looked: Any, tmp_path: Path
) -> None:
    judged, pairs = report.judged, report.parts["pairs"]
    assert judged is not None
    assert isinstance(pairs, Verification)
    every = everyone(*people(0), samples=10, seed=0)
    found = reliability(OWN, *people(1), seed=0)
    rows = np.arange(len(crops))
    for path in (
        curves.roc_curve(pairs, every, "title", tmp_path / "roc.png"),
        curves.det_curve(judged, "title", tmp_path / "det.png"),
        curves.histogram(judged, pairs, "title", tmp_path / "scores.png"),
        curves.reliability_diagram(found, "title", tmp_path / "reliability.png"),
        scatter.embedding_map(looked().table, crops, rows, tmp_path / "map.png", "title"),
    ):
        assert len(np.unique(colours(path), axis=0)) > 50


@pytest.mark.parametrize(
    ("llr", "text"),
    [(0.0, "50.0 %"), (20.0, "> 99.99 %"), (-20.0, "< 0.01 %"), (4.0, "98.20 %"), (-4.0, "1.80 %")],
)
def test_ratios_are_told_as_probabilities(llr: float, text: str) -> None:
    assert sheet._percent(llr) == text
