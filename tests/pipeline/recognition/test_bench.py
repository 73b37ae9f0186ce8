"""The bench runs the real path over a film or a simulated camera and says where the time went."""

import json
import time
from pathlib import Path

import pytest

from pipeline.recognition.bench import statistics
from pipeline.sources.rehearsal import Rehearsal


@pytest.fixture
def film(tmp_path: Path, world) -> Path:  # type: ignore[no-untyped-def]
    return Path(world.film(tmp_path / "a.mp4", world.RED, count=12))


def test_a_film_is_repeated_until_enough_frames_have_come(film: Path) -> None:
    source = Rehearsal(film, 30)
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.seconds for frame in frames] == pytest.approx([i / 20 for i in range(30)])
    assert (frames[0].image == frames[24].image).all()
    assert not source.live
    assert len(source.read_seconds) >= 30


def test_a_camera_is_paced_whether_or_not_frames_are_taken(film: Path) -> None:
    source = Rehearsal(film, 10, rate=50.0)
    started = time.monotonic()
    frames = list(source)
    assert time.monotonic() - started >= 9 / 50
    assert source.live
    assert source.began == pytest.approx(started, abs=1.0)
    assert frames[-1].seconds == pytest.approx(9 / 50)


def test_a_bench_of_a_film_tells_every_stage_and_writes_the_video(  # type: ignore[no-untyped-def]
    tmp_path: Path, film: Path, detector, embedder, recog
) -> None:
    out, report = tmp_path / "o.mp4", tmp_path / "r.json"
    ended = recog("bench", "-s", film, "--frames", 25, "-o", out, "--report", report, "--json")
    assert ended.code == 0, ended.err
    values = json.loads(ended.out)
    assert values == json.loads((tmp_path / "r.json").read_text())
    assert values["frames"] == 25 >= detector.frames > 0
    assert set(values["stages_ms"]) == {"read", "detect", "track", "look", "decide", "draw", "write"}
    assert all(stage["p95"] >= stage["median"] >= 0 for stage in values["stages_ms"].values())
    assert values["fps"] == pytest.approx(25 / values["seconds"], rel=0.05)
    assert values["dropped"] == 0
    assert values["delay_ms"] is None
    assert values["peak_memory_mib"] > 10
    assert values["environment"]["cores"] >= 1
    assert values["environment"]["versions"]["opencv-python"]
    assert "evidence" in values["settings"]
    assert (tmp_path / "o.mp4").stat().st_size > 1000


def test_a_slow_detector_drops_frames_of_a_camera(film: Path, detector, embedder, recog) -> None:  # type: ignore[no-untyped-def]
    detector.before = lambda frame: time.sleep(0.1)
    ended = recog("bench", "-s", film, "--frames", 40, "--live", 100, "--set", "det.every=1", "--json")
    values = json.loads(ended.out)
    assert values["dropped"] + values["frames"] == 40
    assert values["dropped"] > 10
    assert values["delay_ms"]["p95"] > 90
    told = recog("bench", "-s", film, "--frames", 10, "--live", 100)
    assert "delay, capture to overlay" in told.out
    assert "dropped" in told.out


def test_the_input_is_not_overwritten(film: Path, recog) -> None:  # type: ignore[no-untyped-def]
    assert "is the input itself" in recog("bench", "-s", film, "--out", film).err
    assert recog("bench", "-s", film.with_name("no.mp4")).code == 1


def test_nothing_measured_is_no_figure() -> None:
    assert statistics([]) is None
    assert statistics([0.001, 0.003]) == {"median": 2.0, "p95": 2.9, "count": 2}


def test_a_report_tells_no_password_of_a_stream() -> None:
    from pipeline.config import load
    from pipeline.recognition.bench import _shown

    settings = load(
        None,
        ['run.sources=["rtsp://ann:secret@door/live?key=hidden", "0"]', 'mqtt.url="mqtt://ann:secret@host"'],
    )
    told = str(_shown(settings))
    assert "door" in told
    assert not any(word in told for word in ("secret", "hidden", "ann"))
