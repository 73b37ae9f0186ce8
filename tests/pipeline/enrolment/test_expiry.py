"""Who was not enrolled anew for long leaves the gallery, if that is set."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from gallery import Gallery, NewTemplate
from pipeline.api import Recog
from pipeline.enrolment.expiry import expire


def enrolled(path: Path, *names: str) -> Gallery:
    opened = Gallery.open(path, "model", 8, create=True)
    for number, name in enumerate(names):
        face = np.full(8, number, np.float32)
        opened.add(name, [NewTemplate(face, None, 1.0, "photo", str(number))])
    return opened


def test_those_who_were_enrolled_longer_ago_go_and_the_others_stay(tmp_path: Path) -> None:
    with enrolled(tmp_path / "people.db", "Ann", "Ben") as people:
        now = datetime.now(UTC)
        assert expire(people, 30, now + timedelta(days=29)) == []
        assert expire(people, 30, now + timedelta(days=31)) == ["Ann", "Ben"]
        assert people.people() == []


def test_a_new_photo_begins_the_time_anew(tmp_path: Path) -> None:
    path, old = tmp_path / "people.db", "2020-01-01T00:00:00+00:00"
    enrolled(path, "Ann", "Ben").close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE templates SET added = ?", (old,))
        connection.execute("UPDATE people SET added = ?", (old,))
    with enrolled(path) as people:
        people.add("Ann", [NewTemplate(np.ones(8, np.float32), None, 1.0, "photo", "new")])
        assert expire(people, 30) == ["Ben"]
        assert [each.name for each in people.people()] == ["Ann"]


def test_a_run_takes_them_out_where_that_is_set_and_nobody_otherwise(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    assert recog("enroll", "--name", "red", world.picture(tmp_path / "red.png", world.RED)).code == 0
    film = world.film(tmp_path / "film.mp4", world.GREEN, count=8)
    with Recog.open() as opened:
        assert opened.expire() == []
    assert recog("run", "-s", film, "--set", "keep.people=1").code == 0
    assert "red" in recog("gallery", "list").out
    ended = recog("run", "-s", film, "--set", "keep.people=0.0000001")
    assert ended.code == 0, ended.err
    assert "red" not in recog("gallery", "list").out
