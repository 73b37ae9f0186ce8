"""Evaluation, on a View 1 of invented people whose embeddings are known."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from siamese import lfw, metrics, plots, provenance
from siamese.calibration import Calibration
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.evaluate import PAIRS, Report, evaluate_view1
from siamese.provenance import category
from siamese.shipped import sha256

TRAIN = {f"Train_{number}": 2 for number in range(80)}
TEST = {f"Test_{number}": 1 + number % 3 for number in range(30)}
PEOPLE = TRAIN | TEST
FILES = [lfw.image_name(person, n + 1) for person, count in PEOPLE.items() for n in range(count)]
SHARE = 0.3
HELD_OUT = set(lfw.split_people(TRAIN, SHARE)[1])
MAGENTA = (255, 0, 255)


class Looked:
    """An embedder that looks a crop's embedding up by the number written into its first pixel."""

    def __init__(self, noise: float = 0.5) -> None:
        random = np.random.default_rng(0)
        number = {person: place for place, person in enumerate(PEOPLE)}
        people = np.array([number[file.partition("/")[0]] for file in FILES])
        centres = random.normal(size=(len(PEOPLE), 16))
        self.table = (centres[people] + noise * random.normal(size=(len(FILES), 16))).astype(np.float32)
        self.seen: set[str] = set()

    def embed(self, crops: np.ndarray) -> np.ndarray:
        rows = crops[:, 0, 0, :2].astype(int) @ [1, 256]
        self.seen |= {FILES[row] for row in rows}
        return self.table[rows]


@pytest.fixture(scope="module")
def crops() -> CropSet:
    images = np.full((len(FILES), 112, 112, 3), MAGENTA, np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(len(FILES)) % 256, np.arange(len(FILES)) // 256
    images.flags.writeable = False
    found = np.array([not file.endswith("_0003.jpg") for file in FILES])
    return CropSet(images, tuple(FILES), tuple(file.partition("/")[0] for file in FILES), found, "invented")


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("protocol")
    for part, people in (("Train", TRAIN), ("Test", TEST)):
        lines = [f"{name}\t{count}" for name, count in people.items()]
        (folder / f"peopleDev{part}.txt").write_text("\n".join([str(len(people)), *lines]))
    several = [name for name, count in TEST.items() if count > 1]
    names = list(TEST)
    same = [f"{name}\t1\t2" for name in several]
    other = [f"{names[i]}\t1\t{names[i + 7]}\t1" for i in range(len(several))]
    (folder / PAIRS).write_text("\n".join([str(len(same)), *same, *other]))
    return folder


def evaluate(crops: CropSet, protocol: Path, embedder: Looked | None = None, **others: Any) -> Report:
    return evaluate_view1(
        embedder or Looked(), crops, protocol, **({"validation_share": SHARE, "samples": 30} | others)
    )


@pytest.fixture(scope="module")
def report(crops: CropSet, protocol: Path) -> Report:
    return evaluate(crops, protocol, Looked(noise=0.8))


def test_accuracy_is_the_share_judged_right_at_the_validation_threshold(report: Report) -> None:
    pairs, table = report.pairs, Looked(noise=0.8).table
    right = 0
    for first, second, same in zip(pairs.first, pairs.second, pairs.same, strict=True):
        right += (np.abs(table[first] - table[second]).sum() <= report.validation.threshold) == same
    assert pairs.accuracy == pytest.approx(right / 40)
    assert 0.6 < pairs.accuracy < 1
    assert pairs.standard_error == pytest.approx((pairs.accuracy * (1 - pairs.accuracy) / 40) ** 0.5)
    assert pairs.figures["auc"].value == pytest.approx(roc_auc_score(pairs.same, -pairs.distances))


def test_every_pair_of_all_test_people_is_counted(report: Report) -> None:
    rows = [row for row, file in enumerate(FILES) if file.startswith("Test_")]
    people = np.array([int(FILES[row].split("_")[1].partition("/")[0]) for row in rows])
    distances, same = metrics.every_pair(Looked(noise=0.8).table[rows], people)
    everyone = report.everyone
    assert (everyone.people, everyone.images) == (30, 60)
    assert (everyone.genuine, everyone.impostor) == (int(same.sum()), int((~same).sum())) == (40, 1730)
    assert everyone.auc == pytest.approx(roc_auc_score(same, -distances))
    far, tar, _ = metrics.roc(distances, same)
    assert everyone.curve.at(1e-3).value == pytest.approx(metrics.tar_at(1e-3, far, tar))


def test_the_threshold_comes_from_the_held_out_people_alone(crops: CropSet, protocol: Path) -> None:
    one, other = Looked(), Looked()
    chosen = {row for row, file in enumerate(FILES) if file.partition("/")[0] in HELD_OUT}
    for row in set(range(len(FILES))) - chosen:
        other.table[row] += np.random.default_rng(row).normal(0, 3, 16)
    expected = evaluate(crops, protocol, one)
    assert (expected.validation.people, expected.validation.images) == (len(HELD_OUT), len(chosen))
    changed = evaluate(crops, protocol, other)
    assert changed.validation == expected.validation
    assert changed.calibration == expected.calibration
    assert changed.pairs.accuracy < expected.pairs.accuracy


def test_people_it_was_trained_on_are_not_even_looked_at(crops: CropSet, protocol: Path) -> None:
    embedder, told = Looked(), []
    evaluate(crops, protocol, embedder, progress=lambda *now: told.append(now))
    assert {file.partition("/")[0] for file in embedder.seen} == HELD_OUT | set(TEST)
    assert told[-1] == (len(embedder.seen), len(embedder.seen))


def test_the_held_out_people_can_be_given(crops: CropSet, protocol: Path) -> None:
    given = evaluate(crops, protocol, validation=HELD_OUT, validation_share=0.9)
    assert given.validation == evaluate(crops, protocol).validation
    assert given.as_dict()["settings"]["validation people"] == "given"


@pytest.mark.parametrize(
    ("people", "what"),
    [
        (["Train_1", "Test_1"], "Test_1 is among the test people"),
        (["Train_1", "Nobody"], "Nobody is nobody of"),
        (["Train_1"], "two validation people"),
        ([], "two validation people"),
    ],
)
def test_people_to_choose_a_threshold_on_must_fit(
    crops: CropSet, protocol: Path, people: list[str], what: str
) -> None:
    with pytest.raises(DataError, match=what):
        evaluate(crops, protocol, validation=people)


def test_an_embedder_that_knows_nothing_is_an_error_and_not_a_figure(crops: CropSet, protocol: Path) -> None:
    embedder = Looked()
    embedder.table[:] = 1
    with pytest.raises(DataError, match="allow no calibration"):
        evaluate(crops, protocol, embedder)


def test_an_image_that_is_missing_is_an_error(crops: CropSet, protocol: Path) -> None:
    kept = np.array([row for row, file in enumerate(FILES) if file != "Test_2/Test_2_0003.jpg"])
    with pytest.raises(DataError, match=r"Test_2_0003\.jpg: not among the aligned faces"):
        evaluate(crops.rows(kept), protocol)


def test_faces_that_were_not_found_are_evaluated_and_counted(report: Report) -> None:
    assert report.not_found == {"validation": 0, "pairs": 0, "every pair": 10}
    assert report.everyone.images == sum(TEST.values())


def test_the_models_own_calibration_is_used_where_it_has_one(crops: CropSet, protocol: Path) -> None:
    own = Calibration(8.0, 0.7, 5.0, 10, 10)
    assert evaluate(crops, protocol, calibrated=own).calibration == own


def test_the_record_is_json_and_says_what_it_was_measured_with(
    report: Report, crops: CropSet, protocol: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"weights")
    card = {"outside data": "label-free", "protocol": "unrestricted"}
    told = json.loads(
        json.dumps(evaluate(crops, protocol, model=model, card=card, seed=3).as_dict(), allow_nan=False)
    )
    assert told["category"] == "unrestricted, label-free outside data"
    assert told["sha256"] == {PAIRS: sha256(protocol / PAIRS), "model": sha256(model)}
    assert told["settings"]["seed"] == 3
    assert told["versions"]["numpy"] == np.__version__
    assert told["alignment"] == "invented"
    assert told["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", told["commit"])
    plain = report.as_dict()
    assert plain["category"].startswith("unknown")
    assert plain["sha256"]["model"] is None
    resolved = [plain["pairs"][f"tar at far {rate}"]["resolved"] for rate in ("0.1", "0.01", "0.001")]
    assert resolved == [True, False, False]  # by twenty pairs of two people
    resolved = [plain["every pair"][f"tar at far {rate}"]["resolved"] for rate in ("0.001", "0.0001")]
    assert resolved == [True, False]  # by 1,730


def test_the_same_evaluation_says_the_same(report: Report, crops: CropSet, protocol: Path) -> None:
    assert evaluate(crops, protocol, Looked(noise=0.8)).as_dict() == report.as_dict()


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({"outside data": "none", "protocol": "restricted"}, "restricted, no outside data"),
        ({"outside data": "labelled", "protocol": "unrestricted"}, "unrestricted, labelled outside data"),
        ({"outside data": "some", "protocol": "unrestricted"}, "unknown: the model card does not say"),
        ({"outside data": "none (but a detector's)"}, "unrestricted, no outside data"),
        ({"outside data": "labelled (through teachers)"}, "unrestricted, labelled outside data"),
        ({"outside data": "none", "protocol": "free"}, "unknown: the model card does not say"),
        ({}, "unknown: the model card does not say"),
    ],
)
def test_the_category_is_what_the_card_says(card: dict[str, str], expected: str) -> None:
    assert category(card) == expected


def test_code_that_lies_in_somebody_elses_repository_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        own = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-C", str(tmp_path)]
        subprocess.run([*own, *arguments], check=True, capture_output=True)

    code = tmp_path / "provenance.py"
    code.write_text("1")
    monkeypatch.setattr(provenance, "__file__", str(code))
    assert provenance.commit() is None
    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    assert provenance.commit() is None
    git("add", "provenance.py")
    git("commit", "-m", "ours")
    clean = provenance.commit()
    assert clean is not None
    assert re.fullmatch("[0-9a-f]{40}", clean)
    code.write_text("2")
    assert provenance.commit() == f"{clean}-dirty"
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() is None


# --- pictures


def colours(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image.reshape(-1, 3)


@pytest.mark.parametrize("count", [1, 5])
def test_the_sheet_shows_pairs_at_random_and_the_most_wrong_ones(
    report: Report, crops: CropSet, tmp_path: Path, count: int
) -> None:
    errors = round(40 * (1 - report.pairs.accuracy))
    path = plots.pair_sheet(report, crops, tmp_path / "sheet.png", count=count)
    shown = (colours(path) == MAGENTA).all(axis=1).sum()
    one = 2 * 112 * 112  # pixels of a pair, before it is scaled to the page
    assert shown > (count + min(errors, count)) * one


def test_the_sheet_of_a_model_without_errors_can_be_drawn(
    crops: CropSet, protocol: Path, tmp_path: Path
) -> None:
    perfect = evaluate(crops, protocol, Looked(noise=0.01))
    assert perfect.pairs.accuracy == 1
    path = plots.pair_sheet(perfect, crops, tmp_path / "sheet.png")
    assert (colours(path) == MAGENTA).all(axis=1).any()


def test_curve_and_histogram_are_drawn_in_their_colours(report: Report, tmp_path: Path) -> None:
    for draw in (plots.roc_curve, plots.histogram):
        path = draw(report, tmp_path / f"{draw.__name__}.png")
        assert len(np.unique(colours(path), axis=0)) > 50


@pytest.mark.parametrize(
    ("llr", "text"),
    [(0.0, "50.0 %"), (20.0, "> 99.99 %"), (-20.0, "< 0.01 %"), (4.0, "98.20 %"), (-4.0, "1.80 %")],
)
def test_ratios_are_told_as_probabilities(llr: float, text: str) -> None:
    assert plots._percent(llr) == text
