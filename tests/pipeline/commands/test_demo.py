"""The demo makes its own film, names the one person it enrolled, and spares what it did not make."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gallery import Gallery
from gallery.types import NewTemplate
from pipeline import build
from pipeline.outputs import demo_film
from pipeline.outputs.ledger import Ledger
from pipeline.recognition import stream
from pipeline.types import Image

MADE = {"film.mp4", "enrolled.jpg", "gallery.db", "gallery.db-written"}
MADE |= {"annotated.mp4", "events.jsonl", "contact-sheet.png"}


@pytest.fixture
def short(world: Any, monkeypatch: pytest.MonkeyPatch, few_frames: None) -> None:
    """Pictures of coloured squares in place of photographs, and fewer frames of each."""
    known = world.face(world.empty(512, 600), world.RED, 140, 100, 220)
    strangers = (
        world.face(world.empty(400, 600), world.GREEN, 100, 120, 180),
        world.face(world.empty(512, 512), world.BLUE, 160, 100, 160),
    )
    passer_by = world.face(world.empty(512, 512), world.BLUE, 150, 130, 160)
    photos = demo_film.Photographs(known, strangers, passer_by)
    monkeypatch.setattr(demo_film, "photographs", lambda: photos)


@pytest.fixture
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    moving: Callable[..., Iterator[Image]] = demo_film._moving
    monkeypatch.setattr(demo_film, "_moving", lambda shot, random: moving(replace(shot, frames=12), random))


def test_it_names_the_person_it_enrolled_and_nobody_else(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, short: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    named: list[tuple[Any, str | None]] = []
    draw = stream.draw

    def spy(image: Any, faces: Any) -> Any:
        named.extend((world.colour_at(image, face.box), face.identity.name) for face in faces)
        return draw(image, faces)

    monkeypatch.setattr(stream, "draw", spy)
    out = tmp_path / "new" / "demo"
    ended = recog("demo", "--out", out, "--set", "det.every=1")
    assert (ended.code, ended.err) == (0, "")
    assert {colour for colour, name in named if name == demo_film.PERSON} == {world.RED}
    assert {colour for colour, name in named if name is None} >= {world.GREEN, world.BLUE}
    assert {path.name for path in out.iterdir()} == MADE
    for name in MADE - {"film.mp4", "gallery.db", "gallery.db-written"}:
        assert str(out / name) in ended.out
    assert "next: recog enroll" in ended.out
    told = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert {each["name"] for each in told if each["event"] == "recognised"} == {demo_film.PERSON}
    assert cv2.imread(str(out / "contact-sheet.png")) is not None
    for name in ("contact-sheet.png", "enrolled.jpg"):
        assert (out / name).stat().st_mode & 0o777 == 0o600
    noted = {(each.kind, Path(each.where).name) for each in Ledger(out / "gallery.db").entries()}
    assert ("picture", "contact-sheet.png") in noted
    films = [cv2.VideoCapture(str(out / name)) for name in ("film.mp4", "annotated.mp4")]
    assert [film.get(cv2.CAP_PROP_FRAME_COUNT) for film in films] == [48, 48]
    # A second time it begins again.
    again = recog("demo", "--out", out, "--set", "det.every=1")
    assert again.code == 0
    assert len((out / "events.jsonl").read_text().splitlines()) == len(told)


def test_it_does_not_delete_a_gallery_with_anybody_else_in_it(
    tmp_path: Path, detector: Any, embedder: Any, recog: Any, short: None
) -> None:
    with build.gallery(tmp_path / "gallery.db", embedder, create=True) as people:
        people.add("Rosa", [NewTemplate(np.zeros(8, np.float32), None, 1.0, "test", "1")])
    ended = recog("demo", "--out", tmp_path)
    assert ended.code == 1
    assert ended.err.startswith(f"recog: {tmp_path / 'gallery.db'} is a gallery with Rosa in it")
    with Gallery.open(tmp_path / "gallery.db", None, None) as people:
        assert [each.name for each in people.people()] == ["Rosa"]
    assert not (tmp_path / "film.mp4").exists()


def test_it_replaces_no_film_of_the_users_that_has_the_name_of_one_of_its_own(
    tmp_path: Path, recog: Any, short: None
) -> None:
    (tmp_path / "annotated.mp4").write_bytes(b"precious")
    recog("demo", "--out", tmp_path).refused("annotated.mp4 exists and is no demo's")
    assert (tmp_path / "annotated.mp4").read_bytes() == b"precious"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, recog: Any, short: None) -> None:
    (tmp_path / "file").write_text("precious")
    ended = recog("demo", "--out", tmp_path / "file" / "demo")
    assert ended.code == 1
    assert ended.err.startswith("recog: ")
    assert ended.err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "precious"


def test_where_nobody_is_found_in_the_photograph_it_says_so(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, short: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(demo_film, "other_view", lambda photo: world.empty())
    ended = recog("demo", "--out", tmp_path)
    assert ended.code == 1
    assert "no face found" in ended.err
    assert ended.err.count("\n") == 1


def test_control_c_ends_it_with_130_and_a_film_that_plays(
    tmp_path: Path, detector: Any, embedder: Any, recog: Any, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = itertools.count()
    draw = stream.draw

    def interrupted(image: Any, faces: Any) -> Any:
        if next(draws) == 30:
            raise KeyboardInterrupt
        return draw(image, faces)

    monkeypatch.setattr(stream, "draw", interrupted)
    ended = recog("demo", "--out", tmp_path)
    assert ended.code == 130
    film = cv2.VideoCapture(str(tmp_path / "annotated.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 30
    assert not list(tmp_path.glob(".*"))


def test_a_photograph_that_is_missing_is_one_line_and_nothing_is_made(
    tmp_path: Path, recog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_film, "FOLDER", tmp_path / "nowhere")
    recog("demo", "--out", tmp_path / "demo").refused("grace-hopper.jpg")
    assert not (tmp_path / "demo").exists()


def test_the_real_photographs_make_a_film_that_is_the_same_every_time() -> None:
    photos = demo_film.photographs()
    every = (photos.known, *photos.strangers, photos.passer_by)
    assert min(photo.shape[0] for photo in every) > 500
    first, again = ([*itertools.islice(demo_film.film(photos), 3)] for _ in range(2))
    assert all(frame.shape == (540, 960, 3) for frame in first)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[2])
    view = demo_film.other_view(photos.known)
    assert view.shape[:2] != photos.known.shape[:2]
    assert view.dtype == np.uint8


def test_a_quicker_film_has_as_many_times_fewer_frames_and_ends_where_the_other_does() -> None:
    photos = demo_film.photographs()
    quick = [*demo_film.film(photos, times=10)]
    assert len(quick) == 9 + 7 + 8 + 5
    quicker = [*demo_film.film(photos, times=20)]
    assert cv2.PSNR(quick[-1], quicker[-1]) > 20


def test_in_the_real_film_the_person_is_named_strangers_are_not_and_one_is_unknown(
    tmp_path: Path, recog: Any, few_frames: None
) -> None:
    """With the networks that ship, on fewer frames of the photographs that ship."""
    every_frame = ("--set", "det.every=1", "--set", "attention.interval=0")
    ended = recog("demo", "--out", tmp_path, *every_frame)
    assert (ended.code, ended.err) == (0, "")
    told = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert {each["name"] for each in told if each["event"] == "recognised"} == {demo_film.PERSON}
    assert [each for each in told if each["event"] == "unknown"]
    entered = {each["track"] for each in told if each["event"] == "entered"}
    assert len(entered) >= 6  # known and stranger, two strangers, again, passer-by


def test_every_photograph_says_where_it_is_from_and_why_it_may_be_passed_on() -> None:
    table = [
        line.split("|")[1:-1]
        for line in (demo_film.FOLDER / "README.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    named = {row[0].strip(" `"): row[1:] for row in table}
    assert set(named) == {path.name for path in demo_film.FOLDER.iterdir()} - {"README.md"}
    assert all("public domain" in status for _, status, _ in named.values())
