"""A gallery on a server from the command line: enrolled, recognised, copied, removed and forgotten."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery import Gallery, NewTemplate, followed
from gallery.address import place
from gallery.server import store as server_store
from pipeline import build
from pipeline.api import Recog
from pipeline.paths import beside
from tests.postgres import Server

PASSWORD = "s3cret-enough"


@pytest.fixture
def url(
    postgres: Server, detector: Any, embedder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Of an empty database; with a password, which must be shown nowhere."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    postgres.empty()
    return postgres.url.replace("recog@", f"recog:{PASSWORD}@")


def test_a_gallery_on_a_server_serves_every_command(
    recog: Any, world: Any, tmp_path: Path, url: str, postgres: Server
) -> None:
    shown = postgres.url
    said = []

    def ran(*arguments: object, code: int = 0) -> Any:
        ended = recog(*arguments)
        assert ended.code == code, ended.err
        said.append(ended.out + ended.err)
        return ended

    for name, colour in (("red", world.RED), ("blue", world.BLUE)):
        photo = world.picture(tmp_path / f"{name}.png", colour)
        ran("enroll", "--name", name, "--images", photo, "--gallery", url)
    assert "red" in ran("gallery", "list", "-g", url).out
    film, events = world.film(tmp_path / "film.mp4", world.RED, world.GREEN), tmp_path / "e.jsonl"
    ran("run", "-s", film, "-e", events, "-g", url)
    named = [json.loads(line) for line in events.read_text().splitlines()]
    assert {each.get("name") for each in named if each["event"] == "recognised"} == {"red"}
    ran("doctor", "-g", url)
    assert json.loads(ran("gallery", "stats", "-g", url, "--json").out)["people"] == 2
    assert "pg_dump" in ran("gallery", "backup", tmp_path / "copy.db", "-g", url).out
    refused = ran("gallery", "encrypt", "-g", url, code=1).err
    assert f"the gallery {shown} is on a server" in refused
    back = tmp_path / "back.db"
    assert f"copied: 2 people, 2 photos, from {shown} to {back}" in ran("gallery", "copy", url, back).out
    assert stat.S_IMODE(back.stat().st_mode) == 0o600
    ran("gallery", "copy", back, url, code=1)
    removed = ran("gallery", "remove", "blue", "-g", url)
    assert "server      the server may hold the bytes until" in removed.out
    receipt = json.loads(ran("forget", "red", "-g", url, "--json").out)
    assert receipt["templates"] == 1
    assert [each["where"] for each in receipt["others"] if each["kind"] == "server"] == [shown]
    assert {Path(each["where"]).name for each in receipt["left"] if each["kind"] == "backup"} == {
        "copy.db", "back.db"
    }  # fmt: skip
    assert '"red"' not in events.read_text()
    assert PASSWORD not in "".join(said)
    written = beside(Path(shown)).parent
    assert all(PASSWORD.encode() not in each.read_bytes() for each in written.iterdir())
    assert stat.S_IMODE(written.stat().st_mode) == 0o700


def test_a_run_whose_server_goes_away_loses_no_event(
    recog: Any, world: Any, tmp_path: Path, url: str, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = world.picture(tmp_path / "red.png", world.RED)
    assert recog("enroll", "--name", "red", "--images", photo, "--gallery", url).code == 0
    film = world.film(tmp_path / "film.mp4", world.RED, world.GREEN)
    assert recog("run", "-s", film, "-e", tmp_path / "before.jsonl", "-g", url).code == 0
    search, asked = Gallery.search, []

    def stops_it(self: Gallery, *given: Any, **named: Any) -> Any:
        asked.append(1)
        if len(asked) == 3:
            postgres.stop()
        return search(self, *given, **named)

    monkeypatch.setattr(Gallery, "search", stops_it)
    try:
        ended = recog("run", "-s", film, "-e", tmp_path / "after.jsonl", "-g", url)
    finally:
        postgres.start()
    assert ended.code == 0, ended.err
    told = "is not heard of any more; until then, those known so far are recognised"
    assert (ended.out + ended.err).count(told) == 1
    before, after = (
        [
            (each["event"], each["track"], each.get("name"))
            for each in map(json.loads, file.read_text().splitlines())
        ]
        for file in (tmp_path / "before.jsonl", tmp_path / "after.jsonl")
    )
    assert len(before) > 3
    assert after == before


def test_nobody_gets_a_verdict_while_most_of_a_large_gallery_cannot_be_asked(
    recog: Any,
    world: Any,
    tmp_path: Path,
    url: str,
    embedder: Any,
    postgres: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_store, "LARGE", 1)  # as if a memory held no more
    monkeypatch.setattr(followed, "PAUSE", 0.05)
    photo = world.picture(tmp_path / "red.png", world.RED)
    assert recog("enroll", "--name", "red", "--images", photo, "--gallery", url).code == 0
    with build.gallery(place(url), embedder) as people:
        looks = -np.abs(np.random.default_rng(0).normal(size=(19, embedder.dimension))).astype(np.float32)
        others = {f"other {i}": [NewTemplate(look, None, 1.0, "", str(i))] for i, look in enumerate(looks)}
        people.add_people(others, "import")
    search, searches = Gallery.search, []

    def goes_and_comes(self: Gallery, *given: Any, **named: Any) -> Any:
        searches.append(1)
        if len(searches) == 2:  # the first look; before it, the index was made
            postgres.stop()
        if len(searches) == 8:
            wholes.append(search(self, *given, **named).whole)
            postgres.start()
        if len(searches) > 8:
            time.sleep(0.1)  # the frames of a camera
        return search(self, *given, **named)

    wholes: list[bool] = []
    monkeypatch.setattr(Gallery, "search", goes_and_comes)
    film, events = world.film(tmp_path / "film.mp4", world.RED, world.GREEN), tmp_path / "events.jsonl"
    try:
        ended = recog("run", "-s", film, "-e", events, "-g", url)
    finally:
        if len(searches) < 8:
            postgres.start()
    assert ended.code == 0, ended.err
    assert wholes == [False]
    assert "verdicts that stand are kept, and everybody else is undecided" in ended.out + ended.err
    told = [json.loads(line) for line in events.read_text().splitlines()]
    verdicts = [
        (each["event"], each.get("name")) for each in told if each["event"] in ("recognised", "unknown")
    ]
    assert sorted(verdicts, key=str) == [("recognised", "red"), ("unknown", None)], (
        "each once, and the true one"
    )


def test_programs_use_it_as_a_file_and_know_at_once_whom_another_one_enrolled(
    world: Any, tmp_path: Path, url: str, recog: Any
) -> None:
    reds = world.picture(tmp_path / "red.png", world.RED)
    with Recog.open(url) as one, Recog.open(url) as other:
        assert not one.present()
        assert [face.name for face in one.identify(reds)] == [None]
        assert other.enroll("red", [reds]).usable
        assert one.present()
        assert [face.name for face in one.identify(reds)] == ["red"]
        with other.gallery() as gallery:
            gallery.undo()
        assert [face.name for face in one.identify(reds)] == [None]


def test_whoever_was_not_enrolled_anew_leaves_it_by_themselves(world: Any, tmp_path: Path, url: str) -> None:
    with Recog.open(url, {"keep": {"people": 1e-7}}) as opened:
        assert opened.enroll("red", [world.picture(tmp_path / "red.png", world.RED)]).usable
        assert opened.expire() == ["red"]
        assert opened.people() == []
