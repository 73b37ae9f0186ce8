"""Runs that cover faces: what may be seen in videos, snapshots, thumbnails and cards, and what may not."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gallery import Gallery
from gallery.types import NewTemplate
from pipeline import build
from pipeline.api import Recog
from pipeline.config import BlurSettings, DetectSettings, Settings
from pipeline.detection.wary import WaryDetector
from pipeline.errors import ConfigError
from pipeline.outputs.outputs import Outputs
from pipeline.recognition.engine import Ended, recognise
from pipeline.recognition.suited import for_covering
from pipeline.sources.base import Source
from pipeline.types import Detections, Frame, Image

CHANNEL = {"red": 2, "green": 1}


def shows(image: Image, colour: str) -> bool:
    """Whether a square of this colour can be seen; boxes and labels of that colour are thinner."""
    others = list(cv2.split(image))
    wanted = others.pop(CHANNEL[colour])
    coloured = cv2.compare(cv2.subtract(wanted, cv2.max(*others)), 60, cv2.CMP_GT)
    return bool(cv2.erode(coloured, np.ones((25, 25), np.uint8)).any())


def frames_of(path: Path) -> list[Image]:
    capture = cv2.VideoCapture(str(path))
    images = []
    while (read := capture.read())[0]:
        images.append(np.asarray(read[1], np.uint8))
    capture.release()
    return images


@pytest.fixture
def gallery(tmp_path: Path, embedder: Any, world: Any) -> Path:
    """With Rosa, who is red."""
    path = tmp_path / "gallery.db"
    crop = np.full((1, 112, 112, 3), world.RED, np.uint8)
    with build.gallery(path, embedder, create=True) as people:
        people.add("Rosa", [NewTemplate(embedder.embed(crop)[0], None, 1.0, "test", "1")])
    return path


@pytest.fixture
def film(tmp_path: Path, world: Any, detector: Any) -> Path:
    """Red and green, 40 frames."""
    return Path(world.film(tmp_path / "film.mp4", world.RED, world.GREEN))


def settings(*who: str, every: int = 1, **blur: Any) -> Settings:
    return Settings(
        det=DetectSettings(every=every), blur=BlurSettings(**{"who": who, "style": "filled"} | blur)
    )


def run(film: Path, gallery: Path, wanted: Settings, **outputs: Any) -> Ended:
    return recognise(str(film), Outputs(window=False, **outputs), gallery, wanted)


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize(
    ("who", "red", "green"),
    [
        ("unknown", True, False),
        ("not:Rosa", True, False),
        ("known", False, True),
        ("name:Rosa", False, True),
        ("all", False, False),
    ],
)
def test_the_film_shows_whom_the_rule_leaves_and_nobody_else(
    tmp_path: Path, film: Path, gallery: Path, who: str, red: bool, green: bool, every: int
) -> None:
    out = tmp_path / "out.mp4"
    run(film, gallery, settings(who, every=every), video=out)
    images = frames_of(out)
    assert len(images) == 40
    # Whoever is shown is shown once decided, and then to the end: names reach back, pictures do not.
    for colour, wanted in (("red", red), ("green", green)):
        seen = [shows(each, colour) for each in images]
        begin = seen.index(True) if wanted else 40
        assert begin >= 2
        assert seen == [i >= begin for i in range(40)]
        assert not wanted or begin <= 16


def test_without_a_rule_both_are_seen_from_the_first_frame_on(
    tmp_path: Path, film: Path, gallery: Path
) -> None:
    run(film, gallery, Settings(), video=tmp_path / "out.mp4")
    assert all(shows(each, "red") and shows(each, "green") for each in frames_of(tmp_path / "out.mp4"))


def test_snapshots_and_thumbnails_show_no_more_than_the_film(
    tmp_path: Path, film: Path, gallery: Path
) -> None:
    events = tmp_path / "events.jsonl"
    run(film, gallery, settings("unknown"), events=events, snapshots=tmp_path / "faces", thumbnails=True)
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert {tuple(each["blur"]) for each in told} == {("unknown",)}
    for each in told:
        if each["event"] in ("recognised", "unknown"):
            data = np.frombuffer(base64.b64decode(each["thumbnail"]), np.uint8)
            assert not shows(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8), "green")
        if "snapshot" in each:
            picture = np.asarray(cv2.imread(each["snapshot"]), np.uint8)
            assert not shows(picture, "green")
            if each["event"] == "left" and each.get("name") == "Rosa":
                assert shows(picture, "red")  # the view that may be seen is the better one


def test_nobody_is_named_on_a_face_that_is_covered(
    tmp_path: Path, film: Path, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.drawing import draw as drawing

    written: list[str] = []
    put = drawing.put_text
    monkeypatch.setattr(drawing, "put_text", lambda *a: written.append(a[1]) or put(*a))
    run(film, gallery, settings("known"), video=tmp_path / "out.mp4")
    assert set(written) == {"unknown"}


def test_what_only_low_scores_see_is_covered(
    tmp_path: Path, film: Path, gallery: Path, detector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = detector.detect

    def unsure(image: Image) -> Detections:
        seen = found(image)
        low = np.where(seen.boxes[:, 1] > 100, 0.06, 0.9).astype(np.float32)  # green is in the lower row
        return Detections(seen.boxes, low, seen.landmarks)

    monkeypatch.setattr(detector, "detect", unsure)
    out = tmp_path / "out.mp4"
    run(film, gallery, settings("name:Rosa"), video=out)
    assert not any(shows(each, "green") for each in frames_of(out))


@pytest.mark.parametrize(
    ("size", "delay", "once_in", "sparing"),
    [(64, None, 4, False), (224, None, 6, True), (64, 0.0, 2, False), (224, 0.0, 2, False)],
)
def test_a_film_is_looked_at_closely_less_often_the_less_there_is_to_see_beside_the_common_looks(
    tmp_path: Path,
    film: Path,
    gallery: Path,
    detector: Any,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    delay: float | None,
    once_in: int,
    sparing: bool,
) -> None:
    noted: list[bool] = []
    spared: list[bool] = []
    look = WaryDetector.look

    def noting(self: WaryDetector, image: Image, closely: bool, instead: bool) -> Detections:
        noted.append(closely)
        spared.append(instead)
        return look(self, image, closely, instead)

    monkeypatch.setattr(WaryDetector, "look", noting)
    wanted = Settings(det=DetectSettings(size=size), blur=BlurSettings(who=("all",)))
    recognise(str(film), Outputs(window=False, video=tmp_path / "out.mp4"), gallery, wanted, delay)
    assert len(noted) == 14  # six times a second
    assert noted == [i % once_in == 0 for i in range(14)]
    assert spared == [False, *[sparing] * 13]  # at first there is nothing else to go by


def test_what_only_a_close_look_saw_is_covered_until_the_next_one_and_as_long_before(
    tmp_path: Path, film: Path, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = np.array([[0, 0, 9999, 9999]], np.float32)
    close: list[bool] = []

    def look(self: WaryDetector, image: Image, closely: bool, instead: bool) -> Detections:
        close.append(closely)
        second = closely and close.count(True) == 2
        return replace(Detections.empty(), faint=everywhere[:0], rare=everywhere if second else None)

    monkeypatch.setattr(WaryDetector, "look", look)
    out = tmp_path / "out.mp4"
    run(film, gallery, settings("all", every=1, linger=0.25), video=out)
    seen = [shows(each, "red") for each in frames_of(out)]
    step = close.index(True, 1)  # frames between two close looks
    assert seen.index(False) == 0
    assert seen == [abs(i - step) > step for i in range(40)]


def test_a_face_that_is_missed_for_some_frames_stays_covered(
    tmp_path: Path, film: Path, gallery: Path, detector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, asked = detector.detect, [0]

    def blinks(image: Image) -> Detections:
        asked[0] += 1
        return found(image) if asked[0] % 5 in (0, 1) else Detections.empty()

    monkeypatch.setattr(detector, "detect", blinks)
    out = tmp_path / "out.mp4"
    run(film, gallery, settings("all", margin=0.5), video=out)
    assert not any(shows(each, colour) for each in frames_of(out) for colour in ("red", "green"))


def test_a_slip_in_a_name_ends_before_anything_is_written(tmp_path: Path, film: Path, gallery: Path) -> None:
    out, events = tmp_path / "out.mp4", tmp_path / "events.jsonl"
    with pytest.raises(ConfigError, match="nobody named Rose is enrolled"):
        run(film, gallery, settings("name:Rose"), video=out, events=events)
    assert not out.exists()
    assert not events.exists()


def test_who_is_removed_meanwhile_is_not_shown_as_a_stranger(
    tmp_path: Path, world: Any, gallery: Path, detector: Any
) -> None:
    film, out = world.film(tmp_path / "long.mp4", world.RED, count=120), tmp_path / "out.mp4"

    def remove(frame: int) -> None:
        if frame == 30:
            with Gallery.open(gallery, None, None) as people:
                people.remove("Rosa")

    detector.before = remove
    said: list[str] = []
    recognise(str(film), Outputs(out, window=False), gallery, settings("name:Rosa"), report=said.append)
    assert not any(shows(each, "red") for each in frames_of(out))
    assert any("everybody is covered" in line for line in said)


def test_no_event_names_by_its_rule_who_was_forgotten_while_the_film_ran(
    tmp_path: Path, film: Path, gallery: Path, embedder: Any, detector: Any
) -> None:
    events = tmp_path / "events.jsonl"

    def forget(frame: int) -> None:
        if frame == 8:
            with build.gallery(gallery, embedder) as people:
                people.remove("Rosa")

    detector.before = forget
    run(film, gallery, settings("not:Rosa"), events=events)
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert told[-1]["event"] == "left"
    assert {tuple(each["blur"]) for each in told} == {("all",)}  # results of a film wait for what follows
    assert "Rosa" not in events.read_text()


def test_a_picture_of_the_api_is_covered_too(film: Path, gallery: Path, embedder: Any) -> None:
    with Recog.open(gallery, {"det": {"every": 1}, "blur": {"style": "filled"}}) as recog:
        for kind in ("delay", "whole"):
            delay = 0 if kind == "delay" else None
            with recog.follow(film, draw=True, blur="all", delay=delay) as following:
                for result in following:
                    assert following.picture is not None
                    for image in (result.frame.image, following.picture):
                        assert not shows(image, "red")
                        assert not shows(image, "green")
                    assert all(face.covered for face in result.faces)
        with recog.follow(film, blur="all", delay=0) as following:
            assert not any(shows(result.frame.image, "red") for result in following)
        with recog.follow(film, delay=0) as following:
            assert all(shows(result.frame.image, "red") for result in following)


def test_a_photograph_is_covered_as_a_film_is(
    tmp_path: Path, world: Any, gallery: Path, detector: Any
) -> None:
    photo, out = world.picture(tmp_path / "photo.png", world.RED, world.GREEN), tmp_path / "out.png"
    run(photo, gallery, settings("unknown"), video=out)
    image = np.asarray(cv2.imread(str(out)), np.uint8)
    assert shows(image, "red")
    assert not shows(image, "green")


class Still(Source):
    """A source that gives nothing."""

    def __iter__(self) -> Iterator[Frame]:
        return iter(())


def test_every_frame_of_a_live_source_that_is_shown_was_looked_at() -> None:
    def every(source: Source, given: Any) -> int | str:
        return for_covering(Settings(det=DetectSettings(every=given)), source).det.every

    camera, film = Still("0", live=True), Still("film.mp4", fps=30.0)
    assert [every(camera, each) for each in ("auto", 1, 9)] == [1, 1, 1]
    assert [every(film, each) for each in ("auto", 1, 3, 90)] == ["auto", 1, 3, 5]


def test_the_card_of_a_run_that_covers_the_known_shows_none_of_them(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    film = world.film(tmp_path / "a.mp4", world.RED, world.GREEN)
    recog("enroll", "--name", "red", "--images", world.picture(tmp_path / "red.png", world.RED))
    tape, events = tmp_path / "t.tape", tmp_path / "e.jsonl"
    for blur in ([], ["--blur", "known", "--blur-style", "filled"]):
        events.unlink(missing_ok=True)
        tape.unlink(missing_ok=True)
        ended = recog(
            "run", "-s", film, "-e", events, "--tape", tape, "--snapshots", tmp_path / "faces", *blur
        )
        assert ended.code == 0, ended.err
        told = [json.loads(line) for line in events.read_text().splitlines()]
        event = next(each["id"] for each in told if each["event"] == "recognised")
        card = tmp_path / "card.png"
        fill = ["--set", "blur.style=filled"] if blur else []
        ended = recog("explain", event, "-e", events, "-t", tape, "-o", card, "--overwrite", *fill)
        assert ended.code == 0, ended.err
        upper = np.asarray(cv2.imread(str(card)), np.uint8)[130:330]
        assert shows(upper, "red") is not bool(blur)


@pytest.mark.parametrize(
    "words",
    [
        ["--blur", "somebody"],
        ["--blur", "all", "--blur-style", "pink"],
        ["--blur-style", "filled"],
        ["--blur-style", ""],
    ],
)
def test_what_cannot_be_asked_for_is_wrong_usage(
    film: Path, recog: Any, embedder: Any, words: list[str]
) -> None:
    ended = recog("run", "-s", film, *words)
    assert ended.code == 2
    assert "blur" in ended.err


def test_a_style_goes_with_the_faces_that_the_settings_name(film: Path, recog: Any, embedder: Any) -> None:
    ended = recog("run", "-s", film, "--set", "blur.who=all", "--blur-style", "filled")
    assert ended.code == 0, ended.err
