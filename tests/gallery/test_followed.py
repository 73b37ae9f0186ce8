"""A run follows its gallery through everything that happens to the file, and ends for none of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, NewTemplate, followed
from gallery.errors import LostError
from gallery.followed import Enrolled

BOTH = True
Templates = Callable[..., NewTemplate]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "PAUSE", 0.02)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(path: Path, template: Templates, said: list[str]) -> Iterator[Enrolled]:
    """A run that knows Ada (1, 2) and Grace (3), and has looked for somebody."""
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1), template(2)])
        gallery.add("Grace", [template(3)])
    people = Enrolled(path, "model", 16, said.append)
    assert names(people, template(1)) == ["Ada", "Grace"]
    yield people
    people.close()


def names(people: Enrolled, template: NewTemplate) -> list[str]:
    return list(people.search(template.embedding[None], 9, pooled=True).names[0])


def until(people: Enrolled, true: Callable[[], bool]) -> None:
    """Ask for news as every frame does, until something is true."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < 10
        people.refresh()
        time.sleep(0.005)


def quietly(people: Enrolled) -> None:
    """Nothing more comes."""
    started = time.monotonic()
    while time.monotonic() - started < 0.1:
        people.refresh()
    assert not people.refresh()


def put_in_place(backup: Path, path: Path, how: str) -> None:
    match how:
        case "moved":
            backup.replace(path)
        case "removed, then copied":
            path.unlink()
            shutil.copy(backup, path)
        case _:
            shutil.copy(backup, path)


@pytest.mark.file
@pytest.mark.parametrize("how", ["moved", "removed, then copied", "copied over"])
def test_whoever_a_restored_backup_lacks_is_not_recognised_any_more(
    path: Path, tmp_path: Path, template: Templates, run: Enrolled, said: list[str], how: str
) -> None:
    with Gallery.open(path, "model", 16) as other:
        other.back_up(tmp_path / "backup.db")
        other.add("Mallory", [template(4)])
        other.rename("Grace", "Hopper")
    until(run, lambda: names(run, template(4)) == ["Mallory", "Ada", "Hopper"] or run.people_count == 3)
    if how == "copied over":  # while nothing waits in the log; else what comes out is anybody's guess
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    put_in_place(tmp_path / "backup.db", path, how)
    until(run, lambda: run.people_count == 2)
    assert sorted(names(run, template(4))) == ["Ada", "Grace"]
    quietly(run)
    assert said == []
    with Gallery.open(path, "model", 16) as other:  # the new file is followed like the old one
        other.add("Edith", [template(5)])
    until(run, lambda: run.people_count == 3)
    assert names(run, template(5))[0] == "Edith"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.file
def test_a_restored_file_in_which_the_same_numbers_are_other_people_is_searched_anew(
    path: Path, tmp_path: Path, template: Templates, run: Enrolled
) -> None:
    with Gallery.open(tmp_path / "other.db", "model", 16, create=True) as other:
        other.add("Zoe", [template(7), template(8)])  # as many templates and changes, with the same numbers
        other.add("Yann", [template(9)])
    (tmp_path / "other.db").replace(path)
    until(run, lambda: names(run, template(7))[0] == "Zoe")
    assert run.search(template(7).embedding[None], 2).distances[0, 0] == 0
    assert names(run, template(9)) == ["Yann", "Zoe"]


@pytest.mark.file
def test_an_older_copy_with_new_changes_of_its_own_is_not_taken_for_the_later_file(
    path: Path, tmp_path: Path, template: Templates, run: Enrolled
) -> None:
    with Gallery.open(path, "model", 16) as other:
        other.back_up(tmp_path / "backup.db")
        other.add("Mallory", [template(4)])
    until(run, lambda: run.people_count == 3)
    with Gallery.open(tmp_path / "backup.db", "model", 16) as older:
        older.add("Edith", [template(5)])
        older.add("Zoe", [template(6)])
    (tmp_path / "backup.db").replace(path)
    until(run, lambda: run.people_count == 4)
    assert sorted(names(run, template(4))) == ["Ada", "Edith", "Grace", "Zoe"]


def test_another_model_that_takes_the_gallery_over_leaves_a_run_those_it_knows(
    path: Path, template: Templates, run: Enrolled, said: list[str]
) -> None:
    with Gallery.open(path, None, None) as other:
        ids, _, _ = other.embeddings()
        new = np.random.default_rng(0).normal(size=(len(ids), 8)).astype(np.float32)
        other.migrate(dict(zip(ids.tolist(), new, strict=True)), "bigger", 8)
    until(run, lambda: said != [])
    assert "went over to the model bigger" in said[0]
    assert names(run, template(1)) == ["Ada", "Grace"]
    with Gallery.open(path, "bigger", 8) as other:
        other.remove("Ada")
        other.rename("Grace", "Hopper")
        other.add("Zoe", [NewTemplate(new[0], None, 1.0, "", "zoe")])
    until(run, lambda: names(run, template(3)) == ["Hopper"])
    assert run.people_count == 1
    quietly(run)
    assert len(said) == 1


def test_a_migration_that_is_taken_back_is_followed_back(
    path: Path, template: Templates, run: Enrolled, said: list[str]
) -> None:
    with Gallery.open(path, None, None) as other:
        ids, _, _ = other.embeddings()
        other.migrate({int(i): np.ones(8, np.float32) for i in ids}, "bigger", 8)
        until(run, lambda: said != [])
        other.undo()
    until(run, lambda: len(said) == 2)
    assert said[1].endswith("is followed again")
    with Gallery.open(path, "model", 16) as other:
        other.add("Edith", [template(5)])
    until(run, lambda: run.people_count == 3)
    assert names(run, template(5))[0] == "Edith"


@pytest.mark.file
def test_of_whom_a_part_was_asked_is_to_be_asked_again_though_no_loss_was_noticed(
    run: Enrolled, template: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "PAUSE", 60.0)
    search, probe = Gallery.search, template(1).embedding[None]
    quietly(run)
    with monkeypatch.context() as now:
        now.setattr(Gallery, "search", lambda *given: replace(search(*given), whole=False))
        assert not run.search(probe).whole
    assert run.refresh() is False, "not at each frame"
    run._partly -= 60
    assert run.refresh() is True
    assert run.refresh() is False, "once"


@pytest.mark.file
def test_a_server_that_is_lost_twice_is_told_of_twice_whatever_model_has_it(
    run: Enrolled, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost() -> bool:
        raise LostError("no server")

    assert run._gallery is not None
    run._gallery.migrated_to = "bigger"
    for follow in (lost, lost, lambda: True, lost):
        monkeypatch.setattr(run, "_follow", follow)
        run._again = 0
        run.refresh()
    assert [line.partition(":")[0] for line in said] == [
        "no server; until then, those known so far are recognised",
        f"the gallery {run._path} went over to the model bigger",
        "no server; until then, those known so far are recognised",
    ]


def test_a_writer_of_the_old_model_cannot_mix_its_embeddings_in(
    path: Path, template: Templates, run: Enrolled
) -> None:
    with Gallery.open(path, "model", 16) as writer, Gallery.open(path, None, None) as other:
        ids, _, _ = other.embeddings()
        other.migrate({int(i): np.ones(8, np.float32) for i in ids}, "bigger", 8)
        with pytest.raises(followed.GalleryError, match="was migrated to the model bigger"):
            writer.add("Edith", [template(5)])
    with Gallery.open(path, "bigger", 8) as gallery:
        assert len(gallery) == 3


@pytest.mark.file
def test_a_damaged_file_is_said_once_and_followed_again_when_it_is_mended(
    path: Path, tmp_path: Path, template: Templates, run: Enrolled, said: list[str]
) -> None:
    with Gallery.open(path, "model", 16) as other:
        other.add("Edith", [template(5)])
        other.back_up(tmp_path / "sound.db")
    until(run, lambda: run.people_count == 3)
    (tmp_path / "broken.db").write_bytes(b"no gallery at all" * 999)
    (tmp_path / "broken.db").replace(path)
    until(run, lambda: said != [])
    assert "those known so far are recognised" in said[0]
    assert names(run, template(5))[0] == "Edith"
    for _ in range(10):
        time.sleep(0.01)
        run.refresh()
    assert len(said) == 1
    (tmp_path / "sound.db").replace(path)
    until(run, lambda: len(said) == 2)
    assert said[1].endswith("is followed again")
    assert run.note("calibration") is None


@pytest.mark.file
def test_a_gallery_that_is_deleted_leaves_nobody_known_until_there_is_one_again(
    path: Path, template: Templates, run: Enrolled, said: list[str]
) -> None:
    with Gallery.open(path, "model", 16) as other:
        other.add("Mallory", [template(4)])  # waits in the log, beside the file
    path.unlink()
    until(run, lambda: run.people_count == 0)
    assert names(run, template(1)) == []
    assert run.search(template(1).embedding[None], 3).distances.shape == (1, 3)
    assert "is gone" in said[0]
    assert len(said) == 1
    for left in path.parent.iterdir():
        assert template(4).embedding.tobytes() not in left.read_bytes()
    with Gallery.open(path, "model", 16, create=True) as other:
        other.add("Edith", [template(5)])
    until(run, lambda: run.people_count == 1)
    assert names(run, template(1)) == ["Edith"]


@pytest.mark.file
def test_what_a_deleted_gallery_left_does_not_reach_a_new_one_of_its_name(
    path: Path, template: Templates
) -> None:
    with Gallery.open(path, "model", 16, create=True) as old:
        old.add("Ada", [template(1)])
        kept = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    path.unlink()
    for name, content in kept.items():  # as after a power cut
        if name != path.name:
            (path.parent / name).write_bytes(content)
    with Gallery.open(path, "model", 16, create=True) as new:
        assert new.people() == []
        new.add("Grace", [template(2)])
        assert [each.name for each in new.people()] == ["Grace"]


@pytest.mark.file
def test_a_gallery_that_is_made_after_the_run_began_is_found(
    path: Path, template: Templates, said: list[str]
) -> None:
    with closing(Enrolled(path, "model", 16, said.append)) as people:
        assert (people.people_count, people.refresh(), names(people, template(1))) == (0, False, [])
        with Gallery.open(path, "another", 16, create=True) as other:
            other.add("Ada", [template(1)])
        until(people, lambda: said != [])
        assert "was made with the model another" in said[0]
        path.unlink()
        with Gallery.open(path, "model", 16, create=True) as other:
            other.add("Ada", [template(1)])
        until(people, lambda: people.people_count == 1)
        assert names(people, template(1)) == ["Ada"]


def test_asking_for_news_costs_little_while_there_is_none(run: Enrolled) -> None:
    quietly(run)
    started = time.process_time()
    for _ in range(1000):
        run.refresh()
    assert time.process_time() - started < 0.5, "half a millisecond each is a tenth of what may be noticed"
    assert os.listdir(f"/proc/{os.getpid()}/fd"), "and opens nothing"
