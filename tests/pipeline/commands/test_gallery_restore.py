"""`recog gallery restore`: the gallery as it was, meant by whoever says so, also under those who use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gallery import Gallery
from pipeline import build


@pytest.fixture
def backup(recog: Any, world: Any, tmp_path: Path, detector: object, embedder: object) -> Path:
    """Of a gallery of Ada, to which Bo has come since."""
    assert recog("enroll", "--name", "Ada", world.picture(tmp_path / "red.png", world.RED)).code == 0
    assert recog("gallery", "backup", tmp_path / "monday.db").code == 0
    assert recog("enroll", "--name", "Bo", world.picture(tmp_path / "green.png", world.GREEN)).code == 0
    return tmp_path / "monday.db"


def names() -> list[str]:
    with Gallery.open(build.gallery_path(None), None, None) as opened:
        return [each.name for each in opened.people()]


def test_a_backup_is_restored_where_that_is_meant(recog: Any, backup: Path) -> None:
    recog("gallery", "restore", backup).refused("replace it with --overwrite")
    assert names() == ["Ada", "Bo"]
    ended = recog("gallery", "restore", backup, "--overwrite")
    assert ended.code == 0, ended.err
    assert "1 person, 1 photo" in ended.out
    assert "remove them again" in ended.out
    assert names() == ["Ada"]


def test_a_gallery_that_is_not_there_is_made_without_asking(recog: Any, backup: Path, tmp_path: Path) -> None:
    ended = recog("gallery", "restore", backup, "--gallery", tmp_path / "new.db", "--json")
    told = json.loads(ended.out)
    assert (told["people"], told["photos"], told["erased"]) == (1, 1, True)
    assert "Ada" in recog("gallery", "list", "--gallery", tmp_path / "new.db").out


def test_what_cannot_be_restored_is_one_line(recog: Any, backup: Path, tmp_path: Path) -> None:
    recog("gallery", "restore", tmp_path / "none.db", "--overwrite").refused("there is no backup at")
    recog("gallery", "restore", backup, "-g", backup, "--overwrite").refused("is the gallery itself")
    recog("gallery", "restore", tmp_path / "red.png", "--overwrite").refused("red.png is not a gallery")
    recog("gallery", "restore", backup, "-g", "postgresql://host/faces").refused("on a server")
    assert names() == ["Ada", "Bo"]
