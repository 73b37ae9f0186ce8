"""Who is who: enroll people from pictures, folders and looks at a stream, and say whom a face is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gallery import check_new_name
from pipeline import build, detectors
from pipeline.api.pictures import Picture, checked
from pipeline.api.shared import Shared
from pipeline.enrolment.enroller import Enroller, Enrolment
from pipeline.enrolment.people import find_people
from pipeline.enrolment.photos import Shot, find_photos, look_at, rejected
from pipeline.enrolment.portraits import Portrait, of_one_face, template, to_enroll
from pipeline.faces.choose import parse_pick
from pipeline.types import Photograph

_log = logging.getLogger(__name__)


def enroll(
    shared: Shared,
    name: str,
    pictures: Sequence[Picture],
    *,
    pick: str | None,
    force: bool,
    dry_run: bool,
    keep_crops: bool,
) -> Enrolment:
    """As `Recog.enroll`."""
    name, photos = check_new_name(name), _photos(pictures)
    embedder, chosen = shared.embedder(), parse_pick(pick)
    looker = build.looker(shared.settings, embedder, chosen, graphs=shared.graphs(), helpers=shared.helpers)
    with shared.turn, shared.enroller(force=force, dry_run=dry_run, crops=keep_crops) as enroller:
        enrolled = enroller.enroll(name, list(look_at(photos, looker)))
        _keep_guarantee(shared, enroller)
        return enrolled


def enroll_people(shared: Shared, folder: Path) -> Iterator[tuple[Enrolment, int, int]]:
    """As `Recog.enroll_people`."""
    found = find_people(folder)
    for done, person in enumerate(found, 1):
        if person.refused:
            enrolled = Enrolment(person.name, (rejected(person.name, person.refused),))
        else:
            enrolled = enroll(
                shared, person.name, person.photos, pick=None, force=False, dry_run=False, keep_crops=True
            )
        yield enrolled, done, len(found)


def enroll_looks(
    shared: Shared, name: str, looks: Sequence[Portrait], source: str, *, force: bool
) -> Enrolment:
    """As `Recog.enroll_looks`."""
    name = check_new_name(name)
    theirs = of_one_face(looks, shared.embedder().calibration)
    seen_by = detectors.detector_fingerprint(shared.tracking_detector(shared.settings))
    with shared.turn, shared.enroller(force=force) as enroller:
        enrolled = enroller.enroll(name, to_enroll(theirs, source, seen_by))
        _keep_guarantee(shared, enroller)
        return enrolled


def embed_again(shared: Shared, looks: Sequence[Portrait]) -> list[Portrait]:
    """As `Recog.embed_again`."""
    crops = [each.crop for each in looks if each.crop is not None]
    if len(crops) != len(looks):
        raise ValueError("a look without a picture cannot be embedded again")
    if not crops:
        return []
    embeddings = shared.embedder().embed(np.stack(crops))
    return [replace(each, embedding=made) for each, made in zip(looks, embeddings, strict=True)]


def deny(shared: Shared, name: str, looks: Sequence[Portrait], source: str) -> int:
    """As `Recog.deny`."""
    with shared.turn, shared.gallery() as gallery:
        return gallery.deny(name, [template(look, source) for look in looks])


def _photos(pictures: Sequence[Picture]) -> list[Path | Shot | Photograph]:
    """The pictures one by one: folders are listed, arrays checked and numbered.

    Raises:
        SourceError: a folder without photographs.
        ValueError: an array that is no picture.
    """
    photos: list[Path | Shot | Photograph] = []
    for number, picture in enumerate(pictures, 1):
        if isinstance(picture, str | Path):
            photos += find_photos([Path(picture)])
        elif isinstance(picture, Photograph):
            photos.append(picture)
        else:
            photos.append(Shot(checked(picture), f"array {number}"))
    return photos


def _keep_guarantee(shared: Shared, enroller: Enroller) -> None:
    """Calibrate again where the gallery has outgrown its calibration, and log it."""
    if said := enroller.keep_guarantee(shared.strangers()):
        _log.info("%s: %s", shared.path, said)
