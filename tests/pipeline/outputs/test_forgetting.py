"""Somebody is taken out of files of events and of folders of pictures, and nothing else is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.outputs.forgetting import erase_events, erase_pictures, files_of, snapshots_of, tracks_in


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_events(path: Path, *names: str) -> None:
    lines = [
        {"event": "recognised", "id": f"run-{i}", "track": i, "name": name} for i, name in enumerate(names)
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))


def test_files_that_were_put_aside_count_as_well(tmp_path: Path) -> None:
    for name in ("e.jsonl", "e-20261128T120000Z.jsonl", "other.jsonl"):
        write_events(tmp_path / name, "red", "blue")
    files = files_of(tmp_path / "e.jsonl")
    assert [each.name for each in files] == ["e.jsonl", "e-20261128T120000Z.jsonl"]
    assert files_of(tmp_path / "gone" / "e.jsonl") == []
    assert tracks_in(files, frozenset({"red"})) == {("run", 0)}


def test_lines_that_are_no_events_and_the_files_mode_stay(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    write_events(path, "red", "blue")
    path.write_bytes(path.read_bytes() + b'{"event": "cut sho')
    path.chmod(0o640)
    erase_events(path, frozenset({"red"}), set())
    assert path.stat().st_mode & 0o777 == 0o640
    text = path.read_text()
    assert "red" not in text
    assert "blue" in text
    assert text.endswith('{"event": "cut sho')


def test_what_a_run_writes_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e.jsonl"
    write_events(path, "red", "blue")
    replace = Path.replace

    def late(made: Path, target: Path) -> Path:
        with target.open("a") as file:  # a run that still has the old file open
            file.write(json.dumps({"event": "recognised", "id": "run-7", "track": 7, "name": "green"}) + "\n")
            file.write(json.dumps({"event": "recognised", "id": "run-8", "track": 8, "name": "red"}) + "\n")
        return replace(made, target)

    monkeypatch.setattr(Path, "replace", late)
    erase_events(path, frozenset({"red"}), set())
    assert [each["name"] for each in events(path)] == ["blue", "green"]


def test_what_goes_is_overwritten(tmp_path: Path) -> None:
    path, picture = tmp_path / "e.jsonl", tmp_path / "0123456789ab-3.jpg"
    write_events(path, "red")
    picture.write_bytes(b"a picture")
    for each in (path, picture):
        os.link(each, each.with_suffix(".kept"))  # the same blocks under another name
    erase_events(path, frozenset({"red"}), set())
    assert snapshots_of(tmp_path, {("0123456789ab", 3)}) == [picture]
    assert erase_pictures([picture, tmp_path / "gone.jpg"]) == 1
    for kept in tmp_path.glob("*.kept"):
        assert set(kept.read_bytes()) == {0}


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        (["not:red", "not:blue"], ["not:blue"]),  # one fewer is shown
        (["name:red", "name:blue"], ["all"]),  # red was to be covered, and nobody can tell who that is
        (["name: red"], ["all"]),
        (["not:blue"], ["not:blue"]),
        (["unknown"], ["unknown"]),
    ],
)
def test_what_is_left_of_a_rule_covers_as_many_or_more(
    tmp_path: Path, rule: list[str], left: list[str]
) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text(json.dumps({"id": "aaaaaaaaaaaa-1", "track": 1, "name": "zoë", "blur": rule}) + "\n")
    assert erase_events(path, frozenset({"red"}), set()).rules == (rule != left)
    assert events(path) == [{"id": "aaaaaaaaaaaa-1", "track": 1, "name": "zoë", "blur": left}]
