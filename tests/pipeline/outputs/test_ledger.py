"""What runs have written is noted beside the gallery, once, so that it can be found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.outputs.ledger import Ledger


def test_places_are_noted_once_and_only_for_a_gallery_that_is_there(tmp_path: Path) -> None:
    gallery = tmp_path / "people.db"
    ledger = Ledger(gallery)
    ledger.note("events", "e.jsonl")
    assert not ledger.path.exists()
    gallery.touch()
    for _ in range(2):
        ledger.note("events", tmp_path / "e.jsonl")
    with ledger.path.open("a") as file:
        file.write('{"kind": "tape", "whe')
    assert [(each.kind, each.where) for each in ledger.entries()] == [("events", str(tmp_path / "e.jsonl"))]
    assert ledger.path.stat().st_mode & 0o777 == 0o600


def test_a_place_that_two_runs_noted_at_once_counts_once(tmp_path: Path) -> None:
    gallery = tmp_path / "people.db"
    gallery.touch()
    ledger = Ledger(gallery)
    ledger.note("webhook", "https://example.org/hook")
    ledger.path.write_bytes(ledger.path.read_bytes() * 2)
    assert [each.where for each in ledger.entries()] == ["https://example.org"]


@pytest.mark.parametrize("several", [False, True])
def test_a_run_is_noted_once_it_writes_something(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, several: bool
) -> None:
    gallery = tmp_path / "people.db"
    photo = world.picture(tmp_path / "red.png", world.RED)
    assert recog("enroll", "--name", "red", photo, "--gallery", gallery).code == 0
    broken, photos = tmp_path / "broken", tmp_path / "photos"
    for folder in (broken, photos):
        folder.mkdir()
        (folder / "a.jpg").write_bytes(b"")
    world.picture(photos / "b.png", world.RED)
    outputs = [
        "--gallery", gallery, "--events", tmp_path / "e.jsonl", "--tape", tmp_path / "t.tape",
        "--snapshots", tmp_path / "faces", "--out", tmp_path / ("films" if several else "out.mp4"),
    ]  # fmt: skip
    again = 2 if several else 1
    assert recog("run", *["-s", broken] * again, *outputs).code == 1
    assert Ledger(gallery).entries() == []
    recog("run", *["-s", photos] * again, *outputs)
    noted = sorted(each.kind for each in Ledger(gallery).entries())
    assert noted == sorted(["events", "snapshots", "tape", *["video"] * again])


def test_a_list_that_cannot_be_written_is_said_and_ends_nothing(tmp_path: Path) -> None:
    gallery, said = tmp_path / "people.db", list[str]()
    gallery.touch()
    Ledger(gallery).path.mkdir()
    Ledger(gallery).note("tape", tmp_path / "t.tape", said.append)
    assert len(said) == 1
    assert "recog forget has to be told" in said[0]
