"""A device is used where its results are the CPU's, refused where they are not; what was found is kept."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from siamese import placing
from siamese.devices import (
    PROVIDERS,
    Finding,
    Kept,
    apart,
    available,
    check_device,
    detections_apart,
    embeddings_apart,
    judged,
    made_up,
)
from siamese.errors import ModelError
from siamese.placing import examine, finding_of, place
from siamese.runtime import DEFAULT, Embedder
from siamese.session import onnx_runtime, open_session

GOOD = Finding("openvino", "same", 0.0, 5.0, 10.0, 1.0)


class Elsewhere:
    """A session that says it runs on another device; what it computes is the CPU's, but for `wrong`."""

    def __init__(self, session: Any, provider: str, wrong: float = 0.0) -> None:
        self._session, self._provider, self._wrong = session, provider, wrong

    def get_providers(self) -> list[str]:
        return [self._provider, "CPUExecutionProvider"]

    def run(self, names: Any, inputs: Any) -> list[Any]:
        results = self._session.run(names, inputs)
        return [result + np.float32(self._wrong) for result in results]

    def get_modelmeta(self) -> Any:
        return self._session.get_modelmeta()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "cache" / "devices.json")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretends that this onnxruntime has OpenVINO, which is as wrong as one says."""

    def pretend(wrong: float = 0.0, provider: str = "OpenVINOExecutionProvider") -> None:
        def opened(model: Path, threads: int = 0, spin: bool = True, device: str = "cpu") -> Any:
            session = open_session(model, threads, spin)
            return session if device == "cpu" else Elsewhere(session, provider, wrong)

        monkeypatch.setattr(placing, "open_session", opened)
        monkeypatch.setattr(placing, "check_device", lambda device, names: None)
        monkeypatch.setattr(placing, "available", lambda names: ["cpu", "openvino"])
        monkeypatch.setattr(placing, "median_milliseconds", lambda run: 10.0)

    return pretend


def test_the_cpu_is_opened_without_a_check_and_leaves_no_file(tmp_path: Path, kept: Kept) -> None:
    placed = place(DEFAULT, "cpu", 1, kept=kept)
    assert (placed.device, placed.own) == ("cpu", False)
    assert placed.session.get_providers() == ["CPUExecutionProvider"]
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_this_onnxruntime_lacks_is_refused_with_what_there_is(kept: Kept) -> None:
    with pytest.raises(ModelError, match=r"runtime\.provider=cuda: .* runs on cpu; install"):
        place(DEFAULT, "cuda", kept=kept)
    check_device("auto", ["CPUExecutionProvider"])
    assert available(["AzureExecutionProvider", "CPUExecutionProvider"]) == ["cpu"]


def test_what_onnxruntime_passes_over_in_silence_is_noticed_by_asking_the_session() -> None:
    """It opens a session on the CPU, and warns at most."""
    found = examine(DEFAULT, "coreml", 1)
    assert found.verdict == "unusable"
    assert "cannot load it here" in found.why
    assert not found.usable


def test_a_device_that_computes_the_same_is_used_and_that_is_kept(kept: Kept, elsewhere: Any) -> None:
    elsewhere()
    placed = place(DEFAULT, "openvino", 1, kept=kept)
    assert (placed.device, placed.own) == ("openvino", False)
    (found,) = json.loads(kept.path.read_text()).values()
    assert found["verdict"] == "same"
    assert kept.path.stat().st_mode & 0o077 == 0
    elsewhere(wrong=5.0)
    assert place(DEFAULT, "openvino", 1, kept=kept).device == "openvino"  # it is not checked twice


def test_a_device_that_computes_something_else_is_refused_aloud(
    kept: Kept, elsewhere: Any, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere(wrong=0.5)
    placed = place(DEFAULT, "openvino", 1, kept=kept)
    assert placed.device == "cpu"
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(
        "openvino is not used for recog-siamese.onnx, the CPU is: it computes something else"
    )


def test_nonsense_is_wrong_and_not_the_measure_of_itself(kept: Kept, elsewhere: Any) -> None:
    elsewhere(wrong=float("nan"))
    assert finding_of(DEFAULT, "openvino", 1, kept).verdict == "wrong"


def test_embeddings_of_a_device_that_rounds_otherwise_are_told_apart_from_the_cpus(
    elsewhere: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    elsewhere(wrong=1e-4)  # over 168 numbers 0.015 nats: less than may always be, and more than nothing
    embedder = Embedder(threads=1, device="openvino")
    assert (embedder.name, embedder.device) == ("recog-siamese on openvino", "openvino")
    assert Embedder(threads=1).name == "recog-siamese"
    elsewhere()
    kept = Kept()
    finding = examine(DEFAULT, "openvino", 1)
    kept.put(finding, embedder.digest, onnx_runtime().__version__)
    assert Embedder(threads=1, device="openvino").name == "recog-siamese"


@pytest.mark.parametrize(
    ("finding", "chosen"),
    [
        (GOOD, "openvino"),
        (replace(GOOD, milliseconds=9.5), "cpu"),
        (replace(GOOD, verdict="close"), "cpu"),
        (replace(GOOD, verdict="wrong", why="it computes something else"), "cpu"),
    ],
)
def test_auto_leaves_the_cpu_only_for_what_is_faster_and_the_same(
    kept: Kept, elsewhere: Any, finding: Finding, chosen: str
) -> None:
    from siamese.shipped import sha256

    elsewhere()
    kept.put(finding, sha256(DEFAULT), onnx_runtime().__version__)
    assert place(DEFAULT, "auto", 1, kept=kept).device == chosen


def test_a_device_that_is_gone_since_it_was_checked_is_done_without_aloud(
    kept: Kept, elsewhere: Any, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere()
    place(DEFAULT, "openvino", 1, kept=kept)
    elsewhere(provider="AzureExecutionProvider")
    assert place(DEFAULT, "openvino", 1, kept=kept).device == "cpu"
    assert "cannot load it here" in caplog.text


def test_what_could_not_be_used_is_tried_again(kept: Kept, elsewhere: Any) -> None:
    elsewhere(provider="AzureExecutionProvider")
    assert finding_of(DEFAULT, "openvino", 1, kept).verdict == "unusable"
    elsewhere()
    assert finding_of(DEFAULT, "openvino", 1, kept).verdict == "same"


def test_findings_that_cannot_be_kept_are_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    kept = Kept(tmp_path / "file" / "devices.json")
    with caplog.at_level(logging.WARNING):
        kept.put(GOOD, "0" * 64, "1")
    assert "cannot be written" in caplog.text
    assert kept.get("openvino", "0" * 64, "1") is None
    damaged = Kept(tmp_path / "damaged.json")
    for text in ("{", "[]", "null"):
        damaged.path.write_text(text)
        assert damaged.get("openvino", "0" * 64, "1") is None
    damaged.put(GOOD, "0" * 64, "1")
    assert damaged.get("openvino", "0" * 64, "1") == GOOD
    assert damaged.get("openvino", "0" * 64, "2") is None


def test_made_up_input_is_always_the_same_and_shows_faces_that_a_detector_finds() -> None:
    from pipeline.detection.files import model_file

    session = open_session(model_file(None), 1)
    given = made_up(session.get_inputs())
    again = made_up(session.get_inputs())
    assert all(np.array_equal(given[key], again[key]) for key in given)
    scores = session.run(None, given)[0][0, 4]
    assert (scores > 0.8).any()
    crops = made_up(open_session(DEFAULT, 1).get_inputs())["crops"]
    assert crops.shape == (8, 112, 112, 3)
    assert crops.dtype == np.uint8


def test_input_of_another_kind_cannot_be_made_up() -> None:
    class Other:
        name, type, shape = "words", "tensor(int64)", [1, 12]

    with pytest.raises(ModelError, match=r"words is tensor\(int64\) \[1, 12\] cannot be checked"):
        made_up([Other()])


def test_differences_are_shares_of_what_is_allowed() -> None:
    one = np.ones((2, 3), np.float32)
    assert apart([one], [one]) == 0
    assert apart([one * 100.11], [one * 100]) == pytest.approx(0.11 / 0.22, rel=0.01)
    assert apart([one], [one[:1]]) == apart([one * np.nan], [one]) == float("inf")
    assert embeddings_apart([one + 0.01], [one], slope=2.0) == pytest.approx(2 * 0.03 / 0.05, rel=0.01)
    assert (
        embeddings_apart([one * np.nan], [one], 1.0)
        == embeddings_apart([one], [one[:1]], 1.0)
        == float("inf")
    )
    assert judged(0.05, 0) == ("same", 0.05)
    assert judged(3.0, 2.0) == ("close", 0.75)
    assert judged(3.0, 1.0)[0] == judged(float("inf"), 100.0)[0] == "wrong"


def test_where_a_detector_finds_nothing_its_boxes_do_not_count() -> None:
    here = np.zeros((1, 5, 4), np.float32)
    here[0, 4] = (0.9, 0.0, 0.0, 0.05)
    there = here.copy()
    there[0, :4, 1:] = 300
    assert detections_apart([there], [here]) == 0
    there[0, 0, 0] = 1
    assert detections_apart([there], [here]) > 1
    there[0, 0, 0], there[0, 4, 2] = 0, 0.6
    assert detections_apart([there], [here]) > 1
    assert detections_apart([here[0]], [here[0]]) == 0


def test_every_device_of_the_settings_is_one_that_there_is() -> None:
    from typing import get_args

    from pipeline.config import Provider

    assert set(get_args(Provider)) == {"auto", *PROVIDERS}
