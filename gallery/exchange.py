"""One file with people in it, to carry from gallery to gallery. docs/gallery.md describes the format.

A zip archive: `gallery.json` says who and what, `embeddings.npy` holds the embeddings, `crops/` the kept
crops as PNG. An encrypted export holds that archive as `gallery/secret.py` says.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gallery import encoding, secret
from gallery.errors import GalleryError
from gallery.gallery import Gallery
from gallery.names import check_name, check_new_name
from gallery.types import Floats, NewTemplate, StoredTemplate

CONSENT = "consent"  # the notes of people that say what they agreed to
VERSION = 2  # from which on photos may be set aside; a file without any says 1
# What an export may hold. Archives inflate: a few kilobytes can claim all memory there is.
MOST_BYTES = 4 << 30  # of the file, and of everything in it once unpacked and decoded
MOST_DESCRIBED = 128 << 20  # bytes of `gallery.json`; a photo takes about 400
MOST_PHOTOS = 1_000_000
MOST_CROP_BYTES = 1 << 20
# What zipfile, json and numpy raise for bytes that are not what they should be.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    RuntimeError,
    EOFError,
)


@dataclass(frozen=True, slots=True)
class Export:
    """What an exported file holds."""

    fingerprint: str
    dimension: int
    people: dict[str, list[NewTemplate]]
    denied: dict[str, list[list[NewTemplate]]]  # looks that are not of them; those at one face together
    consents: dict[str, dict[str, str]]  # by name: what they agreed to (`note`) and when (`date`)


def export_bytes(gallery: Gallery, names: Sequence[str] | None, crops: bool, passphrase: str | None) -> bytes:
    """People of a gallery, everybody or those named, as the content of a file.

    Raises:
        GalleryError: a name nobody has, or nobody to export.
    """
    wanted = [check_name(name) for name in names] if names else [each.name for each in gallery.people()]
    people: list[dict[str, Any]] = []
    embeddings: list[Floats] = []
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # PNG is compressed already

        def describe(photo: StoredTemplate) -> dict[str, Any]:
            crop = None
            if crops and photo.crop is not None:
                crop = f"crops/{len(embeddings):06}.png"
                archive.writestr(crop, encoding.crop_to_bytes(photo.crop))
            embeddings.append(photo.embedding)
            return {
                "embedding": len(embeddings) - 1, "crop": crop, "quality": photo.quality,
                "origin": photo.origin, "digest": photo.digest, "added": photo.added,
                "detector": photo.detector, "details": dict(photo.details),
            } | ({"aside": True} if photo.aside else {})  # fmt: skip

        consents = gallery.person_notes(CONSENT)
        for name in dict.fromkeys(wanted):
            photos = [describe(photo) for photo in gallery.templates(name, aside=True)]
            denied = gallery.denials(name)
            faces = [[describe(each.look) for each in denied if each.face == face]
                     for face in dict.fromkeys(each.face for each in denied)]  # fmt: skip
            agreed = {"consent": consents[name]} if name in consents else {}
            people.append({"name": name, "photos": photos} | ({"denied": faces} if faces else {}) | agreed)
        if not embeddings:
            raise GalleryError(f"nobody is enrolled in {gallery.path}, so there is nothing to export")
        rows = io.BytesIO()
        np.save(rows, np.stack(embeddings).astype("<f4"))
        archive.writestr("embeddings.npy", rows.getvalue())
        # An earlier recog would search what is set aside.
        version = VERSION if any("aside" in photo for one in people for photo in one["photos"]) else 1
        described = {"format": "recog gallery", "version": version, "model": gallery.fingerprint,
                     "dimension": gallery.dimension, "people": people}  # fmt: skip
        archive.writestr("gallery.json", json.dumps(described, ensure_ascii=False, indent=1))
    if passphrase is None:
        return packed.getvalue()
    return secret.encrypt(packed.getvalue(), passphrase)


def is_encrypted(path: Path) -> bool:
    """Whether an exported file asks for a passphrase.

    Raises:
        GalleryError: it cannot be read.
    """
    return _read(path, len(secret.MAGIC)) == secret.MAGIC


def read_export(path: Path, passphrase: str | None) -> Export:
    """What an exported file holds, checked from end to end.

    Raises:
        GalleryError: unreadable, no export, damaged, of a newer recog, or the passphrase is not the one.
    """
    content = _read(path, MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise _too_large(path, f"a file of more than {MOST_BYTES / 1e9:,.1f} GB")
    if content.startswith(secret.MAGIC):
        try:
            content = secret.decrypt(content, passphrase or "")
        except ValueError as error:
            raise GalleryError(f"{path}: the passphrase is not the one, or the file is damaged") from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _Unpacking(path, archive).export()
    except _DAMAGE as error:
        shown = "".join(c if c.isprintable() else "?" for c in str(error))  # it may quote the damage
        raise GalleryError(
            f"{path} is no export of a gallery, or damaged ({shown}); make it again: recog gallery export"
        ) from error


class _Unpacking:
    """Reads the members of an archive, and keeps count of what they take. Raises what `_DAMAGE` lists."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        self._left = MOST_BYTES

    def export(self) -> Export:
        """Everything. Raises GalleryError for more than an import takes."""
        described = json.loads(self._member("gallery.json", MOST_DESCRIBED))
        if described["format"] != "recog gallery":
            raise ValueError("it describes something else")
        if described["version"] > VERSION:
            raise GalleryError(f"{self._path} was exported by a newer version of recog; update recog")
        count = sum(
            len(person["photos"]) + sum(map(len, person.get("denied", []))) for person in described["people"]
        )
        if count > MOST_PHOTOS:
            raise self._too_large(f"{count:,} photos, not {MOST_PHOTOS:,}")
        dimension = int(described["dimension"])
        embeddings = _array(self._member("embeddings.npy", MOST_BYTES), dimension)
        people, denied, consents = {}, {}, {}
        for person in described["people"]:
            name, faces = check_new_name(person["name"]), person.get("denied", [])
            people[name] = [self._template(photo, embeddings) for photo in person["photos"]]
            if faces:
                denied[name] = [[self._template(look, embeddings) for look in face] for face in faces]
            if "consent" in person:
                consents[name] = {key: str(person["consent"][key]) for key in ("note", "date")}
        return Export(str(described["model"]), dimension, people, denied, consents)

    def _template(self, photo: dict[str, Any], embeddings: Floats) -> NewTemplate:
        crop = None
        if photo["crop"] is not None:
            png = self._member(photo["crop"], MOST_CROP_BYTES)
            height, width = encoding.crop_size(png)
            self._take(3 * height * width)
            crop = encoding.crop_from_bytes(png)
        row, texts = int(photo["embedding"]), [str(photo[key]) for key in ("origin", "digest", "detector")]
        if row < 0 or not isinstance(photo["details"], dict):
            raise ValueError("a photo is not described as it should be")
        origin, digest, detector = texts
        embedding = np.asarray(embeddings[row], np.float32)
        quality, details = float(photo["quality"]), photo["details"]
        aside = photo.get("aside", False) is True
        return NewTemplate(embedding, crop, quality, origin, digest, detector, details, aside)

    def _member(self, name: str, most: int) -> bytes:
        about = self._archive.getinfo(name)
        if about.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("it is packed in another way")  # that `zipfile` unpacks without a limit
        if about.file_size > most:
            raise self._too_large(f"{name} holds {about.file_size / 1e6:,.0f} MB, not {most / 1e6:,.0f}")
        self._take(about.file_size)
        with self._archive.open(about) as member:
            return member.read(about.file_size + 1)  # no more is unpacked, whatever the member says of itself

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self._too_large(f"more than {MOST_BYTES / 1e9:,.1f} GB once unpacked")

    def _too_large(self, what: str) -> GalleryError:
        return _too_large(self._path, what)


def _array(content: bytes, dimension: int) -> Floats:
    """Embeddings (n, dimension) of a file of NumPy's. Raises ValueError for anything else."""
    # Not `np.load`, which makes room for as many numbers as the file claims before it looks for them.
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("its embeddings are of another format")
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)
    data = content[file.tell() :]
    if dtype != np.dtype("<f4") or by_column or len(shape) != 2 or shape[1] != dimension:
        raise ValueError("its embeddings have another shape than it says")
    if len(data) != 4 * shape[0] * shape[1]:
        raise ValueError("its embeddings are cut short")
    return np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)


def _too_large(path: Path, what: str) -> GalleryError:
    return GalleryError(
        f"{path} is larger than an import takes ({what}); export fewer people at a time with --name, "
        "or leave the pictures out with --no-crops"
    )


def _read(path: Path, most: int) -> bytes:
    """At most so many bytes of a file."""
    parts = []
    try:
        with path.open("rb") as file:
            while most and (part := file.read(min(most, 1 << 20))):
                parts.append(part)
                most -= len(part)
    except OSError as error:
        raise GalleryError(f"{path} cannot be read ({error.strerror})") from error
    return b"".join(parts)
