"""An archive: every film once, whatever happens in between, and with the result of a run over it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gallery import Gallery
from pipeline import build
from pipeline.config import EnrollSettings, Settings
from pipeline.fleet.archive import Archive, Archived
from pipeline.fleet.jobs import STATE, Join, Look, Recognise, Task
from pipeline.fleet.prepare import films_below, recipe_of
from pipeline.fleet.records import Records
from pipeline.fleet.worker import Worker, made_with, places_of
from pipeline.outputs.ledger import Ledger
from pipeline.tapes.tape import Tape

RED, GREEN = (40, 40, 220), (40, 200, 40)


@pytest.fixture
def films(tmp_path: Path, cut_film: Any, detector: Any, embedder: Any) -> Path:
    """Two films of one shot, the second of them in a folder of its own."""
    folder = tmp_path / "films"
    (folder / "2024").mkdir(parents=True)
    cut_film(folder / "red.mp4", (120, 12, (RED,)))
    cut_film(folder / "2024" / "green.mp4", (120, 10, (GREEN,)))
    return folder


@pytest.fixture
def long_film(tmp_path: Path, cut_film: Any, detector: Any, embedder: Any) -> Path:
    """A folder with a film of three shots of 4.4 seconds, each with other faces."""
    folder = tmp_path / "films"
    folder.mkdir()
    shots = (60, 44, (RED,)), (200, 44, (GREEN, RED)), (60, 44, (GREEN,))
    cut_film(folder / "long.mp4", *shots, fps=10)
    return folder


@pytest.fixture
def run(tmp_path: Path, gallery: Path, crews: list[Any]) -> Callable[..., Archived]:
    """Does an archive with a crew of one, which is left in `crews`."""

    def do(
        films: Path,
        deadly: Callable[[Task], bool] = lambda task: False,
        longest: float = 600.0,
        stopped: Callable[[], bool] = lambda: False,
        said: Callable[[str], None] = lambda line: None,
        **values: Any,
    ) -> Archived:
        from pipeline.fleet.crew import Processes

        out = tmp_path / "out"
        recipe, count = recipe_of(films, out, gallery, Settings(**values), longest, 1)
        with Records(out) as records, Processes(recipe, count) as crew:
            crew.deadly = deadly  # type: ignore[attr-defined]
            return Archive(recipe, films_below(films, out), records, report=said).run(crew, stopped)

    return do


def rows(tape: Path) -> list[list[Any]]:
    """All that is on a tape but for when it was made."""
    with sqlite3.connect(tape) as connection:
        asked = (
            "SELECT run, source, live FROM runs",
            "SELECT * FROM tracks ORDER BY track",
            "SELECT * FROM looks ORDER BY rowid",
            "SELECT * FROM once ORDER BY track",
        )
        found = [connection.execute(each).fetchall() for each in asked]
    connection.close()
    return found


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_nobody_is_forgotten_while_an_archive_is_made(
    tmp_path: Path, films: Path, gallery: Path, recog: Any, crews: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, run = [], Archive.run

    def meanwhile(self: Archive, *given: Any) -> Archived:
        refused.append(recog("forget", "Rosa", "--gallery", gallery))
        return run(self, *given)

    monkeypatch.setattr(Archive, "run", meanwhile)
    assert recog("archive", films, "--out", tmp_path / "out", "--gallery", gallery).code == 0
    refused[0].refused("a run with the gallery")
    assert recog("forget", "Rosa", "--gallery", gallery).code == 0


def test_every_film_below_a_folder_becomes_the_tape_and_the_events_of_a_run(
    tmp_path: Path, films: Path, gallery: Path, recog: Any, crews: list[Any]
) -> None:
    (films / "notes.txt").write_text("no film")
    out = tmp_path / "out"
    ended = recog("archive", films, "--out", out, "--gallery", gallery, "--json")
    assert (ended.code, ended.err) == (0, "")
    summary = json.loads(ended.out)
    assert (summary["films"], summary["done"], summary["frames"]) == (2, 2, 22)
    made = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    state = f"{STATE}/done.jsonl"
    names = ["2024/green.mp4.events.jsonl", "2024/green.mp4.tape", "red.mp4.events.jsonl", "red.mp4.tape"]
    assert made == [state, *names]
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_file()} == {0o600}

    tape, events = tmp_path / "run.tape", tmp_path / "run.jsonl"
    recog("run", "--source", films / "red.mp4", "--tape", tape, "--events", events, "--gallery", gallery)
    apart = [{k: v for k, v in each.items() if k != "id"} for each in told(out / "red.mp4.events.jsonl")]
    assert apart == [{k: v for k, v in each.items() if k != "id"} for each in told(events)]
    assert any(each["event"] == "recognised" and each["name"] == "Rosa" for each in apart)
    looks = [[row[1:] for row in rows(each)[2]] for each in (tape, out / "red.mp4.tape")]
    assert looks[0] == looks[1] != []


def test_what_is_done_is_not_done_again_whatever_it_is_called(
    films: Path, run: Callable[..., Archived], crews: list[Any]
) -> None:
    assert sorted(run(films).done) == ["2024/green.mp4", "red.mp4"]
    again = run(films)
    assert (sorted(again.before), crews[-1].asked) == (["2024/green.mp4", "red.mp4"], [])
    (films / "red.mp4").rename(films / "renamed.mp4")
    (films / "2024" / "copy.mp4").write_bytes((films / "2024" / "green.mp4").read_bytes())
    third = run(films)
    assert third.same == {"renamed.mp4": "red.mp4", "2024/copy.mp4": "2024/green.mp4"}
    assert {type(task) for task in crews[-1].asked} == {Look}


def test_a_film_that_is_gone_by_the_time_it_is_looked_at_fails_alone(
    films: Path, run: Callable[..., Archived], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(films)
    listed = films_below(films, films)
    (films / "red.mp4").unlink()
    monkeypatch.setattr(f"{__name__}.films_below", lambda *_: listed)
    ended = run(films)
    assert ended.before == ["2024/green.mp4"]
    assert "cannot read" in ended.failed["red.mp4"]


def test_two_films_of_one_content_are_done_once(films: Path, run: Callable[..., Archived]) -> None:
    (films / "copy.mp4").write_bytes((films / "red.mp4").read_bytes())
    ended = run(films)
    assert len(ended.done) == 2
    assert len(ended.same) == 1


def test_with_other_settings_nothing_is_replaced_unless_that_is_meant(
    tmp_path: Path, films: Path, gallery: Path, run: Callable[..., Archived], recog: Any, crews: list[Any]
) -> None:
    run(films)
    before = (tmp_path / "out" / "red.mp4.tape").read_bytes()
    words = ("archive", films, "--out", tmp_path / "out", "--gallery", gallery, "--set", "det.every=2")
    ended = recog(*words)
    assert ended.code == 1
    assert "red.mp4.tape is of a run with other models or settings" in ended.out
    assert (tmp_path / "out" / "red.mp4.tape").read_bytes() == before
    assert recog(*words, "--overwrite").code == 0
    assert (tmp_path / "out" / "red.mp4.tape").read_bytes() != before


def test_what_a_good_look_is_has_a_say_in_where_tracks_part(detector: Any, embedder: Any) -> None:
    keys = {
        made_with(embedder, detector, Settings(enroll=EnrollSettings(min_face=side))) for side in (48, 48, 60)
    }
    assert len(keys) == 2


def test_what_others_have_put_there_is_not_replaced(
    tmp_path: Path, films: Path, run: Callable[..., Archived]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "red.mp4.tape").write_text("precious")
    ended = run(films)
    assert list(ended.failed) == ["red.mp4"]
    assert "--overwrite" in ended.failed["red.mp4"]
    assert (tmp_path / "out" / "red.mp4.tape").read_text() == "precious"


def test_a_film_that_fails_is_told_and_does_not_stop_the_others(
    tmp_path: Path, films: Path, gallery: Path, recog: Any, crews: list[Any]
) -> None:
    (films / "broken.mp4").write_bytes(b"no film" * 10_000)
    ended = recog("archive", films, "--out", tmp_path / "out", "--gallery", gallery)
    assert ended.code == 1
    assert "3 films: 2 done, 1 failed" in ended.out
    assert "broken.mp4: failed: " in ended.out
    assert "not a video" in ended.out


def test_a_film_waits_for_the_next_archive_where_part_of_the_gallery_cannot_be_asked(
    films: Path, run: Callable[..., Archived], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Gallery.search
    with monkeypatch.context() as now:
        now.setattr(Gallery, "search", lambda *given, **named: replace(search(*given, **named), whole=False))
        archived = run(films)
    assert archived.done == []
    assert set(archived.failed) == {"red.mp4", "2024/green.mp4"}
    assert all("part of the gallery could not be asked" in why for why in archived.failed.values())
    assert not any(place.exists() for place in places_of(tmp_path / "out", "red.mp4"))
    assert sorted(run(films).done) == ["2024/green.mp4", "red.mp4"]


def test_a_bug_fails_its_film_alone_and_keeps_its_traceback(
    tmp_path: Path, films: Path, gallery: Path, recog: Any, crews: list[Any], detector: Any
) -> None:
    def stumble(frame: int) -> None:
        detector.before = lambda frame: None
        raise ZeroDivisionError("a bug")

    detector.before = stumble
    ended = recog("archive", films, "--out", tmp_path / "out", "--gallery", gallery)
    assert (ended.code, "1 done, 1 failed" in ended.out) == (1, True)
    assert "Traceback" in ended.err


def test_a_film_that_is_cut_short_is_done_as_far_as_it_goes_and_that_is_told(
    tmp_path: Path, films: Path, cut_film: Any, run: Callable[..., Archived]
) -> None:
    path = cut_film(films / "short.mkv", (120, 60, (RED,)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ended = run(films)
    assert "short.mkv" in ended.done
    assert "cut short" in ended.complaints["short.mkv"]
    assert run(films).complaints == {}


def test_a_worker_that_dies_loses_nothing_and_nothing_is_done_twice(
    tmp_path: Path, films: Path, run: Callable[..., Archived], crews: list[Any]
) -> None:
    deaths = iter([True])  # what it has done is there, and nobody was told
    ended = run(films, deadly=lambda task: isinstance(task, Recognise) and next(deaths, False))
    assert (len(ended.done), ended.died) == (2, 1)
    places = places_of(tmp_path / "out", "red.mp4")
    (taped,) = rows(places[0])[0]
    assert {each["id"].partition("-")[0] for each in told(places[1])} == {taped[0]}
    assert [each["event"] for each in told(places[1])].count("left") == 1


def test_what_kills_three_workers_is_given_up(films: Path, run: Callable[..., Archived]) -> None:
    lines: list[str] = []
    ended = run(
        films,
        deadly=lambda task: isinstance(task, Recognise) and task.film == "red.mp4",
        said=lines.append,
    )
    assert ended.done == ["2024/green.mp4"]
    assert "took 3 workers" in ended.failed["red.mp4"]
    assert len(lines) == 3


def test_a_long_film_in_pieces_gives_the_tape_and_the_events_of_the_whole(
    tmp_path: Path, long_film: Path, run: Callable[..., Archived], crews: list[Any]
) -> None:
    run(long_film, longest=4.0)
    assert len([task for task in crews[-1].asked if isinstance(task, Recognise)]) == 3
    places = places_of(tmp_path / "out", "long.mp4")
    pieces = rows(places[0]), places[1].read_text()
    for path in tmp_path.joinpath("out").rglob("*.*"):
        if path.is_file():
            path.unlink()
    run(long_film, longest=0)
    assert [type(task) for task in crews[-1].asked] == [Look, Recognise, Join]
    assert pieces == (rows(places[0]), places[1].read_text())
    tracks = {each["track"] for each in told(places[1])}
    assert tracks == {0, 1, 2, 3}
    assert {(each["track"], each["name"]) for each in told(places[1]) if each["event"] == "recognised"} == {
        (0, "Rosa"),
        (2, "Rosa"),
    }


def test_who_was_in_view_at_the_end_of_a_piece_has_left_among_the_events_of_the_next(
    tmp_path: Path, long_film: Path, run: Callable[..., Archived]
) -> None:
    run(long_film, longest=4.0)
    events = told(places_of(tmp_path / "out", "long.mp4")[1])
    left = next(i for i, each in enumerate(events) if each["event"] == "left")
    assert (events[left]["track"], events[left]["seconds"]) == (0, 4.3)
    assert {each["track"] for each in events[:left]} >= {1, 2}


def test_after_a_crash_the_pieces_that_are_there_are_not_done_again(
    tmp_path: Path, long_film: Path, run: Callable[..., Archived], crews: list[Any]
) -> None:
    asked = iter(range(100))
    ended = run(long_film, longest=4.0, stopped=lambda: next(asked) == 3)  # after the look and two pieces
    assert ended.interrupted
    assert run(long_film, longest=4.0).done == ["long.mp4"]
    names = [task.name for task in crews[-1].asked if isinstance(task, Recognise)]
    assert names == ["88-132"]
    assert [path.name for path in (tmp_path / "out" / STATE).iterdir()] == ["done.jsonl"]


def test_a_crash_between_placing_and_noting_is_made_good(
    tmp_path: Path,
    films: Path,
    run: Callable[..., Archived],
    monkeypatch: pytest.MonkeyPatch,
    crews: list[Any],
) -> None:
    add = Records.add
    monkeypatch.setattr(Records, "add", _power_cut)
    with pytest.raises(OSError, match="power"):
        run(films)
    monkeypatch.setattr(Records, "add", add)
    done = run(films)
    assert (len(done.done), done.failed) == (2, {})
    assert len([task for task in crews[-1].asked if isinstance(task, Recognise)]) == 1


def _power_cut(*_: object) -> None:
    raise OSError("power cut")


def test_a_piece_with_other_frames_than_the_index_says_has_the_film_done_whole(
    tmp_path: Path,
    long_film: Path,
    run: Callable[..., Archived],
    monkeypatch: pytest.MonkeyPatch,
    crews: list[Any],
) -> None:
    from pipeline.errors import SourceError
    from pipeline.fleet import worker

    def no_part(*_: object) -> None:
        raise SourceError("not the film any more that it was")

    monkeypatch.setattr(worker, "open_part", no_part)
    ended = run(long_film, longest=4.0)
    assert (ended.done, ended.failed) == (["long.mp4"], {})
    assert crews[-1].asked[-2].name == "whole"


def test_two_archives_do_not_work_in_one_folder(
    tmp_path: Path, films: Path, recog: Any, crews: list[Any]
) -> None:
    with Records(tmp_path / "out"):
        recog("archive", films, "--out", tmp_path / "out").refused("another recog archive is at work there")


def test_a_worker_with_other_models_is_refused(tmp_path: Path, films: Path, gallery: Path) -> None:
    from dataclasses import replace

    from pipeline.errors import PipelineError

    recipe, _ = recipe_of(films, tmp_path / "out", gallery, Settings(), 600.0, 1)
    with pytest.raises(PipelineError, match="other models"):
        Worker(replace(recipe, made_with="others"))


def test_a_folder_without_films_and_a_gallery_that_is_missing_are_refused_before_any_work(
    tmp_path: Path, films: Path, recog: Any, crews: list[Any]
) -> None:
    (tmp_path / "empty").mkdir()
    recog("archive", tmp_path / "empty", "--out", tmp_path / "out").refused("holds no films")
    recog("archive", films, "--out", tmp_path / "out", "--gallery", tmp_path / "none.db").refused("none.db")
    assert not (tmp_path / "out").exists()


def test_who_is_forgotten_is_forgotten_in_archives_also_where_a_film_is_not_finished(
    tmp_path: Path, long_film: Path, gallery: Path, run: Callable[..., Archived], recog: Any, embedder: Any
) -> None:
    asked = iter(range(100))
    run(long_film, longest=4.0, stopped=lambda: next(asked) == 2)  # after the look and a piece
    (work,) = [path for path in (tmp_path / "out" / STATE).iterdir() if path.is_dir()]
    (tape,) = work.glob("*.tape")
    Ledger(gallery).note("archive", tmp_path / "out")
    assert any(row[1] == 0 for row in rows(tape)[2])
    ended = recog("forget", "Rosa", "--gallery", gallery, "--json")
    assert ended.code == 0, ended.err
    assert rows(tape)[2] == []
    assert [each for path in work.glob("*.events") for each in told(path)] == []
    with Gallery.open(gallery, build.fingerprint(embedder), embedder.dimension) as people:
        assert people.people() == []
    with Tape(tape, build.fingerprint(embedder)) as opened:
        assert opened.tracks(opened.runs()[0].run) == []


def test_who_is_forgotten_in_a_piece_takes_nobody_along_who_has_the_same_number_in_another(
    tmp_path: Path, long_film: Path, gallery: Path, run: Callable[..., Archived], recog: Any
) -> None:
    asked = iter(range(100))
    run(long_film, longest=4.0, stopped=lambda: next(asked) == 3)  # after the look and two pieces
    Ledger(gallery).note("archive", tmp_path / "out")
    assert recog("forget", "Rosa", "--gallery", gallery, "--json").code == 0
    assert run(long_film, longest=4.0).done == ["long.mp4"]
    tape, events = places_of(tmp_path / "out", "long.mp4")
    kinds = [(each["track"], each["event"]) for each in told(events)]
    assert [each for each in kinds if each[1] == "entered"] == [(0, "entered"), (1, "entered")]
    assert [(each[0], each[1]) for each in rows(tape)[1]] == [
        (taped, n) for (taped, *_) in rows(tape)[0] for n in (0, 1)
    ]


def test_a_name_of_a_film_may_hold_what_looks_like_the_end_of_a_line(
    films: Path, run: Callable[..., Archived]
) -> None:
    (films / "red.mp4").rename(films / "r\u2028e\u0085d.mp4")
    assert len(run(films).done) == 2
    assert len(run(films).before) == 2


def test_a_line_that_a_crash_has_cut_short_costs_no_line_but_itself(
    tmp_path: Path, films: Path, run: Callable[..., Archived]
) -> None:
    with Records(tmp_path / "out"):
        pass
    (tmp_path / "out" / STATE / "done.jsonl").write_bytes(b'{"film": "go')
    assert len(run(films).done) == 2
    again = run(films)
    assert (len(again.before), again.failed) == (2, {})


def test_the_archive_is_noted_once_beside_the_gallery(
    tmp_path: Path, films: Path, gallery: Path, recog: Any, crews: list[Any]
) -> None:
    for _ in range(2):
        recog("archive", films, "--out", tmp_path / "out", "--gallery", gallery)
    assert [(each.kind, each.where) for each in Ledger(gallery).entries()] == [
        ("archive", str(tmp_path / "out"))
    ]


def test_progress_is_told_in_seconds_of_film(tmp_path: Path, films: Path, gallery: Path) -> None:
    from .conftest import Here  # type: ignore[import-not-found]

    said: list[tuple[str, int, int | None]] = []
    out = tmp_path / "out"
    recipe, _ = recipe_of(films, out, gallery, Settings(), 600.0, 1)
    with Records(out) as records, Here(recipe) as crew:
        names = films_below(films, out)
        Archive(recipe, names, records, progress=lambda *each: said.append(each)).run(crew)
    assert said[0] == ("archive: 0 of 2 films, seconds of film", 0, None)
    assert said[-1][0] == "archive: 2 of 2 films, seconds of film"
