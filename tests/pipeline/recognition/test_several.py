"""Several sources at once share models and a gallery, nothing else; one that fails ends alone."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gallery.types import NewTemplate
from pipeline import build
from pipeline.config import DetectSettings, Settings
from pipeline.errors import SinkError, SourceError
from pipeline.identity.calibrate import keep
from pipeline.identity.guarantee import Guarantee
from pipeline.outputs.outputs import Outputs
from pipeline.protocols import People
from pipeline.recognition import several
from pipeline.recognition.several import Mosaic, SharedPeople, own_videos, recognise_all

SETTINGS = Settings(det=DetectSettings(every=1))


class Boom(Exception):  # noqa: N818
    pass


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def gallery(tmp_path: Path, embedder: Any) -> Path:
    """With Rosa, who is red."""
    path = tmp_path / "gallery.db"
    with build.gallery(path, embedder, create=True) as people:
        crop = np.full((1, 112, 112, 3), (40, 40, 220), np.uint8)
        people.add("Rosa", [NewTemplate(embedder.embed(crop)[0], None, 1.0, "test", "Rosa")])
    return path


def frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return count


def test_each_source_has_its_own_tracks_events_and_video(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    red = world.film(tmp_path / "red.mp4", world.RED)
    both = world.film(tmp_path / "both.mp4", world.GREEN, world.RED, count=25)
    events, out = tmp_path / "events.jsonl", tmp_path / "videos"
    options = ["--gallery", gallery, "--events", events, "--out", out, "--json", "--set", "det.every=1"]
    ended = recog("run", "--source", red, "--source", both, *options)
    assert (ended.code, ended.err) == (0, "")
    first, second = json.loads(ended.out)["sources"]
    assert (first["source"], first["frames"], first["unknown_tracks"]) == (str(red), 40, 0)
    assert (second["source"], second["frames"], second["unknown_tracks"]) == (str(both), 25, 1)
    assert [[p["name"] for p in each["people"]] for each in (first, second)] == [["Rosa"], ["Rosa"]]
    assert {path.name: frames(path) for path in out.iterdir()} == {"red.mp4": 40, "both.mp4": 25}
    told = [json.loads(line) for line in events.read_text().splitlines()]
    recognised = {(each["source"], each["name"]) for each in told if each["event"] == "recognised"}
    assert recognised == {("red.mp4", "Rosa"), ("both.mp4", "Rosa")}
    assert {each["track"] for each in told if each["source"] == "red.mp4"} == {0}


def test_sources_may_stand_in_the_configuration(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    films = [world.film(tmp_path / f"{name}.avi", world.RED, count=12) for name in "ab"]
    config = tmp_path / "two.toml"
    config.write_text(f"[run]\nsources = {json.dumps([str(film) for film in films])}\n")
    ended = recog("run", "--config", config, "--gallery", gallery)
    assert (ended.code, ended.err) == (0, "")
    assert [line.partition(":")[0] for line in ended.out.splitlines() if " frames in " in line] == [
        str(film) for film in films
    ]
    without = recog("run", "--gallery", gallery)
    assert without.code == 2
    assert "--source" in without.err


def test_a_video_that_may_not_be_replaced_is_not_said_to_be_written(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    films = [world.film(tmp_path / f"{name}.avi", world.RED, count=12) for name in "ab"]
    events, out = tmp_path / "events.jsonl", tmp_path / "videos"
    out.mkdir()
    (out / "a.mp4").write_bytes(b"precious")
    words = ["run", "--source", films[0], "--source", films[1], "--gallery", gallery, "--out", out]
    ended = recog(*words, "--events", events, "--json")
    assert ended.code == 1
    first, second = json.loads(ended.out)["sources"]
    assert (first["out"], first["events"]) == (None, None)
    assert (second["out"], second["events"]) == (str(out / "b.mp4"), str(events))
    assert (out / "a.mp4").read_bytes() == b"precious"
    assert {json.loads(line)["source"] for line in events.read_text().splitlines()} == {"b.avi"}
    again = recog(*words)
    assert "a.mp4 exists; choose another name" in again.out
    assert "written" not in again.out


def test_a_source_that_ends_badly_ends_alone(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    whole, cut = (world.film(tmp_path / f"{name}.avi", world.RED) for name in ("whole", "cut"))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    ended = recog("run", "--source", cut, "--source", whole, "--gallery", gallery, "--json")
    assert ended.code == 1
    assert ended.err.startswith("recog: cut.avi is damaged or cut short")
    assert json.loads(ended.out)["sources"][1]["frames"] == 40
    missing = recog("run", "--source", whole, "--source", tmp_path / "none.avi", "--gallery", gallery)
    assert missing.code == 1
    assert "none.avi" in missing.err


def test_a_bug_in_one_stops_all_and_keeps_its_traceback(
    tmp_path: Path, world: Any, detector: Any, gallery: Path
) -> None:
    def fail(frame: int) -> None:
        if frame == 20:
            raise Boom

    detector.before = fail
    films = [str(world.film(tmp_path / f"{name}.avi", world.RED, count=30)) for name in "abc"]
    with pytest.raises(Boom) as raised:
        recognise_all(films, [Outputs(window=False)] * 3, gallery, SETTINGS)
    assert raised.traceback[-1].name == "fail"


def test_random_failures_never_hang_or_leave_a_thread(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = [str(world.film(tmp_path / f"{i}.avi", world.RED, count=8)) for i in range(3)]
    opening = several.open_source
    for seed in range(12):
        dice = random.Random(seed)
        bad = dice.randrange(-1, 24)
        errors: list[Exception] = [Boom(), SourceError("gone")]
        error = dice.choice(errors)
        numbers = iter(range(1000))

        def fail(frame: int, numbers: Any = numbers, bad: int = bad, error: Exception = error) -> None:
            if next(numbers) == bad:
                raise error

        detector.before = fail
        before = threading.active_count()
        try:
            ended = recognise_all(films, [Outputs(window=False)] * 3, gallery, SETTINGS)
        except Boom:
            assert bad >= 0
        else:
            assert sum(each.complaint is not None for each in ended) == (bad >= 0)
            assert sum(each.summary.frames for each in ended) == (24 if bad < 0 else pytest.approx(20, abs=4))
        assert threading.active_count() == before
    assert opening is several.open_source


def test_the_gallery_is_searched_by_one_at_a_time_and_every_view_is_told_of_a_change() -> None:
    class Counted:
        people_count, inside, most, changed = 3, 0, 0, False

        fingerprint = "a model"

        def knows(self, name: str) -> bool:
            return False

        def note(self, key: str) -> Any:
            return None

        def person_notes(self, key: str) -> dict[str, Any]:
            return {}

        def changed_since(self, template: int) -> int:
            return 0

        def search(self, embeddings: Any, people: int = 5, pooled: bool = False) -> Any:
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.001)
            self.inside -= 1
            return "found"

        def refresh(self) -> bool:
            changed, self.changed = self.changed, False
            return changed

    counted: Any = Counted()
    shared = SharedPeople(counted)
    views = [shared.view() for _ in range(4)]
    assert [view.refresh() for view in views] == [False] * 4
    counted.changed = True
    assert [view.refresh() for view in views] == [True] * 4
    assert [view.refresh() for view in views] == [False] * 4
    probe = np.zeros((1, 8), np.float32)
    threads = [threading.Thread(target=lambda v=view: [v.search(probe) for _ in range(20)]) for view in views]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.most == 1
    assert views[0].people_count == 3


def test_a_view_has_all_that_a_gallery_has(gallery: Path, embedder: Any) -> None:
    wanted = {name for name in dir(People) if not name.startswith("_")}
    with closing(build.people(gallery, embedder)) as people:
        shared = SharedPeople(people)
        for each in (people, shared.view()):
            assert wanted <= set(dir(each))
        assert shared.view().fingerprint == people.fingerprint
        assert (shared.view().person_notes("x"), shared.view().changed_since(0)) == ({}, 1)


def test_what_a_gallery_was_calibrated_for_holds_for_every_source(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, embedder: Any, recog: Any
) -> None:
    # A threshold that leaves Rosa, who is enrolled with the very same colour, no room at all.
    claim = Guarantee(0.01, 0.95, -1.0, 0.0099, 432, 1, 1, 0, 0, False, {}, newest=1)
    with build.gallery(gallery, embedder) as people:
        keep(people, claim, np.zeros((0, 8), np.float32), undoable=False)
    films = [world.film(tmp_path / f"{name}.avi", world.RED) for name in "ab"]
    options = ["--gallery", gallery, "--set", "det.every=1"]
    alone = recog("run", "--source", films[0], *options)
    ended = recog("run", "--source", films[0], "--source", films[1], *options)
    assert "nobody was recognised" in alone.out
    assert ended.out.count("nobody was recognised") == 2
    assert ended.out.count(f"calibrated: {claim}") == 1
    for each in recognise_all([str(f) for f in films], [Outputs(window=False)] * 2, gallery, SETTINGS):
        assert each.guarantee == claim
        assert each.summary.as_dict()["people"] == []


def test_a_calibration_that_lapses_while_cameras_run_is_said_once(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, embedder: Any
) -> None:
    claim = Guarantee(0.01, 0.95, 5.0, 0.0099, 432, 1, 1, 0, 0, False, {}, newest=1)
    with build.gallery(gallery, embedder) as people:
        keep(people, claim, np.zeros((0, 8), np.float32), undoable=False)

        def enroll(frame: int) -> None:
            time.sleep(0.03)  # long enough for the gallery to be looked at again, which is done once a second
            if frame == 20:
                crop = np.full((1, 112, 112, 3), world.GREEN, np.uint8)
                people.add("Greta", [NewTemplate(embedder.embed(crop)[0], None, 1.0, "test", "Greta")])

        detector.before = enroll
        films = [str(world.film(tmp_path / f"{name}.avi", world.RED, count=60)) for name in "ab"]
        said: list[str] = []
        ended = recognise_all(films, [Outputs(window=False)] * 2, gallery, SETTINGS, report=said.append)
    lapsed = "the calibration is for 1 person, and 1 person was enrolled or changed since"
    assert sum(line.startswith(lapsed) for line in said) == 1
    assert [each.guarantee for each in ended] == [None, None]


def test_videos_are_named_after_their_sources_and_no_two_alike(tmp_path: Path) -> None:
    specs = ["0", "a/film.mp4", "b/film.mkv", "rtsp://me:secret@host/live?key=1", "1"]
    names = [path.name for path in own_videos(tmp_path / "new", specs)]
    assert names == ["camera-0.mp4", "film.mp4", "film+2.mp4", "live.mp4", "camera-1.mp4"]
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="with several sources, --out is a folder"):
        own_videos(tmp_path / "file", specs)


def test_the_mosaic_shows_the_newest_picture_of_each() -> None:
    mosaic = Mosaic(["left", "right"])
    blank = mosaic.picture()
    mosaic.put(1, np.full((90, 160, 3), 50, np.uint8))
    mosaic.put(1, np.full((90, 160, 3), 200, np.uint8))
    image = mosaic.picture()
    assert image.shape == blank.shape
    half = image.shape[1] // 2
    assert (image[100, half + 100] == 200).all()
    assert (image[100, 100] == 0).all()


def test_a_window_that_is_closed_ends_every_source(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []

    class Closing:
        def __init__(self, title: str, *, enabled: bool) -> None:
            self.closed = False
            assert enabled

        def show(self, image: Any) -> None:
            if not self.closed:
                shown.append(image.shape)
            self.closed = True

        def __enter__(self) -> Closing:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(several, "Window", Closing)
    monkeypatch.setattr(several, "can_show", lambda: True)
    detector.before = lambda frame: time.sleep(0.002)
    films = [str(world.film(tmp_path / f"{i}.avi", world.RED, count=400)) for i in range(2)]
    wanted = replace(Outputs(), window=True)
    ended = recognise_all(films, [wanted] * 2, gallery, SETTINGS, delay=0)
    assert len(shown) == 1
    assert all(each.summary.frames < 400 for each in ended)
