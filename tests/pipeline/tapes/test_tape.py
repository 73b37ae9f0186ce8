"""A tape holds looks and no pixels, survives a crash, and is decided and searched again as the run was."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import EvidenceSettings
from pipeline.errors import SinkError, SourceError
from pipeline.tapes.replay import search
from pipeline.tapes.tape import Run, Tape
from pipeline.tapes.writer import TapeWriter
from pipeline.types import UNDECIDED, Frame, Look, Result, TrackedFace
from siamese.calibration import Calibration

MODEL = "colours 1111, five points"
CALIBRATION = Calibration(intercept=8.0, slope=0.8, ceiling=9.0, genuine=100, impostor=30_000)
BOX = np.array([1, 2, 31, 42], np.float32)
MARKS = np.zeros((5, 2), np.float32)


def run(name: str = "run1", source: str = "a.mp4") -> Run:
    return Run(name, source, "2026-11-24T10:00:00+00:00", False)


def result(index: int, looked: dict[int, list[float]], seen: tuple[int, ...] = ()) -> Result:
    """A frame in which some tracks were looked at, and others only seen."""
    faces = tuple(TrackedFace(t, BOX, MARKS, 0.9, UNDECIDED) for t in (*looked, *seen))
    looks = tuple(Look(t, BOX, MARKS, np.array(e, np.float32), 0.5) for t, e in looked.items())
    return Result(Frame(np.zeros((4, 4, 3), np.uint8), index, index / 10, "a.mp4"), faces, {}, looks)


def write(path: Path, results: list[Result], which: Run | None = None) -> Path:
    with TapeWriter(path, which or run(), MODEL, 4) as tape:
        for each in results:
            tape.take(each)
    return path


def test_nothing_more_is_kept_of_a_track_that_was_erased(tmp_path: Path) -> None:
    path, gone = tmp_path / "t.tape", set[int]()
    with TapeWriter(path, run(), MODEL, 4, erased=gone.__contains__) as tape:
        tape.take(result(0, {3: [1, 2, 3, 4], 4: [5, 6, 7, 8]}))
        gone.add(3)  # what waits to be written goes, too
        tape.take(result(1, {3: [1, 2, 3, 4]}, (4,)))
    with Tape(path, MODEL) as read:
        assert set(read.looks("run1").tracks) == {4}
        assert [each.track for each in read.tracks("run1")] == [4]


def test_what_was_looked_at_is_read_back_exactly(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.tape",
        [
            result(0, {3: [0.1, 2, 3, 4]}),
            result(1, {}, (3, -1)),
            result(2, {3: [5, 6, 7, 8], 4: [9, 9, 9, 9]}),
        ],
    )
    with Tape(path, MODEL) as tape:
        assert tape.runs() == [run()]
        looks, tracks = tape.looks("run1"), tape.tracks("run1")
    assert (looks.tracks, looks.frames) == ((3, 3, 4), (0, 2, 2))
    np.testing.assert_array_equal(
        looks.embeddings, np.array([[0.1, 2, 3, 4], [5, 6, 7, 8], [9, 9, 9, 9]], np.float32)
    )
    np.testing.assert_array_equal(looks.boxes, [BOX] * 3)
    assert [(t.track, t.first_frame, t.last_seconds) for t in tracks] == [(3, 0, 0.2), (4, 2, 0.2)]
    assert os.listdir(tmp_path) == ["t.tape"]


def test_a_tape_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        with TapeWriter(tmp_path / "t.tape", run(), MODEL, 4) as tape:
            tape.take(result(0, {1: [1, 2, 3, 4]}))
            modes = {(tmp_path / name).stat().st_mode & 0o777 for name in os.listdir(tmp_path)}
    finally:
        os.umask(previous)
    assert modes == {0o600}


def test_runs_share_a_tape(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tape", [result(0, {1: [1, 1, 1, 1]})])
    write(path, [result(0, {1: [2, 2, 2, 2]})], run("run2", "b.mp4"))
    with Tape(path, MODEL) as tape:
        assert [each.source for each in tape.runs()] == ["a.mp4", "b.mp4"]
        assert tape.looks("run2").embeddings.tolist() == [[2, 2, 2, 2]]


def test_another_model_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tape", [result(0, {1: [1, 1, 1, 1]})])
    with pytest.raises(SinkError, match="was made with the model colours"):
        TapeWriter(path, run("run2"), "another", 4)
    with pytest.raises(SourceError, match="give that one with --model"):
        Tape(path, "another")
    with Tape(path, MODEL) as tape:
        assert len(tape.runs()) == 1


@pytest.mark.parametrize("kind", ["missing", "text", "database", "newer", "folder"])
def test_what_is_no_tape_is_refused_and_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t.tape"
    if kind == "text":
        path.write_text("precious " * 1000)
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        write(path, [])
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 9" if kind == "newer" else "PRAGMA application_id = 7")
        connection.close()
    with pytest.raises(SourceError, match=r"t\.tape") as caught:
        Tape(path, MODEL)
    assert "\n" not in str(caught.value)
    if kind != "missing":
        with pytest.raises(SinkError, match=r"t\.tape"):
            TapeWriter(path, run("run2"), MODEL, 4)
    if kind == "text":
        assert path.read_text() == "precious " * 1000


def test_a_killed_process_loses_no_more_than_the_last_second(tmp_path: Path) -> None:
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import pipeline.tapes.writer as tapes, test_tape
tapes.COMMIT_SECONDS = 0.0
tape = tapes.TapeWriter(tapes.Path(sys.argv[1]), test_tape.run(), test_tape.MODEL, 4)
for i in range(10):
    tape.take(test_tape.result(i, {{1: [i, i, i, i]}}))
print("written", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "t.tape")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Tape(tmp_path / "t.tape", MODEL) as tape:
        assert tape.looks("run1").frames == tuple(range(10))
        assert tape.tracks("run1")[0].last_frame == 9


def test_a_search_ranks_tracks_by_evidence_and_needs_more_of_it_on_a_longer_tape(tmp_path: Path) -> None:
    def searched(strangers: int) -> list[tuple[int, float]]:
        path = tmp_path / f"{strangers}.tape"
        looks = {1: [10.0, 0, 0, 0], **{2 + i: [0, 10.0, i, 0] for i in range(strangers)}}
        write(path, [result(i, looks) for i in range(5)])
        with Tape(path, MODEL) as tape:
            found, chance = search(tape, np.array([10, 0, 0, 0], np.float32), CALIBRATION, EvidenceSettings())
        assert len(found) == 1 + strangers
        assert found[0].probability <= chance <= 1
        return [(each.track.track, each.probability) for each in found]

    few, many = searched(2), searched(2000)
    assert few[0][0] == many[0][0] == 1
    assert few[0][1] > 0.99 > many[0][1] > 0.5
    assert all(chance < 0.01 for _, chance in few[1:] + many[1:])


def test_an_empty_tape_knows_nobody(tmp_path: Path) -> None:
    with Tape(write(tmp_path / "t.tape", []), MODEL) as tape:
        assert search(tape, np.zeros(4, np.float32), CALIBRATION, EvidenceSettings()) == ([], 0.0)


class TestCommands:
    """`recog run --tape`, `recog replay`, `recog search` over a film of coloured squares."""

    @pytest.fixture
    def taped(self, tmp_path: Path, world, detector, embedder, recog) -> Path:  # type: ignore[no-untyped-def]
        """Red and green walk by, while only red is enrolled."""
        film = world.film(tmp_path / "a.mp4", world.RED, world.GREEN)
        recog("enroll", "--name", "red", "--images", world.picture(tmp_path / "red.png", world.RED))
        ended = recog("run", "-s", film, "--tape", tmp_path / "t.tape", "--json")
        assert ended.code == 0, ended.err
        return tmp_path / "t.tape"

    def test_a_replay_decides_as_the_run_did(self, taped: Path, recog) -> None:  # type: ignore[no-untyped-def]
        tracks = json.loads(recog("replay", "--tape", taped, "--json").out)["tracks"]
        assert sorted((each["state"], each["name"]) for each in tracks) == [
            ("named", "red"),
            ("unknown", None),
        ]
        told = recog("replay", "--tape", taped).out
        assert "red" in told
        assert "1 track unknown, 0 undecided" in told

    @pytest.mark.parametrize(
        ("count", "rate"),
        [(8, 20.0), (4, 0.5), (1, 20.0), (0, 0.0)],
        ids=["moment", "slides", "frame", "photos"],
    )
    def test_what_one_look_was_enough_for_is_decided_as_the_run_did(  # type: ignore[no-untyped-def]
        self, tmp_path: Path, world, detector, embedder, recog, count: int, rate: float
    ) -> None:
        if count:
            source = world.film(tmp_path / "a.avi", world.RED, world.GREEN, count=count, fps=rate)
        else:
            source = tmp_path / "photos"
            source.mkdir()
            for name in ("a.png", "b.png"):
                world.picture(source / name, world.RED, world.GREEN)
        recog("enroll", "--name", "red", "--images", world.picture(tmp_path / "red.png", world.RED))
        ended = recog("run", "-s", source, "--tape", tmp_path / "t.tape", "--events", tmp_path / "e.jsonl")
        assert (ended.code, ended.err) == (0, "")
        assert "red" in ended.out
        tracks = json.loads(recog("replay", "--tape", tmp_path / "t.tape", "--json").out)["tracks"]
        assert {(each["state"], each["name"]) for each in tracks} == {("named", "red"), ("unknown", None)}
        assert all(each["once"] for each in tracks)

    def test_another_gallery_gives_other_names(self, taped: Path, world, recog) -> None:  # type: ignore[no-untyped-def]
        other = taped.with_name("other.db")
        picture = world.picture(taped.with_name("green.png"), world.GREEN)
        recog("enroll", "--gallery", other, "--name", "green", "--images", picture)
        tracks = json.loads(recog("replay", "--tape", taped, "-g", other, "--json").out)["tracks"]
        assert sorted((each["state"], each["name"]) for each in tracks) == [
            ("named", "green"),
            ("unknown", None),
        ]

    def test_other_settings_give_other_verdicts(self, taped: Path, recog) -> None:  # type: ignore[no-untyped-def]
        told = recog("replay", "--tape", taped, "--set", "evidence.min_looks=1000").out
        assert "nobody was recognised" in told
        assert "0 tracks unknown, 2 undecided" in told

    def test_nobody_need_be_enrolled_to_be_found_later(  # type: ignore[no-untyped-def]
        self, tmp_path: Path, world, detector, embedder, recog
    ) -> None:
        film = world.film(tmp_path / "a.mp4", world.RED, world.GREEN)
        assert recog("run", "-s", film, "--tape", tmp_path / "t.tape").code == 0
        green = world.picture(tmp_path / "green.png", world.GREEN)
        found = json.loads(recog("search", "-i", green, "-t", tmp_path / "t.tape", "--json").out)
        assert found["here_before"] is True
        assert found["searched"] == 2
        assert found["tracks"][0]["probability"] > 0.99
        assert "yes, with probability 9" in recog("search", "-i", green, "-t", tmp_path / "t.tape").out

    def test_a_stranger_was_not_here_before(self, taped: Path, world, recog) -> None:  # type: ignore[no-untyped-def]
        blue = world.picture(taped.with_name("blue.png"), world.BLUE)
        ended = recog("search", "--image", blue, "--tape", taped)
        assert ended.code == 0
        assert "no such person was decided on; probability 0.0%" in ended.out

    @pytest.mark.parametrize("command", ["replay", "search"])
    def test_a_missing_tape_is_one_line(  # type: ignore[no-untyped-def]
        self, tmp_path: Path, world, detector, embedder, recog, command: str
    ) -> None:
        picture = ["--image", world.picture(tmp_path / "a.png", world.RED)] * (command == "search")
        ended = recog(command, "--tape", tmp_path / "no.tape", *picture)
        assert ended.code == 1
        assert "there is no tape at" in ended.err
        assert ended.err.count("\n") == 1

    def test_a_picture_of_two_is_refused(self, taped: Path, world, recog) -> None:  # type: ignore[no-untyped-def]
        both = world.picture(taped.with_name("two.png"), world.RED, world.GREEN)
        ended = recog("search", "--image", both, "--tape", taped)
        assert ended.code == 1
        assert "2 faces" in ended.err


def test_sources_that_make_one_tape_at_the_same_moment_share_it(tmp_path: Path) -> None:
    for attempt in range(10):
        path, together = tmp_path / f"{attempt}.tape", threading.Barrier(4)

        def make(number: int, path: Path = path, together: threading.Barrier = together) -> None:
            together.wait()
            write(path, [result(0, {number: [1, 2, 3, 4]})], run(f"run{number}"))

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(make, range(4)))
        with Tape(path, MODEL) as tape:
            assert {each.run for each in tape.runs()} == {"run0", "run1", "run2", "run3"}
            assert [tape.tracks(f"run{number}")[0].track for number in range(4)] == [0, 1, 2, 3]
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_source_and_a_program_that_comes_and_goes_take_no_log_from_the_first(tmp_path: Path) -> None:
    path = tmp_path / "t.tape"
    comes_and_goes = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM').connection.close()"
    with TapeWriter(path, run(), MODEL, 4) as first:
        TapeWriter(path, run("run2"), MODEL, 4).close()
        subprocess.run([sys.executable, "-c", comes_and_goes, str(path)], check=True, timeout=60)
        assert path.with_name("t.tape-wal").exists(), "the other program took itself for the last one"
        first.take(result(0, {3: [1, 2, 3, 4]}))
    with Tape(path, MODEL) as tape:
        assert len(tape.looks("run1")) == 1


def test_tracks_of_a_live_source_have_the_times_of_the_wall_clock(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=2))
    before, after = result(0, {3: [0.1, 2, 3, 4]}), result(1, {}, (3,))
    # Between the two the clock was put back, as a time server does.
    before = replace(before, frame=replace(before.frame, taken=datetime(2026, 11, 28, 12, 0, 5, tzinfo=zone)))
    after = replace(after, frame=replace(after.frame, taken=datetime(2026, 11, 28, 12, 0, 1, tzinfo=zone)))
    path = write(tmp_path / "t.tape", [before, after])
    with Tape(path, MODEL) as tape:
        (track,) = tape.tracks("run1")
        assert (track.first_taken, track.last_taken) == (
            "2026-11-28T10:00:05.000+00:00",
            "2026-11-28T10:00:01.000+00:00",
        )
        tape.erase({"run1": [0]})
        assert tape.tracks("run1") == []
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM times").fetchone() == (0,)


def test_a_track_at_which_one_look_was_enough_says_so_until_it_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "t.tape"
    each = result(0, {3: [0.1, 2, 3, 4], 5: [1, 1, 1, 1]})
    write(path, [replace(each, frame=replace(each.frame, brief=True)), result(1, {7: [2, 2, 2, 2]})])
    with Tape(path, MODEL) as tape:
        assert [(track.track, track.once) for track in tape.tracks("run1")] == [
            (3, True),
            (5, True),
            (7, False),
        ]
        tape.erase({"run1": [0]})
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT track FROM once").fetchall() == [(5,)]
        connection.execute("DROP TABLE once")
    with Tape(path, MODEL) as tape:  # a tape of before
        assert [track.once for track in tape.tracks("run1")] == [False, False]


def test_a_tape_of_before_has_no_times_of_the_wall_clock_and_takes_more_runs(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tape", [result(0, {3: [0.1, 2, 3, 4]})])
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE times")
    with Tape(path, MODEL) as tape:
        assert tape.tracks("run1")[0].first_taken is None
    write(path, [result(0, {1: [2, 2, 2, 2]})], run("run2", "b.mp4"))
    with Tape(path, MODEL) as tape:
        assert [each.run for each in tape.runs()] == ["run1", "run2"]
