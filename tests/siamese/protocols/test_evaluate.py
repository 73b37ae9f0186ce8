"""Evaluation, on invented people whose embeddings are known."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from siamese import metrics
from siamese.calibration import Calibration
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.lfw import seen
from siamese.lfw.split import Split, split
from siamese.protocols.evaluate import EvaluationSettings, evaluate_lfw, own_protocol, parse
from siamese.protocols.lfw_pairs import Model
from siamese.protocols.report import Report
from siamese.shipped import sha256

QUICK = EvaluationSettings(samples=20, trials=60, splits=2)
CARD = {"outside data": "none", "protocol": "unrestricted"}
OWN = Calibration(14.0, 1.0, 5.0, 10, 10)


def model(looked: Any, protocol: Path, held_out: str = "view1", noise: float = 0.8, **others: Any) -> Model:
    people = split(protocol, held_out)
    given = {"card": CARD | seen.entries(people), "split": people, "calibration": OWN} | others
    return Model(looked(noise), **given)


@pytest.fixture(scope="module")
def view1(crops: CropSet, protocol: Path, looked: Any) -> Report:
    return evaluate_lfw("view1", [model(looked, protocol)], crops, protocol, QUICK)


def test_accuracy_is_the_share_judged_right_where_one_person_is_as_likely_as_two(
    view1: Report, looked: Any
) -> None:
    judged, table, right = view1.judged, looked(0.8).table, 0
    assert judged is not None
    for first, second, same in zip(judged.first, judged.second, judged.same, strict=True):
        right += (np.abs(table[first] - table[second]).sum() <= 14.0) == same
    pairs = view1.as_dict()["pairs"]
    assert pairs["accuracy"]["value"] == pytest.approx(right / 40)
    assert 0.6 < right / 40 < 1
    assert pairs["standard error"] == pytest.approx((right / 40 * (1 - right / 40) / 40) ** 0.5)
    assert pairs["auc"]["value"] == pytest.approx(roc_auc_score(judged.same, -judged.distances))


def test_every_pair_of_all_test_people_is_counted(view1: Report, crops: CropSet, looked: Any) -> None:
    rows = [row for row, person in enumerate(crops.people) if person.startswith("Test_")]
    people = np.unique([crops.people[row] for row in rows], return_inverse=True)[1]
    distances, same = metrics.every_pair(looked(0.8).table[rows], people)
    every = view1.as_dict()["every pair"]
    assert (every["people"], every["images"]) == (40, len(rows))
    assert (every["genuine"], every["impostor"]) == (int(same.sum()), int((~same).sum()))
    assert every["auc"] == pytest.approx(roc_auc_score(same, -distances))
    far, tar, _ = metrics.roc(distances, same)
    assert every["tar at far 0.001"]["value"] == pytest.approx(metrics.tar_at(1e-3, far, tar))


def test_people_it_was_trained_on_are_not_even_looked_at(crops: CropSet, protocol: Path, looked: Any) -> None:
    one = model(looked, protocol)
    evaluate_lfw("view1", [one], crops, protocol, QUICK)
    assert one.embedder.seen == set(split(protocol).test)  # type: ignore[attr-defined]


def test_a_model_without_a_calibration_is_given_that_of_its_validation_people(
    crops: CropSet, protocol: Path, looked: Any
) -> None:
    one = model(looked, protocol, calibration=None)
    report = evaluate_lfw("view1", [one], crops, protocol, QUICK)
    people = split(protocol)
    assert one.embedder.seen == {*people.test, *people.validation}  # type: ignore[attr-defined]
    assert report.judged is not None
    assert report.judged.thresholds[0] != OWN.distance(0)
    few = Split(people.fit, people.validation[:1], people.test, "view1")
    with pytest.raises(DataError, match="allow no calibration"):
        evaluate_lfw("view1", [model(looked, protocol, calibration=None, split=few)], crops, protocol, QUICK)
    flattering = Split(people.fit, people.test[:3], people.test, "view1")
    with pytest.raises(DataError, match="would flatter"):
        evaluate_lfw(
            "view1", [model(looked, protocol, calibration=None, split=flattering)], crops, protocol, QUICK,
            allow_seen=True,
        )  # fmt: skip


def test_a_folds_threshold_comes_from_the_other_folds_held_out(
    crops: CropSet, protocol: Path, looked: Any
) -> None:
    one = model(looked, protocol, "fold:2,5,9")
    report = evaluate_lfw("fold:5,2,9", [one], crops, protocol, QUICK)
    judged = report.judged
    assert judged is not None
    assert set(judged.folds) == {2, 5, 9}
    for fold in (2, 5, 9):
        others = judged.folds != fold
        expected = metrics.best_threshold(judged.distances[others], judged.same[others])
        assert (judged.thresholds[~others] == expected).all()
    pairs = report.as_dict()["pairs"]
    by_fold = list(pairs["accuracy by fold"].values())
    assert pairs["standard error"] == pytest.approx(np.std(by_fold, ddof=1) / 3**0.5)
    assert pairs["standard error over"] == "folds"
    assert one.embedder.seen == set(split(protocol, "fold:2,5,9").test)  # type: ignore[attr-defined]


def test_view_2_asks_for_each_fold_the_model_that_has_not_seen_it(
    crops: CropSet, protocol: Path, looked: Any
) -> None:
    models = [model(looked, protocol, f"fold:{fold}", noise=0.3) for fold in range(1, 11)]
    report = evaluate_lfw("view2", models, crops, protocol, QUICK)
    for fold, one in enumerate(models, 1):
        assert one.embedder.seen <= set(split(protocol, f"fold:{fold}").test)  # type: ignore[attr-defined]
    assert report.judged is not None
    assert np.bincount(report.judged.folds)[1:].tolist() == [6] * 10
    assert report.as_dict()["pairs"]["accuracy"]["value"] > 0.9
    with pytest.raises(DataError, match="none of 9 holds out fold 10"):
        evaluate_lfw("view2", models[:9], crops, protocol, QUICK)


@pytest.mark.parametrize(
    ("protocol_name", "held_out"),
    [("view1", "fold:9,10"), ("fold:9", "view1"), ("fold:9,10", "fold:10"), ("view2", "fold:1")],
)
def test_a_model_is_not_measured_on_people_it_has_seen_without_saying_so(
    crops: CropSet, protocol: Path, looked: Any, protocol_name: str, held_out: str
) -> None:
    one = model(looked, protocol, held_out)
    with pytest.raises(DataError, match="people tested were seen in the model's training; use a protocol"):
        evaluate_lfw(protocol_name, [one], crops, protocol, QUICK)
    assert one.embedder.seen == set()  # type: ignore[attr-defined]
    marked = evaluate_lfw(protocol_name, [one], crops, protocol, QUICK, allow_seen=True)
    assert marked.lines()[1].startswith("NOT A RESULT: ")
    assert "were seen" in marked.as_dict()["warning"]


@pytest.mark.parametrize("name", ["view1", "fold:3", "one-shot", "open-set", "view2"])
def test_a_model_that_does_not_say_whom_it_has_seen_is_refused(
    crops: CropSet, protocol: Path, looked: Any, name: str
) -> None:
    with pytest.raises(DataError, match="does not say whom"):
        evaluate_lfw(name, [model(looked, protocol, split=None)], crops, protocol, QUICK)


def test_a_models_own_protocol_is_of_the_people_its_card_holds_out(protocol: Path, looked: Any) -> None:
    for held_out in ("view1", "fold:9,10"):
        assert own_protocol([model(looked, protocol, held_out)]) == held_out
    assert own_protocol([model(looked, protocol, f"fold:{fold}") for fold in (1, 2)]) == "view2"
    assert own_protocol([model(looked, protocol, split=None)]) == "view1"  # which then refuses it


@pytest.mark.parametrize("name", ["one-shot", "open-set"])
def test_identification_is_of_the_people_held_out(
    crops: CropSet, protocol: Path, looked: Any, name: str
) -> None:
    one, told = model(looked, protocol, "fold:1,2,3", noise=0.3), []
    report = evaluate_lfw(name, [one], crops, protocol, QUICK, progress=lambda *now: told.append(now))
    assert one.embedder.seen == set(split(protocol, "fold:1,2,3").test)  # type: ignore[attr-defined]
    assert name in report.as_dict()
    assert all(isinstance(line, str) for line in report.lines())
    assert told[0][0] == "embedding"


def test_the_record_is_json_and_says_what_it_was_measured_with(
    view1: Report, crops: CropSet, protocol: Path, looked: Any, tmp_path: Path
) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"weights")
    report = evaluate_lfw("view1", [model(looked, protocol)], crops, protocol, QUICK, files=[file])
    told = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert told["category"] == "unrestricted, no outside data"
    assert told["warning"] is None
    assert told["sha256"]["pairsDevTest.txt"] == sha256(protocol / "pairsDevTest.txt")
    assert told["sha256"]["models"] == {"model.onnx": sha256(file)}
    assert re.fullmatch("[0-9a-f]{64}", told["sha256"]["crops"])
    assert told["held out of the models"] == ["view1"]
    assert told["settings"]["seed"] == 0
    assert told["versions"]["numpy"] == np.__version__
    assert told["alignment"] == "invented"
    assert told["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", told["commit"])
    assert told["no face found, centre taken"] == {"people tested": 13}
    resolved = [told["pairs"][f"tar at far {rate}"]["resolved"] for rate in ("0.1", "0.01", "0.001")]
    assert resolved == [True, False, False]  # by twenty pairs of two people
    assert view1.as_dict()["every pair"] == told["every pair"]  # the same again says the same
    assert "category: unrestricted, no outside data" in report.lines()[0]


def test_an_image_that_is_missing_is_an_error(crops: CropSet, protocol: Path, looked: Any) -> None:
    kept = np.array([row for row, file in enumerate(crops.files) if file != "Test_2/Test_2_0002.jpg"])
    with pytest.raises(DataError, match=r"Test_2_0002\.jpg: not among the aligned faces"):
        evaluate_lfw("view1", [model(looked, protocol)], crops.rows(kept), protocol, QUICK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("view1", ("view1", ())),
        ("fold:3", ("fold", (3,))),
        ("fold:10,9,9", ("fold", (9, 10))),
        ("open-set", ("open-set", ())),
    ],
)
def test_protocols_are_read_as_written(text: str, expected: tuple[str, tuple[int, ...]]) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["view3", "fold", "fold:", "fold:a", "view1:2", ""])
def test_what_is_no_protocol_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give view1, view2, fold:K"):
        parse(text)
    with pytest.raises(DataError, match="takes one model"):
        evaluate_lfw("view1", [], None, Path())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["fold:0", "fold:11"])
def test_a_fold_that_there_is_not_is_an_error(crops: CropSet, protocol: Path, looked: Any, name: str) -> None:
    with pytest.raises(DataError, match="fold"):
        evaluate_lfw(name, [model(looked, protocol)], crops, protocol, QUICK)
