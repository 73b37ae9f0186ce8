"""The photos of a person: see, add, set aside, bring back, remove."""

from __future__ import annotations

import cv2
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gallery import Card, Gallery
from pipeline.service import people as book
from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.ids import utc_of
from pipeline.service.people import Entry
from pipeline.service.problems import Problem
from pipeline.service.service import Service
from pipeline.service.versions import IfMatch, etag

router = APIRouter(tags=["photos"])
QUALITY = 92  # of JPEG


class Photo(BaseModel):
    """One photo of a person."""

    id: str = Field(examples=["12"])
    quality: float = Field(description="0 to 1.", examples=[0.83])
    reasons: list[str] = Field(
        description="What speaks against it.", examples=[["fits none of the other photos"]]
    )
    origin: str = Field(description="Where it came from.", examples=["hopper.jpg"])
    added: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    aside: bool = Field(description="Kept, but nobody is recognised by it.")
    image: str | None = Field(
        description="Its picture; null where none was kept.", examples=["/api/v1/people/7/photos/12/image"]
    )
    version: str = Field(description="The ETag, without its quotes.", examples=["5f2b8c1d9e4a7360"])


class ChangedPhoto(Photo):
    """A photo after a change."""

    change: int | None = Field(description="For `undo`.", examples=[12])


class Aside(BaseModel):
    """Whether a photo is set aside."""

    aside: bool


class RemovedPhoto(BaseModel):
    """What the removal of a photo did."""

    templates: int = Field(examples=[1])
    erased: bool = Field(description="Whether no byte of it is left in the gallery's file.")
    undoable: bool = Field(description="Always false.", examples=[False])


@router.get("/people/{person}/photos/{photo}", operation_id="get_photo", dependencies=[viewer])
def get_photo(person: str, photo: str, service: ServiceDep, response: Response) -> Photo:
    """One photo of a person."""
    told = _told(service, person, photo)
    response.headers["etag"] = etag(told.version)
    return told


@router.get(
    "/people/{person}/photos/{photo}/image",
    operation_id="get_photo_image",
    dependencies=[viewer],
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "The aligned face, a JPEG."}},
)
def get_photo_image(person: str, photo: str, service: ServiceDep) -> Response:
    """The aligned face of a photo."""
    card = book.card_of(book.find(service.recog, person), photo)
    with service.recog.gallery() as gallery:
        stored = next(gallery.read([card.id]), None)
    if stored is None or stored.crop is None:
        raise Problem(404, "no_picture", "the picture of this photo was not kept", "path.photo")
    done, encoded = cv2.imencode(".jpg", stored.crop, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    headers = {"cache-control": "private, no-store"}
    return Response(encoded.tobytes(), media_type="image/jpeg", headers=headers)


@router.patch("/people/{person}/photos/{photo}", operation_id="change_photo", dependencies=[admin])
def change_photo(
    person: str, photo: str, wanted: Aside, service: ServiceDep, response: Response, if_match: IfMatch = None
) -> ChangedPhoto:
    """Set a photo aside, so that nobody is recognised by it, or bring it back. `undo` takes either back."""

    def set_aside(gallery: Gallery, entry: Entry) -> int | None:
        changed = gallery.set_aside(entry.person.name, [book.card_of(entry, photo).id], wanted.aside)
        return book.last_change(gallery) if changed else None

    with service.changes:
        change = book.change(service.recog, person, if_match, set_aside, photo)
    service.people_changed()
    told = _told(service, person, photo)
    response.headers["etag"] = etag(told.version)
    return ChangedPhoto(**told.model_dump(), change=change)


@router.delete("/people/{person}/photos/{photo}", operation_id="remove_photo", dependencies=[admin])
def remove_photo(person: str, photo: str, service: ServiceDep, if_match: IfMatch = None) -> RemovedPhoto:
    """Remove one photo for good. The last one stays: remove the person instead. This has no undo."""

    def remove(gallery: Gallery, entry: Entry) -> tuple[int, bool]:
        card = book.card_of(entry, photo)
        if len(entry.cards) == 1:
            raise Problem(409, "last_photo", "this is the only photo; remove the person instead")
        removed = gallery.remove(entry.person.name, [card.id])
        return removed.templates, removed.erased

    with service.changes:
        templates, erased = book.change(service.recog, person, if_match, remove, photo)
    service.people_changed()
    return RemovedPhoto(templates=templates, erased=erased, undoable=False)


def told_photo(card: Card, reasons: list[str]) -> Photo:
    """A photo as it is told."""
    return Photo(
        id=str(card.id),
        quality=round(card.quality, 3),
        reasons=reasons,
        origin=card.origin,
        added=utc_of(card.added),
        aside=card.aside,
        image=f"/api/v1/people/{card.person}/photos/{card.id}/image" if card.crop else None,
        version=book.version_of_photo(card),
    )


def _told(service: Service, person: str, photo: str) -> Photo:
    entry = book.find(service.recog, person)
    card = book.card_of(entry, photo)
    number = entry.cards.index(card) + 1
    reasons = service.warnings.now().photos.get(entry.person.name, {}).get(number, [])
    return told_photo(card, reasons)
