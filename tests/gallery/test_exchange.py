"""What is exported comes back whole, and what is not an export is refused in one line."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery import Gallery, GalleryError, NewTemplate, secret
from gallery.exchange import export_bytes, is_encrypted, read_export

Templates = Callable[..., NewTemplate]
SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase costs half a second of guessing; the tests need not wait for that."""
    monkeypatch.setattr(secret, "COST", 10)


@pytest.fixture
def filled(path: Path, template: Templates) -> Path:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        details = {"second": 1.5, "what": "ä"}
        gallery.add("Ada", [replace(template(1, with_crop=True), detector="d", details=details), template(2)])
        gallery.add("Jürgen Groß", [template(2)])
    return path


def exported(filled: Path, tmp_path: Path, *arguments: Any) -> Path:
    with Gallery.open(filled, None, None) as gallery:
        content = export_bytes(gallery, *arguments)
    (tmp_path / "people.recog").write_bytes(content)
    return tmp_path / "people.recog"


@pytest.mark.parametrize("passphrase", [None, SECRET])
def test_people_come_back_as_they_were(filled: Path, tmp_path: Path, passphrase: str | None) -> None:
    file = exported(filled, tmp_path, None, True, passphrase)
    assert is_encrypted(file) == (passphrase is not None)
    found = read_export(file, passphrase)
    with (
        Gallery.open(filled, "model", 16) as before,
        Gallery.open(tmp_path / "new.db", found.fingerprint, found.dimension, create=True) as after,
    ):
        assert after.add_people(found.people, "import").stored == 3
        for person in before.people():
            pairs = zip(before.templates(person.name), after.templates(person.name), strict=True)
            for old, new in pairs:
                np.testing.assert_array_equal(old.embedding, new.embedding)
                np.testing.assert_array_equal(old.crop, new.crop)
                same = ("quality", "origin", "digest", "detector", "details")
                assert [getattr(old, each) for each in same] == [getattr(new, each) for each in same]
        assert after.add_people(found.people, "import").duplicates == 3
        after.undo()
        assert after.people() == []


def test_some_people_may_be_exported_without_pictures(filled: Path, tmp_path: Path) -> None:
    found = read_export(exported(filled, tmp_path, ["Ada"], False, None), None)
    assert list(found.people) == ["Ada"]
    assert [each.crop for each in found.people["Ada"]] == [None, None]
    with Gallery.open(filled, None, None) as gallery, pytest.raises(GalleryError, match="nobody named Zoe"):
        export_bytes(gallery, ["Zoe"], True, None)


def test_an_empty_gallery_has_nothing_to_export(path: Path) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery, pytest.raises(GalleryError, match="nobody"):
        export_bytes(gallery, None, True, None)


def test_nothing_of_an_encrypted_file_can_be_read_without_the_passphrase(
    filled: Path, tmp_path: Path, template: Templates
) -> None:
    file = exported(filled, tmp_path, None, True, SECRET)
    content = file.read_bytes()
    assert template(1).embedding.tobytes() not in content
    assert b"Ada" not in content
    for wrong in (None, "", "correct horse"):
        with pytest.raises(GalleryError, match="passphrase is not the one"):
            read_export(file, wrong)
    for place in (len(secret.MAGIC), len(secret.MAGIC) + 5, 60, len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(GalleryError, match="damaged"):
            read_export(file, SECRET)
    for forged in (secret.MAGIC, secret.MAGIC + bytes([63]) * 60):
        file.write_bytes(forged)
        with pytest.raises(GalleryError, match="damaged"):
            read_export(file, SECRET)


def changed(file: Path, **members: Any) -> None:
    """Write an export anew with other members; a function changes what `gallery.json` says."""
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    for name, new in members.items():
        key = {"described": "gallery.json", "embeddings": "embeddings.npy", "crop": "crops/000000.png"}[name]
        if callable(new):
            described = json.loads(contents[key])
            new(described)
            new = json.dumps(described).encode()
        contents[key] = new
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def array(value: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, value, allow_pickle=True)
    return file.getvalue()


def first(described: dict[str, Any]) -> dict[str, Any]:
    photo: dict[str, Any] = described["people"][0]["photos"][0]
    return photo


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"described": b"{"}, "damaged"),
        ({"described": b"[]"}, "damaged"),
        ({"described": lambda d: d.update(format="other")}, "something else"),
        ({"described": lambda d: d.update(version=99)}, "update recog"),
        ({"described": lambda d: d.update(dimension=17)}, "another shape"),
        ({"described": lambda d: d["people"][0].update(name="../x")}, "slash"),
        ({"described": lambda d: first(d).update(embedding=99)}, "damaged"),
        ({"described": lambda d: first(d).update(embedding=-1)}, "damaged"),
        ({"described": lambda d: first(d).update(crop="../../etc/passwd")}, "damaged"),
        ({"described": lambda d: first(d).update(details=[])}, "damaged"),
        ({"described": lambda d: first(d).update(quality=float("nan"))}, "damaged"),
        ({"described": lambda d: first(d).pop("digest")}, "damaged"),
        ({"embeddings": array(np.array([{}, {}, {}], object))}, "damaged"),
        ({"embeddings": array(np.full((3, 16), np.nan, np.float32))}, "damaged"),
        ({"crop": b"no picture"}, "crop cannot be read"),
        ({"crop": bytes(2 << 20)}, "too large"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(
    filled: Path, tmp_path: Path, members: dict[str, Any], what: str
) -> None:
    file = exported(filled, tmp_path, None, True, None)
    changed(file, **members)
    with pytest.raises(GalleryError, match=what) as caught:
        read_export(file, None)
    assert str(caught.value).isprintable()


def test_random_damage_is_refused_in_one_line(filled: Path, tmp_path: Path) -> None:
    file = exported(filled, tmp_path, None, True, None)
    sound, chance = file.read_bytes(), random.Random(0)
    for run in range(60):
        content = bytearray(sound)
        if run % 3 == 0:
            del content[chance.randrange(len(content)) :]
        for _ in range(40):
            if content:
                content[chance.randrange(len(content))] = chance.randrange(256)
        file.write_bytes(content)
        with pytest.raises(GalleryError) as caught:  # an archive knows the checksums of its members
            read_export(file, None)
        assert str(caught.value).isprintable()


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="cannot be read"):
        read_export(tmp_path / "no", None)
    with pytest.raises(GalleryError, match="cannot be read"):
        is_encrypted(tmp_path)
