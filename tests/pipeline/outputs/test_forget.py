"""Somebody is forgotten everywhere, in one command, and the receipt says what was not in its power."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery import Gallery
from pipeline.outputs.ledger import Ledger


@pytest.fixture
def ran(tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any) -> Path:
    """Red and blue are enrolled; red, green and blue were seen, with everything that a run can leave."""
    for name, colour in (("red", world.RED), ("blue", world.BLUE)):
        photo = world.picture(tmp_path / f"{name}.png", colour)
        assert recog("enroll", "--name", name, "--images", photo).code == 0
    for number, colours in enumerate(((world.RED, world.GREEN), (world.BLUE, world.GREEN))):
        film = world.film(tmp_path / f"{number}.mp4", *colours)
        ended = recog(
            "run", "-s", film, "-e", tmp_path / "e.jsonl", "--tape", tmp_path / "t.tape", "--snapshots",
            tmp_path / "faces", "--thumbnails", "-o", tmp_path / f"out{number}.mp4",
        )  # fmt: skip
        assert ended.code == 0, ended.err
    return tmp_path


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_command_erases_somebody_from_all_that_runs_have_left(ran: Path, recog: Any) -> None:
    before = events(ran / "e.jsonl")
    reds = {(each["id"].split("-")[0], each["track"]) for each in before if each.get("name") == "red"}
    assert len(reds) == 1
    theirs = [each for each in before if (each["id"].split("-")[0], each["track"]) in reds]
    assert {each["event"] for each in theirs} == {"entered", "recognised", "left"}
    pictures = {each["snapshot"] for each in before if "snapshot" in each}
    ended = recog("forget", "red", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert events(ran / "e.jsonl") == [each for each in before if each not in theirs]
    gone = {each["snapshot"] for each in theirs if "snapshot" in each}
    assert gone
    assert {each for each in pictures if not Path(each).exists()} == gone
    assert told["events"] == [{"path": str(ran / "e.jsonl"), "events": 3, "thumbnails": 1, "rules": 0}]
    assert told["snapshots"] == [{"folder": str(ran / "faces"), "pictures": 1}]
    (tape,) = told["tapes"]
    assert (tape["looks"] > 3, tape["tracks"], tape["whole"]) == (True, 1, 1)
    assert (told["templates"], told["crops"], told["rewritten"], told["done"]) == (1, 1, True, True)
    left = {(each["kind"], Path(each["where"]).name) for each in told["left"]}
    assert left == {("video", "out0.mp4"), ("video", "out1.mp4"), ("photograph", "red.png")}
    assert "red" not in recog("gallery", "list").out
    assert "blue" in recog("gallery", "list").out
    # Nothing is left to find.
    again = recog("replay", "--tape", ran / "t.tape", "--json")
    assert {each["name"] for each in json.loads(again.out)["tracks"]} == {None, "blue"}


def test_a_dry_run_says_the_same_and_changes_nothing(ran: Path, recog: Any) -> None:
    files = {
        each: each.read_bytes() for each in ran.rglob("*") if each.is_file() and "home" not in each.parts
    }
    told = json.loads(recog("forget", "red", "--dry-run", "--json").out)
    kept = {each: each.read_bytes() for each in files if each.suffix in (".jsonl", ".jpg", ".mp4")}
    assert all(files[each] == content for each, content in kept.items())
    done = json.loads(recog("forget", "red", "--json").out)
    for key in ("templates", "crops", "events", "snapshots", "left", "others"):
        assert told[key] == done[key], key
    assert [each["looks"] for each in told["tapes"]] == [each["looks"] for each in done["tapes"]]
    assert (told["done"], done["done"]) == (False, True)


def test_the_receipt_in_words(ran: Path, recog: Any) -> None:
    out = recog("forget", "red").out
    assert "red: forgotten" in out
    assert "1 embedding, 1 crop deleted" in out
    assert "3 events with 1 thumbnail deleted" in out
    assert "1 picture deleted" in out
    assert "not erased, for you to delete:" in out
    assert "pictures of them cannot be cut out of a film" in out
    assert "nothing was changed" in recog("forget", "blue", "--dry-run").out


def test_who_was_covered_in_a_run_does_not_keep_a_name_that_is_forgotten(
    ran: Path, recog: Any, world: Any
) -> None:
    film, log = world.film(ran / "more.mp4", world.BLUE, world.GREEN), ran / "more.jsonl"
    assert recog("run", "-s", film, "-e", log, "--blur", "not:red").code == 0
    before = events(log)
    assert all(each["blur"] == ["not:red"] for each in before)
    told = json.loads(recog("forget", "red", "--dry-run", "--json").out)
    out = recog("forget", "red").out
    assert f"their name deleted in {len(before)} events of others, which told whose faces" in out
    assert {"path": str(log), "events": 0, "thumbnails": 0, "rules": len(before)} in told["events"]
    assert events(log) == [each | {"blur": ["all"]} for each in before]


def test_a_former_name_is_theirs_unless_somebody_else_has_it(ran: Path, recog: Any) -> None:
    assert recog("gallery", "rename", "red", "rosa").code == 0
    told = json.loads(recog("forget", "rosa", "--json").out)
    assert [each["events"] for each in told["events"]] == [3]
    assert not any(each.get("name") == "red" for each in events(ran / "e.jsonl"))


def test_who_has_a_former_name_of_somebody_loses_nothing(ran: Path, recog: Any) -> None:
    for old, new in (("blue", "cyan"), ("red", "blue")):
        assert recog("gallery", "rename", old, new).code == 0
    recog("forget", "cyan")
    assert {each.get("name") for each in events(ran / "e.jsonl")} == {None, "red"}


def test_what_was_moved_has_to_be_named(ran: Path, recog: Any) -> None:
    moved = ran / "elsewhere"
    moved.mkdir()
    shutil.move(ran / "e.jsonl", moved / "e.jsonl")
    shutil.move(ran / "faces", moved / "faces")
    told = json.loads(recog("forget", "red", "--dry-run", "--json").out)
    assert told["events"] == []
    told = json.loads(
        recog("forget", "red", "-e", moved / "e.jsonl", "--snapshots", moved / "faces", "--json").out
    )
    assert (told["events"][0]["events"], told["snapshots"][0]["pictures"]) == (3, 1)


def test_copies_and_receivers_are_named_without_their_secrets(ran: Path, recog: Any, tmp_path: Path) -> None:
    backup, export = tmp_path / "copy.db", tmp_path / "people.recog"
    assert recog("gallery", "backup", backup).code == 0
    assert recog("gallery", "export", export).code == 0
    export.unlink()
    from pipeline import build

    Ledger(build.gallery_path(None)).note("webhook", "https://user:secret@example.org:8443/hook?token=abc")
    Ledger(build.gallery_path(None)).note("mqtt", "mqtt://user:secret@broker")
    told = json.loads(recog("forget", "red", "--json").out)
    assert ("backup", str(backup)) in {(each["kind"], each["where"]) for each in told["left"]}
    others = {(each["kind"], each["where"]) for each in told["others"]}
    assert others == {
        ("webhook", "https://example.org:8443"),
        ("mqtt", "mqtt://broker"),
        ("export", str(export)),
    }


def test_a_tape_in_use_ends_it_before_anything_is_changed(ran: Path, recog: Any) -> None:
    import sqlite3

    before = events(ran / "e.jsonl")
    holder = sqlite3.connect(ran / "t.tape")
    holder.execute("BEGIN IMMEDIATE")
    recog("forget", "red").refused("another program has it open")
    holder.close()
    assert events(ran / "e.jsonl") == before
    assert "red" in recog("gallery", "list").out


@pytest.mark.parametrize("where", ["events", "snapshots", "webhook", "video"])
def test_nobody_is_forgotten_while_a_run_would_still_write_them(
    ran: Path, recog: Any, world: Any, where: str
) -> None:
    from pipeline import build
    from pipeline.config import Settings
    from pipeline.outputs.outputs import Outputs
    from pipeline.recognition.engine import recognise

    film, before, refused = world.film(ran / "2.mp4", world.RED), events(ran / "e.jsonl"), []

    def meanwhile(source: str, done: int, total: int | None) -> None:
        if not refused:
            refused.append(recog("forget", "red"))

    places: dict[str, Any] = {
        "events": ran / "e.jsonl",
        "snapshots": ran / "faces",
        "webhook": "http://127.0.0.1:9/",
        "video": ran / "out2.mp4",
    }
    outputs, gallery = Outputs(window=False, **{where: places[where]}), build.gallery_path(None)
    recognise(str(film), outputs, gallery, Settings(), progress=meanwhile)
    refused[0].refused("a run with the gallery")
    assert events(ran / "e.jsonl")[: len(before)] == before
    assert recog("forget", "red").code == 0
    assert "red" not in {each.get("name") for each in events(ran / "e.jsonl")}


def test_a_run_that_writes_nothing_is_in_nobodys_way(ran: Path, recog: Any, world: Any) -> None:
    from pipeline import build
    from pipeline.config import Settings
    from pipeline.outputs.outputs import Outputs
    from pipeline.recognition.engine import recognise

    film, ended = world.film(ran / "2.mp4", world.RED), []

    def meanwhile(source: str, done: int, total: int | None) -> None:
        if not ended:
            ended.append(recog("forget", "red"))

    recognise(str(film), Outputs(window=False), build.gallery_path(None), Settings(), progress=meanwhile)
    assert ended[0].code == 0, ended[0].err


def test_a_run_that_begins_while_somebody_is_forgotten_waits(ran: Path, world: Any) -> None:
    from pipeline import build
    from pipeline.config import Settings
    from pipeline.outputs.outputs import Outputs
    from pipeline.recognition.engine import recognise

    gallery, film, log = build.gallery_path(None), world.film(ran / "2.mp4", world.RED), ran / "2.jsonl"
    with ThreadPoolExecutor() as others:
        with Ledger(gallery).alone():
            run = others.submit(recognise, str(film), Outputs(window=False, events=log), gallery, Settings())
            with pytest.raises(TimeoutError):
                run.result(0.5)
            assert not log.exists()
        assert run.result(20).summary.frames
    assert {each.get("name") for each in events(log)} == {None, "red"}


def test_what_was_missed_of_somebody_who_is_gone_goes_by_the_name(ran: Path, recog: Any) -> None:
    missed = ran / "missed"
    missed.mkdir()
    for each in ("e.jsonl", "t.tape"):
        shutil.move(ran / each, missed / each)
    shutil.move(ran / "faces", missed / "faces")
    assert recog("forget", "red").code == 0
    before = events(missed / "e.jsonl")
    assert "red" in {each.get("name") for each in before}
    given = ["-e", missed / "e.jsonl", "--snapshots", missed / "faces", "--tape", missed / "t.tape"]
    counted = json.loads(recog("forget", "red", *given, "--dry-run", "--json").out)
    assert events(missed / "e.jsonl") == before
    told = json.loads(recog("forget", "red", *given, "--json").out)
    assert (counted["done"], told["done"], told["templates"], told["rewritten"]) == (False, True, 0, False)
    for key in ("events", "snapshots"):
        assert told[key] == counted[key]
    assert [each["events"] for each in told["events"]] == [3]
    assert [each["pictures"] for each in told["snapshots"]] == [1]
    assert [(each["looks"] > 3, each["tracks"]) for each in told["tapes"]] == [(True, 1)]
    assert "nobody of that name is enrolled" in told["left"][0]["why"]
    assert "red" not in {each.get("name") for each in events(missed / "e.jsonl")}
    recog("forget", "red", *given).refused("nobody named red")  # nothing is left


def test_the_receipt_of_somebody_who_is_gone_in_words(ran: Path, recog: Any) -> None:
    shutil.copy(ran / "e.jsonl", ran / "copy.jsonl")
    assert recog("forget", "red").code == 0
    out = recog("forget", "red", "-e", ran / "copy.jsonl").out
    assert "nobody of that name is enrolled" in out
    assert "3 events with 1 thumbnail deleted" in out
    assert "another program" not in out


def test_a_former_name_is_not_taken_for_somebody_who_is_gone(ran: Path, recog: Any) -> None:
    assert recog("gallery", "rename", "red", "rosa").code == 0
    before = events(ran / "e.jsonl")
    recog("forget", "red").refused("nobody named red")
    assert events(ran / "e.jsonl") == before


def test_nobody_of_that_name_is_one_line(ran: Path, recog: Any) -> None:
    recog("forget", "rde").refused("did you mean red?")


def test_what_the_service_remembers_goes_too(ran: Path, recog: Any) -> None:
    pytest.importorskip("fastapi")
    from contextlib import closing

    from pipeline import build
    from pipeline.service.store import Store, store_path

    path = store_path(build.gallery_path(None))
    row = "INSERT INTO events VALUES (?, 's', 'r', ?, 't', 't', 0, 0, ?, ?, ?, 1, '', 3, '[]', ?, 0, 0)"
    with closing(Store(path)) as store, store.writing() as connection:
        connection.execute(row, ("r-1", 1, "named", "red", "1", b"PICTURE-OF-RED"))
        connection.execute(row, ("r-2", 2, "named", "blue", "2", b"PICTURE-OF-BLUE"))
        connection.execute(row, ("r-3", 3, "named", "red", None, None))
        for number, jpeg in ((1, b"PORTRAIT-OF-RED"), (2, b"PORTRAIT-OF-BLUE")):
            connection.execute(
                "INSERT INTO portraits VALUES ('r', ?, 0, 't', 0, 1, '', ?, ?, '')", (number, b"e", jpeg)
            )
            connection.execute("INSERT INTO clusters VALUES (?, 'c')", (f"r-{number}",))
    with closing(Store(path)):
        recog("forget", "red").refused("another recog serve has")
    counted = json.loads(recog("forget", "red", "--dry-run", "--json").out)["elsewhere"]
    told = json.loads(recog("forget", "red", "--json").out)["elsewhere"]
    assert told == counted
    assert {what: count for what, count in told.items() if count} == {
        "thumbnails of events": 1,
        "portraits of the review queue": 1,
        "places in the review queue": 1,
        "events": 2,
    }
    content = path.read_bytes()
    assert b"PICTURE-OF-RED" not in content
    assert b"PORTRAIT-OF-RED" not in content
    assert b"PORTRAIT-OF-BLUE" in content
    with closing(Store(path)) as store, store.reading() as connection:
        assert [row[0] for row in connection.execute("SELECT id FROM events")] == ["r-2"]


def test_groups_put_aside_as_nobody_or_ignore_are_searched_by_face(ran: Path, recog: Any) -> None:
    pytest.importorskip("fastapi")
    from contextlib import closing

    from pipeline import build
    from pipeline.service.store import Store, store_path

    gallery = build.gallery_path(None)
    with Gallery.open(gallery, None, None) as opened:
        red, blue = (
            np.concatenate([each.embedding for each in opened.templates(name)]) for name in ("red", "blue")
        )
    path = store_path(gallery)
    event = "INSERT INTO events VALUES ('r-9', 's', 'r', 9, 't', 't', 0, 0, 'unknown', NULL, NULL, 1, '', 3, "
    with closing(Store(path)) as store, store.writing() as connection:
        connection.execute(event + "'[]', NULL, 1, 0)")
        for number, faces in (("both", np.concatenate([blue, red])), ("blue", blue)):
            connection.execute(
                "INSERT INTO decisions VALUES (?, 'ignore', 't', 1, ?, ?, '')",
                (number, faces.astype("<f4").tobytes(), f"PICTURE-OF-{number}".encode()),
            )
        connection.execute("INSERT INTO decisions VALUES ('old', 'ignore', 't', 1, x'00', NULL, '')")
    assert json.loads(recog("forget", "red", "--dry-run", "--json").out)["elsewhere"]["groups put aside"] == 1
    told = json.loads(recog("forget", "red", "--json").out)
    assert told["elsewhere"]["groups put aside"] == 1
    with closing(Store(path)) as store, store.reading() as connection:
        assert {row[0] for row in connection.execute("SELECT id FROM decisions")} == {"blue", "old"}
        assert connection.execute("SELECT ignored FROM events WHERE id = 'r-9'").fetchone()[0] == 0
    content = path.read_bytes()
    assert b"PICTURE-OF-both" not in content
    assert b"PICTURE-OF-blue" in content
    (said,) = [each for each in told["left"] if each["kind"] == "decisions"]
    assert said["where"] == str(path)
    assert "1 group of faces put aside with another model" in said["why"]


def test_failures_that_recog_auth_counted_go_too(ran: Path, recog: Any) -> None:
    from pipeline import build
    from pipeline.authentication.tries import Tries, tries_path

    file = tries_path(build.gallery_path(None))
    for name in ("red", "red", "blue"):
        Tries(file, name).charge()
    os.link(file, ran / "kept")  # the same blocks under another name
    assert recog("gallery", "rename", "red", "rosa").code == 0
    assert json.loads(recog("forget", "rosa", "--dry-run", "--json").out)["tries"] == 2
    assert "red" in file.read_text()
    with Tries(file, "blue").held():
        recog("forget", "rosa").refused("another attempt is going on")
    assert "recog auth  2 failures deleted" in recog("forget", "rosa").out
    assert "red" not in file.read_text()
    assert Tries(file, "blue").failures() == 1
    assert set((ran / "kept").read_bytes()) == {0}


def test_pictures_that_other_commands_make_are_noted_too(ran: Path, recog: Any, world: Any) -> None:
    photo, out = ran / "red.png", ran / "shown"
    out.mkdir()
    for given in (
        ["enroll", "--name", "rosa", world.picture(ran / "green.png", world.GREEN), "--sheet", out / "s.png"],
        ["verify", photo, "--name", "red", "--picture", out / "v.png"],
        ["verify", photo, photo, "--picture", out / "two.png"],  # of nobody in the gallery
        ["bench", "--source", ran / "0.mp4", "--frames", "5", "--out", out / "b.mp4"],
    ):
        ended = recog(*given)
        assert ended.code == 0, ended.err
    left = json.loads(recog("forget", "red", "--dry-run", "--json").out)["left"]
    noted = {Path(each["where"]).name for each in left if Path(each["where"]).parent == out}
    assert noted == {"s.png", "v.png", "b.mp4"}
