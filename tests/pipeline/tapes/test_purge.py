"""What a tape holds of a person goes with them: all of it, to the last byte, and nothing of anybody else."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import build
from pipeline.errors import SourceError
from pipeline.tapes.purge import remains
from pipeline.tapes.tape import Run, Tape
from pipeline.tapes.writer import TapeWriter
from pipeline.types import UNDECIDED, Frame, Look, Result, TrackedFace

RED = (10 * np.eye(8, dtype="<f4")[4]).tobytes()  # as the embedder of these tests sees them
GREEN = (10 * np.eye(8, dtype="<f4")[2]).tobytes()


@pytest.fixture
def tape(tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any) -> Path:
    """Red and green walk by while both are enrolled."""
    film = world.film(tmp_path / "a.mp4", world.RED, world.GREEN)
    for name, colour in (("red", world.RED), ("green", world.GREEN)):
        recog("enroll", "--name", name, "--images", world.picture(tmp_path / f"{name}.png", colour))
    assert recog("run", "-s", film, "--tape", tmp_path / "t.tape").code == 0
    return tmp_path / "t.tape"


def run(name: str) -> Run:
    return Run(name, "b.mp4", "2026-11-24T10:00:00+00:00", False)


def result(index: int, looked: dict[int, list[float]]) -> Result:
    """A frame in which tracks were looked at."""
    box, marks = np.array([1, 2, 31, 42], np.float32), np.zeros((5, 2), np.float32)
    faces = tuple(TrackedFace(track, box, marks, 0.9, UNDECIDED) for track in looked)
    looks = tuple(Look(t, box, marks, np.array(e, np.float32), 0.5) for t, e in looked.items())
    return Result(Frame(np.zeros((4, 4, 3), np.uint8), index, index / 10, "b.mp4"), faces, {}, looks)


def looks(tape: Path, embedder: Any) -> dict[str, int]:
    """How many looks of each colour are on a tape."""
    with Tape(tape, build.fingerprint(embedder)) as opened:
        rows = [row.tobytes() for each in opened.runs() for row in opened.looks(each.run).embeddings]
        tracks = sum(len(opened.tracks(each.run)) for each in opened.runs())
    return {"red": rows.count(RED), "green": rows.count(GREEN), "tracks": tracks}


def people(recog: Any) -> list[str]:
    return [each["name"] for each in json.loads(recog("gallery", "list", "--json").out)]


def test_a_person_is_taken_off_a_tape_to_the_last_byte(tape: Path, embedder: Any, recog: Any) -> None:
    before, mode = looks(tape, embedder), stat.S_IMODE(tape.stat().st_mode)
    assert RED in tape.read_bytes()
    ended = recog("gallery", "remove", "red", "--purge", tape)
    assert (ended.code, ended.err) == (0, "")
    assert f"{tape}: {before['red']} looks of 1 track deleted, the file rewritten" in ended.out
    assert looks(tape, embedder) == {"red": 0, "green": before["green"], "tracks": before["tracks"] - 1}
    assert RED not in tape.read_bytes()
    assert GREEN in tape.read_bytes()
    assert stat.S_IMODE(tape.stat().st_mode) == mode == 0o600
    assert not [each.name for each in tape.parent.iterdir() if each.name.startswith("t.tape-")]
    assert people(recog) == ["green"]
    assert [each["name"] for each in json.loads(recog("replay", "-t", tape, "--json").out)["tracks"]] == [
        "green"
    ]


def test_the_receipt_names_every_tape_and_each_is_purged_once(
    tape: Path, embedder: Any, recog: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other.tape"
    with TapeWriter(other, run("empty"), build.fingerprint(embedder), 8) as empty:
        empty.take(result(0, {}))
    ended = recog("gallery", "remove", "green", "--purge", tape, "--purge", other, "--purge", tape, "--json")
    receipt = json.loads(ended.out)
    assert [Path(each["tape"]).name for each in receipt["tapes"]] == ["t.tape", "other.tape"]
    assert [(each["tracks"], each["whole"]) for each in receipt["tapes"]] == [(1, 1), (0, 0)]
    assert receipt["tapes"][0]["looks"] > 2
    assert looks(tape, embedder)["green"] == 0


def test_a_few_looks_on_the_track_of_another_go_alone(tape: Path, embedder: Any, recog: Any) -> None:
    mixed = {3: [0, 0, 10, 0, 0, 0, 0, 0]}
    with TapeWriter(tape, run("mixed"), build.fingerprint(embedder), 8) as more:
        for i in range(9):
            more.take(result(i, mixed))
        more.take(result(9, {3: [0, 0, 0, 0, 10, 0, 0, 0]}))
        more.take(result(10, {4: [0, 0, 0, 0, 10, 0, 0, 0]}))  # once: too little to be decided
    receipt = json.loads(recog("gallery", "remove", "red", "--purge", tape, "--json").out)
    assert (receipt["tapes"][0]["tracks"], receipt["tapes"][0]["whole"]) == (3, 2)
    with Tape(tape, build.fingerprint(embedder)) as opened:
        assert opened.looks("mixed").frames == tuple(range(9))
        assert [each.track for each in opened.tracks("mixed")] == [3]


@pytest.mark.parametrize("kind", ["missing", "damaged", "another model", "in use", "no tape"])
def test_a_tape_that_cannot_be_purged_stops_everything_first(
    tape: Path, embedder: Any, recog: Any, tmp_path: Path, kind: str
) -> None:
    bad, held = tmp_path / "bad.tape", None
    if kind in ("damaged", "in use"):
        bad.write_bytes(tape.read_bytes())
    if kind == "damaged":
        content = bytearray(bad.read_bytes())
        content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
        bad.write_bytes(bytes(content))
    elif kind == "another model":
        TapeWriter(bad, run("empty"), "another", 8).close()
    elif kind == "in use":
        held = TapeWriter(bad, run("empty"), build.fingerprint(embedder), 8)
    elif kind == "no tape":
        bad.write_text("precious " * 1000)
    before = tape.read_bytes()
    ended = recog("gallery", "remove", "red", "--purge", tape, "--purge", bad)
    if held is not None:
        held.close()
    assert ended.code == 1
    assert "bad.tape" in ended.err
    assert ended.err.count("\n") == 1
    assert people(recog) == ["green", "red"]
    assert tape.read_bytes() == before
    if kind == "in use":
        assert "end that first" in ended.err


def test_a_person_nobody_knows_and_single_photos_leave_tapes_alone(tape: Path, recog: Any) -> None:
    before = tape.read_bytes()
    assert recog("gallery", "remove", "redd", "--purge", tape).code == 1
    ended = recog("gallery", "remove", "red", "--photo", 1, "--purge", tape)
    assert (ended.code, "whole person" in ended.err) == (2, True)
    assert tape.read_bytes() == before


def test_what_is_left_over_is_found_wherever_it_lies(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    embeddings = chance.normal(size=(3, 16)).astype(np.float32)
    path = tmp_path / "t.tape"
    path.write_bytes(chance.bytes(999))
    assert remains(path, embeddings) == 0
    path.write_bytes(chance.bytes(77) + embeddings[1].tobytes() + chance.bytes(5) + embeddings[2].tobytes())
    assert remains(path, embeddings) == 2
    assert remains(path, embeddings[:0]) == 0


def test_bytes_that_stay_are_told(tape: Path, embedder: Any, recog: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("pipeline.tapes.purge.remains", lambda path, embeddings: 2)
    ended = recog("gallery", "remove", "red", "--purge", tape)
    assert (ended.code, "still holds 2 of the embeddings" in ended.err) == (1, True)
    assert people(recog) == ["green", "red"]


def test_a_tape_alone_keeps_others_out(tape: Path, embedder: Any) -> None:
    model = build.fingerprint(embedder)
    with Tape(tape, model), pytest.raises(SourceError, match="another program has it open"):
        Tape(tape, model, alone=True)
