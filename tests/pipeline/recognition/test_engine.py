"""The whole path, from a film to annotated video, events and summary, with colours for faces."""

from __future__ import annotations

import json
import os
import stat
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from gallery import Gallery
from gallery.errors import GalleryError
from gallery.followed import Enrolled
from gallery.types import NewTemplate
from pipeline import build
from pipeline.config import DetectSettings, Settings
from pipeline.errors import SinkError
from pipeline.outputs.ledger import Ledger
from pipeline.outputs.outputs import Outputs
from pipeline.recognition import engine, stream
from pipeline.recognition.engine import recognise
from pipeline.sources.open import open_source
from pipeline.types import State
from tests.pipeline.videos import about

FAR = 0.1  # seconds; no clock of a film here is finer


def enroll(gallery: Path, embedder: Any, name: str, colour: tuple[int, int, int]) -> None:
    """As another process would: with a connection of its own."""
    crop = np.full((1, 112, 112, 3), colour, np.uint8)
    with build.gallery(gallery, embedder, create=True) as people:
        people.add(name, [NewTemplate(embedder.embed(crop)[0], None, 1.0, "test", name)])


def remove(gallery: Path, name: str) -> None:
    with Gallery.open(gallery, None, None) as people:
        people.remove(name)


@pytest.fixture
def gallery(tmp_path: Path, embedder: Any) -> Path:
    """With Rosa, who is red."""
    path = tmp_path / "gallery.db"
    enroll(path, embedder, "Rosa", (40, 40, 220))
    return path


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, world: Any) -> list[tuple[int, tuple[int, int, int], str | None]]:
    """Fills with (frame, colour, name) of every face that is drawn."""
    faces: list[tuple[int, tuple[int, int, int], str | None]] = []
    drawn = [0]
    draw = stream.draw

    def spy(image: Any, found: Any) -> Any:
        faces.extend((drawn[0], world.colour_at(image, face.box), face.identity.name) for face in found)
        drawn[0] += 1
        return draw(image, found)

    monkeypatch.setattr(stream, "draw", spy)
    return faces


def run(source: Path, gallery: Path | None, delay: float | None = None, **outputs: Any) -> engine.Ended:
    outputs = {"video": None, "events": None, "window": False} | outputs
    settings = Settings(det=DetectSettings(every=1))
    return recognise(str(source), Outputs(**outputs), gallery, settings, delay=delay)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_who_is_enrolled_is_named_on_most_frames_and_nobody_else_ever_is(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, seen: list[Any]
) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED, world.GREEN)
    ended = run(film, gallery, video=tmp_path / "out.mp4")
    assert {colour for _, colour, name in seen if name} == {world.RED}
    assert {name for *_, name in seen} == {"Rosa", None}
    assert sum(name == "Rosa" for *_, name in seen) > 0.7 * 40
    (rosa,) = ended.summary.people
    assert (rosa.name, rosa.tracks) == ("Rosa", 1)
    assert (rosa.first_seconds, rosa.last_seconds) == pytest.approx((0, 39 / 20), abs=FAR)
    assert (ended.summary.count(State.UNKNOWN), ended.summary.count(State.UNDECIDED)) == (1, 0)
    assert (ended.enrolled, ended.complaint, ended.interrupted) == (1, None, False)


def test_a_film_carries_names_from_the_first_frame_on_and_a_delay_of_nothing_from_the_verdict_on(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, seen: list[Any]
) -> None:
    film, events = world.film(tmp_path / "film.mp4", world.RED), tmp_path / "events.jsonl"
    run(film, gallery, video=tmp_path / "out.mp4", events=events)
    assert [name for *_, name in seen] == ["Rosa"] * 40
    told = {each["event"]: each["frame"] for each in lines(events)}
    assert (told["entered"], told["recognised"]) == (0, 0)
    seen.clear()
    run(film, gallery, delay=0, video=tmp_path / "out.mp4")
    named = [name for *_, name in seen]
    assert named[:3] == [None] * 3
    assert named[-10:] == ["Rosa"] * 10


def test_between_detections_every_frame_has_its_face(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, seen: list[Any]
) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED, world.GREEN)
    settings = Settings(det=DetectSettings(every=4))
    outputs = Outputs(tmp_path / "out.mp4", window=False)
    ended = recognise(str(film), outputs, gallery, settings)
    assert detector.frames == 10
    assert [name for _, colour, name in seen if colour == world.RED] == ["Rosa"] * 40
    assert {name for _, colour, name in seen if colour == world.GREEN} == {None}
    assert ended.summary.frames == 40


def test_without_a_picture_to_make_a_film_is_read_once(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    for each in (engine, stream):
        monkeypatch.setattr(each, "open_source", lambda *a, **k: opened.append(a) or open_source(*a, **k))
    film = world.film(tmp_path / "film.mp4", world.RED)
    run(film, gallery, events=tmp_path / "events.jsonl")
    assert len(opened) == 1
    run(film, gallery, video=tmp_path / "out.mp4")
    assert len(opened) == 3


def test_every_frame_is_in_the_output_with_its_size_and_rate_and_the_faces_are_marked(
    tmp_path: Path, world: Any, detector: Any, gallery: Path
) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED, count=33, fps=12.5)
    out = tmp_path / "out.mp4"
    assert run(film, gallery, video=out).summary.frames == 33
    assert about(out) == (33, 12.5, (320, 240))
    pairs = zip(frames_of(film), frames_of(out), strict=True)
    changed = [(np.abs(a.astype(int) - b).max(axis=2) > 60).mean() for a, b in pairs]
    assert min(changed[5:]) > 0.002  # a box and its label, not the whole picture
    assert max(changed) < 0.2


def frames_of(path: Path) -> list[Any]:
    capture = cv2.VideoCapture(str(path))
    images = []
    while (read := capture.read())[0]:
        images.append(read[1])
    capture.release()
    return images


def test_events_are_json_lines_that_only_their_owner_may_read(
    tmp_path: Path, world: Any, detector: Any, gallery: Path
) -> None:
    events = tmp_path / "events.jsonl"
    run(world.film(tmp_path / "film.avi", world.RED, world.GREEN), gallery, events=events)
    told = lines(events)
    assert sorted(each["event"] for each in told) == [
        "entered", "entered", "left", "left", "recognised", "unknown",
    ]  # fmt: skip
    assert [each["name"] for each in told if each["event"] == "recognised"] == ["Rosa"]
    assert {each["source"] for each in told} == {"film.avi"}
    assert stat.S_IMODE(events.stat().st_mode) == 0o600
    run(tmp_path / "film.avi", gallery, events=events)
    assert lines(events)[:6] == told  # appended to
    assert len(lines(events)) == 12


@pytest.mark.parametrize("exists", [False, True], ids=["no file yet", "emptied"])
def test_with_nobody_enrolled_everybody_is_unknown(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, exists: bool
) -> None:
    if exists:
        enroll(build.GALLERY, embedder, "Rosa", world.RED)
        remove(build.GALLERY, "Rosa")
    embedder.embedded = 0
    film = world.film(tmp_path / "film.mp4", world.RED, world.GREEN)
    ended = recog("run", "--source", film)
    assert (ended.code, ended.err) == (0, "")
    assert "nobody is enrolled" in ended.out
    assert "nobody was recognised" in ended.out
    assert "2 tracks unknown, 0 undecided" in ended.out
    assert embedder.embedded == 0
    assert json.loads(recog("run", "--source", film, "--json").out)["enrolled"] == 0


def test_a_picture_is_judged_by_itself_with_all_its_faces(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, seen: list[Any]
) -> None:
    crowd = [world.GREEN] * 9 + [world.RED] + [world.BLUE] * 4  # more than are looked at in a film's frame
    photo = world.picture(tmp_path / "crowd.png", *crowd, side=60)
    ended = run(photo, gallery, video=tmp_path / "out.jpg")
    assert [colour for _, colour, name in seen if name == "Rosa"] == [world.RED]
    assert (ended.summary.count(State.UNKNOWN), ended.summary.count(State.UNDECIDED)) == (13, 0)
    assert cv2.imread(str(tmp_path / "out.jpg")).shape == cv2.imread(str(photo)).shape


@pytest.mark.parametrize(
    ("count", "fps"), [(6, 0.5), (3, 1 / 60), (1, 25.0), (50, 1000.0), (8, 25.0)],
    ids=["every 2 s", "every minute", "one frame", "1000 a second", "a third of a second"],
)  # fmt: skip
@pytest.mark.parametrize("every", [5, "auto"])
def test_everybody_in_a_film_that_is_too_slow_or_too_short_to_follow_is_told(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, count: int, fps: float, every: Any
) -> None:
    film, events = tmp_path / "film.mkv", tmp_path / "events.jsonl"
    with av.open(str(film), "w") as made:
        stream: Any = made.add_stream("libx264", rate=max(1, round(fps)))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number, image in enumerate(world.frames(count, world.RED, world.GREEN)):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = round(1000 * number / fps), Fraction(1, 1000)
            made.mux(stream.encode(frame))
        made.mux(stream.encode())
    settings = Settings(det=DetectSettings(every=every))
    ended = recognise(str(film), Outputs(events=events, window=False), gallery, settings)
    assert [person.name for person in ended.summary.people] == ["Rosa"]
    told = [each for each in lines(events) if each["event"] in ("recognised", "unknown")]
    assert {each.get("name") for each in told} == {"Rosa", None}
    assert ended.summary.frames == count


def test_a_folder_is_a_slow_film_and_nothing_carries_over_to_the_next_picture(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, seen: list[Any]
) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out.mp4"
    folder.mkdir()
    for number, colour in enumerate([world.RED, world.GREEN, world.RED]):
        world.picture(folder / f"{number}.png", colour)
    (folder / "3.jpg").write_bytes(b"\xff\xd8\xff no picture")
    ended = run(folder, gallery, video=out, events=tmp_path / "events.jsonl")
    assert [name for *_, name in seen] == ["Rosa", None, "Rosa"]
    assert about(out)[:2] == (3, 1.0)
    told = [each for each in lines(tmp_path / "events.jsonl") if each["event"] == "recognised"]
    assert [(each["source"], each["seconds"]) for each in told] == [("photos/0.png", 0), ("photos/2.png", 2)]
    assert ended.complaint is not None
    assert "1 of 4 pictures left out" in ended.complaint


def test_who_is_enrolled_and_removed_by_others_meanwhile_is_named_from_then_to_then(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, seen: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "GALLERY", tmp_path / "not yet" / "gallery.db")

    taken_in = threading.Event()
    refresh = Enrolled.refresh

    def noted(people: Enrolled) -> bool:
        changed = refresh(people)
        if changed:
            taken_in.set()
        return changed

    def others(frame: int) -> None:
        if frame == 30:
            enroll(build.GALLERY, embedder, "Rosa", world.RED)
        if frame == 70:
            taken_in.clear()
            remove(build.GALLERY, "Rosa")
        if frame >= 70:
            taken_in.wait(0.2)  # another thread reads the file, and a frame does not wait for it

    monkeypatch.setattr(Enrolled, "refresh", noted)

    detector.before = others
    film = world.film(tmp_path / "film.avi", world.RED, count=100)
    ended = run(film, None, delay=0, video=tmp_path / "out.avi")
    named = [frame for frame, _, name in seen if name]
    # Detection is a few frames ahead of judgement, and a verdict takes three looks a tenth of a second apart.
    assert 25 < named[0] < 50
    assert 60 < named[-1] < 80
    assert named == list(range(named[0], named[-1] + 1))
    assert ended.enrolled == 0


def test_a_gallery_that_fails_meanwhile_ends_nothing_and_is_said_once(
    tmp_path: Path,
    world: Any,
    detector: Any,
    gallery: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    looks = []

    def fail(self: Gallery, wait: bool) -> bool:
        looks.append(1)
        if len(looks) < 5:
            return False
        raise GalleryError("the gallery is gone")

    monkeypatch.setattr(Gallery, "refresh", fail)
    out = tmp_path / "out.avi"
    ended = run(world.film(tmp_path / "film.avi", world.RED), gallery, video=out)
    assert ended.complaint is None
    assert about(out)[0] == ended.summary.frames == 40
    assert [person["name"] for person in ended.summary.as_dict()["people"]] == ["Rosa"]
    assert caplog.text.count("the gallery is gone; until then, those known so far are recog") == 1


def test_a_film_cut_short_is_run_as_far_as_it_goes_and_said_to_be(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    film, out = world.film(tmp_path / "film.avi", world.RED), tmp_path / "out.mp4"
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    ended = recog("run", "--source", film, "--gallery", gallery, "--out", out, "--json")
    assert ended.code == 1
    assert ended.err.startswith("recog: film.avi is damaged or cut short")
    assert ended.err.count("\n") == 1
    values = json.loads(ended.out)
    assert 10 < values["frames"] < 30
    assert about(out)[0] == values["frames"]
    assert [person["name"] for person in values["people"]] == ["Rosa"]


def test_a_full_disk_is_one_line_and_leaves_what_was_there(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    resource = pytest.importorskip("resource")
    film, out = world.film(tmp_path / "film.avi", world.RED, world.GREEN), tmp_path / "out.avi"
    out.write_bytes(b"precious")
    before = sorted(os.listdir(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))  # as good as a full disk, for this process
    try:
        ended = recog("run", "--source", film, "--gallery", gallery, "--out", out, "--overwrite")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ended.code == 1
    assert ended.err.startswith(f"recog: cannot write {out}: ")
    assert "is the disk full?" in ended.err  # OpenCV, which writes such files, does not say
    assert ended.err.count("\n") == 1
    assert out.read_bytes() == b"precious"
    listed = Ledger(gallery).path  # of what is written; nothing is in it
    assert sorted({*os.listdir(tmp_path)} - {listed.name}) == before
    assert listed.read_bytes() == b""


def test_a_run_that_may_not_replace_a_video_has_told_nobody_anything(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    film, out = world.film(tmp_path / "film.avi", world.RED, world.GREEN), tmp_path / "out.avi"
    out.write_bytes(b"precious")
    places = {name: tmp_path / name for name in ("events", "tape", "snapshots")}
    before = sorted(os.listdir(tmp_path))
    options = [word for name, path in places.items() for word in (f"--{name}", path)]
    recog("run", "--source", film, "--gallery", gallery, "--out", out, *options).refused("--overwrite")
    assert out.read_bytes() == b"precious"
    assert [each for each in sorted(os.listdir(tmp_path)) if each in {*before, *places}] == before


def test_events_never_go_into_a_file_of_another_kind(
    tmp_path: Path, world: Any, detector: Any, gallery: Path
) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED)
    for victim in (film, gallery):
        before = victim.read_bytes()
        with pytest.raises(SinkError, match="holds no events"):
            run(film, gallery, events=victim)
        assert victim.read_bytes() == before
    out = tmp_path / "out.mp4"
    with pytest.raises(SinkError, match="the video goes there"):
        run(film, gallery, video=out, events=tmp_path / "." / "out.mp4")
    assert not out.exists()


def test_json_of_one_source_and_of_several_tell_the_same_of_each(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    film = world.film(tmp_path / "a.mp4", world.RED, count=12)
    one = json.loads(recog("run", "-s", film, "-g", gallery, "--json").out)
    two = json.loads(recog("run", "-s", film, "-s", film, "-g", gallery, "--json").out)
    assert [set(each) for each in two["sources"]] == [set(one["sources"][0])] * 2
    assert set(one) == {*one["sources"][0], "sources"}
    assert one["source"] == two["sources"][0]["source"] == str(film)


def test_a_name_that_is_not_utf8_goes_onto_a_tape_and_into_events(
    tmp_path: Path, world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    film = world.film(tmp_path / "a.mp4", world.RED, count=12)
    odd = film.rename(tmp_path / os.fsdecode(b"caf\xe9.mp4"))
    outputs = ["--tape", tmp_path / "t.tape", "--events", tmp_path / "e.jsonl", "--out", tmp_path / "o.mp4"]
    ended = recog("run", "-s", odd, "-g", gallery, *outputs)
    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "e.jsonl").read_text().splitlines()[0])["source"] == odd.name
