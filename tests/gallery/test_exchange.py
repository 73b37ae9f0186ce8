"""What is exported comes back whole, and what is not an export is refused in one line."""

from __future__ import annotations

import io
import json
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gallery import Gallery, GalleryError, NewTemplate, exchange, secret
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
    """Write an export again with other members; a function changes what `gallery.json` says."""
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


def picture(height: int, width: int) -> bytes:
    return cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].tobytes()


def jpeg() -> bytes:
    return cv2.imencode(".jpg", np.zeros((112, 112, 3), np.uint8))[1].tobytes()


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
        ({"crop": bytes(2 << 20)}, "larger than an import takes"),
        ({"crop": picture(1025, 8)}, "too large, 8 x 1025 pixels"),
        ({"crop": jpeg()}, "crop cannot be read"),
        ({"embeddings": array(np.zeros((3, 16), np.float64))}, "another shape"),
        ({"embeddings": array(np.zeros((3, 16), "<f4"))[:-1]}, "cut short"),
        ({"embeddings": b"\x93NUMPY\x02\x00"}, "another format"),
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


def memory_of_importing(file: Path) -> int:
    """The most bytes that Python and NumPy held at once while an import was refused."""
    tracemalloc.start()
    try:
        with pytest.raises(GalleryError) as caught:
            read_export(file, None)
        assert str(caught.value).isprintable()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def packed(file: Path, member: str, content: bytes, says: int | None = None, method: int = 8) -> None:
    """Write an export again with one member packed; `says` is what the archive claims of its size."""
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents[member] = content
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, each in contents.items():
            archive.writestr(name, each)
    if says is not None:
        raw = file.read_bytes()
        file.write_bytes(raw.replace(struct.pack("<I", len(content)), struct.pack("<I", says)))


@pytest.mark.parametrize("member", ["gallery.json", "embeddings.npy", "crops/000000.png"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("honest", [True, False], ids=["says so", "says less"])
def test_a_member_that_inflates_is_refused_before_it_takes_memory(
    filled: Path, tmp_path: Path, member: str, method: int, honest: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MOST_BYTES", 2 << 20)
    monkeypatch.setattr(exchange, "MOST_DESCRIBED", 2 << 20)
    file = exported(filled, tmp_path, None, True, None)
    packed(file, member, bytes(16 << 20), None if honest else 1 << 19, method)
    assert file.stat().st_size < 1 << 20
    assert memory_of_importing(file) < 8 << 20


def test_an_array_that_claims_more_than_there_is_takes_no_memory(filled: Path, tmp_path: Path) -> None:
    file = exported(filled, tmp_path, None, True, None)
    content = array(np.zeros((3, 16), "<f4"))
    changed(file, embeddings=content.replace(b"(3, 16), }        ", b"(300000000, 16), }"))
    assert memory_of_importing(file) < 4 << 20


def test_one_picture_that_is_unpacked_over_and_over_counts_each_time(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def repeat(described: dict[str, Any]) -> None:
        described["people"][0]["photos"] = [first(described)] * 100

    file = exported(filled, tmp_path, None, True, None)
    changed(file, described=repeat)
    read_export(file, None)
    monkeypatch.setattr(exchange, "MOST_BYTES", 3 << 20)
    with pytest.raises(GalleryError, match=r"more than 0\.0 GB once unpacked.*--name"):
        read_export(file, None)
    monkeypatch.setattr(exchange, "MOST_PHOTOS", 100)
    with pytest.raises(GalleryError, match="101 photos, not 100"):
        read_export(file, None)


def test_a_file_that_is_too_large_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MOST_BYTES", 1 << 20)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    assert memory_of_importing(tmp_path / "huge") < 8 << 20
    assert memory_of_importing(Path("/dev/zero")) < 8 << 20
