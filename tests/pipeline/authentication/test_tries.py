"""Failures count over restarts, lock for longer and longer, and cannot be taken back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.authentication.tries import FIRST, FREE, LONGEST, MOST, Tries, TriesError, pause


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.db.tries"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def failed(file: Path, clock: Clock, times: int, name: str = "alice") -> None:
    for _ in range(times):
        Tries(file, name, clock).charge()  # each in a program of its own


def test_five_failures_lock_for_thirty_seconds_and_each_further_for_twice_as_long(
    file: Path, clock: Clock
) -> None:
    tries = Tries(file, "alice", clock)
    failed(file, clock, FREE - 1)
    assert tries.refusal() is None
    failed(file, clock, 1)
    assert tries.refusal() == "5 tries in a row failed; try again in 30 s"
    clock.now += FIRST - 1
    assert tries.refusal() is not None
    clock.now += 1
    assert tries.refusal() is None
    failed(file, clock, 1)
    assert tries.refusal() == "6 tries in a row failed; try again in 60 s"


def test_a_lock_lasts_an_hour_at_most_and_after_fifty_failures_for_good(file: Path, clock: Clock) -> None:
    assert pause(FREE - 1) == 0
    assert pause(30) == LONGEST
    failed(file, clock, MOST)
    clock.now += 10 * LONGEST
    assert "50 tries in a row failed" in (Tries(file, "alice", clock).refusal() or "")


def test_success_forgets_the_failures_of_that_person_alone(file: Path, clock: Clock) -> None:
    failed(file, clock, FREE)
    failed(file, clock, FREE, "bob")
    Tries(file, "alice", clock).clear()
    assert Tries(file, "alice", clock).refusal() is None
    assert Tries(file, "alice", clock).failures() == 0
    assert Tries(file, "bob", clock).refusal() is not None


def test_a_clock_that_is_set_back_does_not_end_a_lock(file: Path, clock: Clock) -> None:
    failed(file, clock, FREE)
    clock.now -= 1e6
    assert Tries(file, "alice", clock).refusal() == "5 tries in a row failed; try again in 30 s"


def test_the_file_is_its_owners_alone(file: Path, clock: Clock) -> None:
    failed(file, clock, 1)
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o620)
    with pytest.raises(TriesError, match="may be written by others"):
        Tries(file, "alice", clock).refusal()


def test_a_folder_others_may_write_to_is_refused(file: Path, clock: Clock) -> None:
    failed(file, clock, 1)
    file.parent.chmod(0o777)
    try:
        with pytest.raises(TriesError, match="who could delete"):
            Tries(file, "alice", clock).refusal()
        file.parent.chmod(0o1777)  # as /tmp: nobody deletes what is somebody else's
        assert Tries(file, "alice", clock).refusal() is None
    finally:
        file.parent.chmod(0o700)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"alice": {}}', '{"alice": 3}', '{"alice": {"failures": "x"}}']
)
def test_a_damaged_file_lets_nobody_try(file: Path, clock: Clock, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)
    if text == "[]":
        with pytest.raises(TriesError):
            Tries(file, "alice", clock).refusal()
        return
    with pytest.raises(TriesError, match="damaged"):
        Tries(file, "alice", clock).refusal()


def test_a_link_to_somewhere_else_is_refused(file: Path, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("{}")
    file.symlink_to(tmp_path / "mine")
    with pytest.raises(TriesError):
        Tries(file, "alice", clock).refusal()


def test_what_belongs_to_somebody_else_is_refused(
    file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(file, clock, 1)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(TriesError, match="belongs to somebody else"):
        Tries(file, "alice", clock).refusal()


def test_where_failures_cannot_be_written_nobody_may_try(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(TriesError, match="cannot be counted"):
        Tries(tmp_path / "none" / "x.tries", "alice", clock).charge()
    with (
        pytest.raises(TriesError, match="cannot be counted"),
        Tries(tmp_path / "no" / "x", "a", clock).held(),
    ):
        pass


def test_two_attempts_at_once_are_one_too_many(file: Path, clock: Clock) -> None:
    errors: list[str] = []

    def other() -> None:
        try:
            with Tries(file, "bob", clock).held():
                pass
        except TriesError as error:
            errors.append(str(error))

    with Tries(file, "alice", clock).held():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert errors == ["another attempt is going on; try again when it has ended"]
    other()
    assert len(errors) == 1


def test_failures_outlive_the_program(file: Path) -> None:
    """Killed for good in the middle of an attempt, the try counts all the same."""
    code = (
        "import os, sys; from pathlib import Path; from pipeline.authentication.tries import Tries\n"
        "tries = Tries(Path(sys.argv[1]), 'alice')\n"
        "with tries.held():\n    tries.charge(); os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    assert ended.returncode == -9
    assert json.loads(file.read_text())["alice"]["failures"] == 1
    with Tries(file, "alice").held():  # and its lock went with it
        assert Tries(file, "alice").failures() == 1
