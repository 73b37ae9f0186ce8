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
from gallery.names import check_name
from gallery.types import Floats, NewTemplate

VERSION = 1
_MOST_CROP_BYTES = 1 << 20
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
        for name in dict.fromkeys(wanted):
            photos = []
            for photo in gallery.templates(name):
                crop = None
                if crops and photo.crop is not None:
                    crop = f"crops/{len(embeddings):06}.png"
                    archive.writestr(crop, encoding.crop_to_bytes(photo.crop))
                photos.append(
                    {"embedding": len(embeddings), "crop": crop, "quality": photo.quality,
                     "origin": photo.origin, "digest": photo.digest, "added": photo.added,
                     "detector": photo.detector, "details": dict(photo.details)}
                )  # fmt: skip
                embeddings.append(photo.embedding)
            people.append({"name": name, "photos": photos})
        if not embeddings:
            raise GalleryError(f"nobody is enrolled in {gallery.path}, so there is nothing to export")
        rows = io.BytesIO()
        np.save(rows, np.stack(embeddings).astype("<f4"))
        archive.writestr("embeddings.npy", rows.getvalue())
        described = {"format": "recog gallery", "version": VERSION, "model": gallery.fingerprint,
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
    content = _read(path)
    if content.startswith(secret.MAGIC):
        try:
            content = secret.decrypt(content, passphrase or "")
        except ValueError as error:
            raise GalleryError(f"{path}: the passphrase is not the one, or the file is damaged") from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            described = json.loads(archive.read("gallery.json"))
            if described["format"] != "recog gallery":
                raise ValueError("it describes something else")
            if described["version"] > VERSION:
                raise GalleryError(f"{path} was exported by a newer version of recog; update recog")
            embeddings = np.load(io.BytesIO(archive.read("embeddings.npy")), allow_pickle=False)
            dimension = int(described["dimension"])
            if embeddings.dtype != np.dtype("<f4") or embeddings.shape[1:] != (dimension,):
                raise ValueError("its embeddings have another shape than it says")
            people = {
                check_name(person["name"]): [
                    _template(archive, photo, embeddings) for photo in person["photos"]
                ]
                for person in described["people"]
            }
            return Export(str(described["model"]), dimension, people)
    except _DAMAGE as error:
        shown = "".join(c if c.isprintable() else "?" for c in str(error))  # it may quote the damage
        raise GalleryError(
            f"{path} is no export of a gallery, or damaged ({shown}); make it again: recog gallery export"
        ) from error


def _template(archive: zipfile.ZipFile, photo: dict[str, Any], embeddings: Floats) -> NewTemplate:
    crop = None
    if photo["crop"] is not None:
        if archive.getinfo(photo["crop"]).file_size > _MOST_CROP_BYTES:
            raise ValueError("a crop is too large")
        crop = encoding.crop_from_bytes(archive.read(photo["crop"]))
    row, texts = int(photo["embedding"]), [str(photo[key]) for key in ("origin", "digest", "detector")]
    if row < 0 or not isinstance(photo["details"], dict):
        raise ValueError("a photo is not described as it should be")
    origin, digest, detector = texts
    embedding = np.asarray(embeddings[row], np.float32)
    return NewTemplate(embedding, crop, float(photo["quality"]), origin, digest, detector, photo["details"])


def _read(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise GalleryError(f"{path} cannot be read ({error.strerror})") from error
