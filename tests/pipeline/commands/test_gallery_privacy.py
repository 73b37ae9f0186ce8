"""`recog gallery consent`, `encrypt` and `decrypt`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import build
from pipeline.service.store import store_path


@pytest.fixture
def enrolled(tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any) -> Path:
    """Red and blue; the gallery's file."""
    for name, colour in (("red", world.RED), ("blue", world.BLUE)):
        assert (
            recog("enroll", "--name", name, "--images", world.picture(tmp_path / f"{name}.png", colour)).code
            == 0
        )
    return build.gallery_path(None)


def consents(recog: Any) -> dict[str, Any]:
    return {each["name"]: each["consent"] for each in json.loads(recog("gallery", "consent", "--json").out)}


def test_a_consent_is_kept_with_its_date_shown_and_gone_with_the_person(enrolled: Path, recog: Any) -> None:
    ended = recog("gallery", "consent", "red", "--note", "signed form 12,  drawer B", "--date", "2026-03-01")
    assert ended.code == 0, ended.err
    assert "2026-03-01" in ended.out
    recog("gallery", "consent", "blue", "--note", "by mail")
    told = consents(recog)
    assert told["red"] == {"note": "signed form 12, drawer B", "date": "2026-03-01"}
    assert told["blue"]["date"] > "2026-03-01"
    recog("gallery", "rename", "red", "rosa")
    assert consents(recog)["rosa"] == told["red"]
    recog("gallery", "consent", "blue", "--withdrawn")
    assert consents(recog) == {"rosa": told["red"], "blue": None}
    assert recog("gallery", "undo").code == 0
    assert consents(recog)["blue"] == told["blue"]
    recog("gallery", "remove", "rosa")
    assert consents(recog) == {"blue": told["blue"]}
    assert b"drawer B" not in enrolled.read_bytes()


def test_a_consent_travels_with_an_export(enrolled: Path, recog: Any, tmp_path: Path) -> None:
    recog("gallery", "consent", "red", "--note", "signed", "--date", "2026-03-01")
    file, other = tmp_path / "people.recog", tmp_path / "other.db"
    assert recog("gallery", "export", file).code == 0
    assert recog("gallery", "import", file, "--gallery", other).code == 0
    told = json.loads(recog("gallery", "consent", "red", "--json", "--gallery", other).out)
    assert told == [{"name": "red", "consent": {"note": "signed", "date": "2026-03-01"}}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["red", "--note", " "], "1 to 500 characters"),
        (["red", "--note", "x", "--date", "1.3.2026"], "write the date as"),
        (["rde", "--note", "x"], "did you mean red?"),
    ],
)
def test_what_is_no_consent_is_one_line(enrolled: Path, recog: Any, words: list[str], said: str) -> None:
    recog("gallery", "consent", *words).refused(said)


def test_an_encrypted_gallery_serves_every_command_that_has_the_key(
    enrolled: Path, recog: Any, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlcipher3", reason="needs sqlcipher3: install recog[encrypted]")
    key = tmp_path / "key"
    key.write_bytes(b"correct horse battery staple")
    recog("gallery", "encrypt").refused("RECOG_KEY_FILE")
    monkeypatch.setenv("RECOG_KEY_FILE", str(key))
    beside = store_path(build.gallery_path(None))
    beside.write_bytes(b"")
    ended = recog("gallery", "encrypt")
    assert ended.code == 0, ended.err
    assert f"not encrypted: tapes, events, snapshots, films; beside it: {beside.name}" in ended.out
    beside.unlink()
    recog("gallery", "encrypt").refused("encrypted already")
    film = world.film(tmp_path / "film.mp4", world.RED)
    assert "red" in recog("run", "-s", film, "-e", tmp_path / "e.jsonl").out
    assert (
        recog("enroll", "--name", "green", "--images", world.picture(tmp_path / "g.png", world.GREEN)).code
        == 0
    )
    assert recog("forget", "green").code == 0
    assert "encrypted as the gallery is" in recog("gallery", "backup", tmp_path / "copy.db").out
    assert recog("gallery", "decrypt").code == 0
    monkeypatch.delenv("RECOG_KEY_FILE")
    assert "blue" in recog("gallery", "list").out
