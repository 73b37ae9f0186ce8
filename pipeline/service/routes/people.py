"""Who is enrolled: list, look at, rename, merge, remove."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from gallery import Gallery
from pipeline.service import people as book
from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.ids import utc_of
from pipeline.service.paging import CursorParam, LimitParam, cursor, place
from pipeline.service.people import Entry, Seen
from pipeline.service.problems import Problem
from pipeline.service.routes.photos import Photo, told_photo
from pipeline.service.service import Service
from pipeline.service.versions import IfMatch, etag
from pipeline.service.warnings import Found

router = APIRouter(tags=["people"])
_NAME = Field(min_length=1, max_length=200, examples=["Grace Hopper"])


class LastSeen(BaseModel):
    """When and where somebody was seen last."""

    at: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    source: str = Field(examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"])
    event: str = Field(examples=["8c2115092423-12"])


class _Anybody(BaseModel):
    id: str = Field(examples=["7"])
    name: str = Field(examples=["Grace Hopper"])
    aside: int = Field(description="Of the photos, so many are kept but not searched.", examples=[0])
    portrait: str | None = Field(
        description="The picture of the best photo.", examples=["/api/v1/people/7/photos/12/image"]
    )
    added: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    last_seen: LastSeen | None
    warnings: list[str] = Field(examples=[["looks like the same person as Grace Murray"]])
    version: str = Field(description="The ETag, without its quotes.", examples=["5f2b8c1d9e4a7360"])


class Person(_Anybody):
    """Somebody enrolled, as they are listed."""

    photos: int = Field(description="How many.", examples=[3])


class People(BaseModel):
    """A page of people, by name."""

    items: list[Person]
    next: str | None = Field(description="The cursor of the next page.", examples=[None])


class WholePerson(_Anybody):
    """Somebody enrolled, with every photo."""

    photos: list[Photo]


class NewName(BaseModel):
    """Another name."""

    name: str = _NAME


class Into(BaseModel):
    """Who stays when two people are made one."""

    into: str = Field(description="The id of who stays.", examples=["7"], max_length=40)
    into_version: str | None = Field(
        default=None, description="Refuse if that person has another version by now.", max_length=100
    )


class RemovedPerson(BaseModel):
    """What a removal did."""

    templates: int = Field(description="Photos deleted.", examples=[3])
    erased: bool = Field(
        description="Whether no byte of them is left in the gallery's file. If not, another program is using "
        "it, and they are erased when it is opened next."
    )
    finished: bool = Field(
        description="Whether all of their events, pictures and looks is erased, too. If not, as on a full "
        "disk, `/api/v1/health/ready` says so, and it is tried again until it is.",
        examples=[True],
    )
    undoable: bool = Field(description="Always false.", examples=[False])


class WouldBecome(BaseModel):
    """An event that a change would decide otherwise."""

    event: str = Field(examples=["8c2115092423-12"])
    was: str | None = Field(examples=["ally"])
    becomes: str | None = Field(examples=["alice"])


class Preview(BaseModel):
    """What a merge would do."""

    moved: int = Field(description="Photos that go over.", examples=[2])
    duplicates: int = Field(description="Photos that both have, which are kept once.", examples=[0])
    would_change: list[WouldBecome]


class MergedPerson(BaseModel):
    """What a merge did."""

    person: Person
    moved: int = Field(examples=[2])
    duplicates: int = Field(examples=[0])
    change: int | None = Field(description="For `undo`.", examples=[12])


class ChangedPerson(Person):
    """Somebody after a change."""

    change: int | None = Field(description="For `undo`.", examples=[12])


@router.get("/people", operation_id="list_people", dependencies=[viewer])
def list_people(
    service: ServiceDep,
    q: Annotated[str | None, Query(max_length=100, description="A part of the name.")] = None,
    limit: LimitParam = 50,
    cursor_: Annotated[CursorParam, Query(alias="cursor")] = None,
) -> People:
    """Who is enrolled, by name."""
    everybody = book.everybody(service.recog)
    if q:
        everybody = [each for each in everybody if q.casefold() in each.name.casefold()]
    first = 0
    if cursor_ is not None:
        name, number = place(cursor_, str, int)
        first = bisect_right(everybody, (name, number), key=book.place_of)
    shown = everybody[first : first + limit]
    more = len(everybody) > first + limit
    return People(
        items=[
            Person.model_validate(each) for each in told_people(service, book.entries(service.recog, shown))
        ],
        next=cursor(*book.place_of(shown[-1])) if more else None,
    )


@router.get("/people/{person}", operation_id="get_person", dependencies=[viewer])
def get_person(person: str, service: ServiceDep, response: Response) -> WholePerson:
    """Somebody, with every photo."""
    entry = book.find(service.recog, person)
    response.headers["etag"] = etag(entry.version)
    found = service.warnings.now()
    about = found.photos.get(entry.person.name, {})
    photos = [told_photo(card, about.get(number, [])) for number, card in enumerate(entry.cards, 1)]
    (whole,) = told_people(service, [entry])
    return WholePerson.model_validate(whole | {"photos": photos})


@router.patch("/people/{person}", operation_id="rename_person", dependencies=[admin])
def rename_person(
    person: str, wanted: NewName, service: ServiceDep, response: Response, if_match: IfMatch = None
) -> ChangedPerson:
    """Give somebody another name. `undo` takes it back."""

    def rename(gallery: Gallery, entry: Entry) -> int | None:
        with book.about("bad_name", "body.name"):
            gallery.rename(entry.person.name, wanted.name)
        return book.last_change(gallery)

    with service.changes:
        change = book.change(service.recog, person, if_match, rename)
    return _after(service, person, change, response)


@router.delete("/people/{person}", operation_id="remove_person", dependencies=[admin])
def remove_person(person: str, service: ServiceDep, if_match: IfMatch = None) -> RemovedPerson:
    """Remove somebody for good: photos, embeddings, and the pictures of their events. This has no undo."""
    with service.changes, service.removals.begun(person):
        removed = book.change(
            service.recog, person, if_match, lambda gallery, entry: gallery.remove(entry.person.name)
        )
    finished = service.removals.finish(person)
    return RemovedPerson(
        templates=removed.templates, erased=removed.erased, finished=finished, undoable=False
    )


@router.get("/people/{person}/merge", operation_id="preview_merge", dependencies=[viewer])
def preview_merge(
    person: str,
    service: ServiceDep,
    into: Annotated[str, Query(max_length=40, description="The id of who would stay.")],
) -> Preview:
    """What would become of photos and events if two people were made one; changes nothing."""
    entry, other = book.find(service.recog, person), book.find(service.recog, into)
    _two(person, into, "query.into")
    moved, duplicates = book.merge_counts(other, entry)
    return Preview(
        moved=moved,
        duplicates=duplicates,
        would_change=[
            WouldBecome.model_validate(each) for each in map(asdict, service.merges.preview(entry, other))
        ],
    )


@router.post("/people/{person}/merge", operation_id="merge_people", dependencies=[admin])
def merge_people(
    person: str, wanted: Into, service: ServiceDep, response: Response, if_match: IfMatch = None
) -> MergedPerson:
    """Make one person of two who are the same: this one goes on as `into`. `undo` takes it back."""
    _two(person, wanted.into, "body.into")

    def merge(gallery: Gallery, entry: Entry) -> tuple[int, int, int | None]:
        other = book.entry_of(gallery, wanted.into)
        if wanted.into_version not in (None, other.version):
            raise Problem(
                412, "changed", f"{other.person.name} was changed since they were read", "body.into_version"
            )
        merged = gallery.merge(entry.person.name, other.person.name)
        return merged.moved, merged.duplicates, book.last_change(gallery)

    with service.changes:
        moved, duplicates, change = book.change(service.recog, person, if_match, merge)
    return MergedPerson(
        person=_after(service, wanted.into, change, response),
        moved=moved,
        duplicates=duplicates,
        change=change,
    )


def _after(service: Service, person: str, change: int | None, response: Response) -> ChangedPerson:
    """Somebody as they are after a change, which everybody is told of."""
    service.people_changed()
    entry = book.find(service.recog, person)
    response.headers["etag"] = etag(entry.version)
    (told,) = told_people(service, [entry])
    return ChangedPerson.model_validate(told | {"change": change})


def told_people(service: Service, entries: list[Entry]) -> list[dict[str, Any]]:
    """People as they are told, with what may be wrong with them and when they were seen last."""
    seen = book.last_seen(service.store, [entry.person.id for entry in entries])
    found = service.warnings.now()
    return [_told(entry, seen.get(entry.person.id), found) for entry in entries]


def _told(entry: Entry, seen: Seen | None, found: Found) -> dict[str, Any]:
    person, portrait = entry.person, entry.portrait
    return {
        "id": str(person.id),
        "name": person.name,
        "photos": len(entry.cards),
        "aside": person.aside,
        "portrait": None if portrait is None else f"/api/v1/people/{person.id}/photos/{portrait.id}/image",
        "added": utc_of(person.added),
        "last_seen": None if seen is None else LastSeen(at=seen.at, source=seen.source, event=seen.event),
        "warnings": found.people.get(person.name, []),
        "version": entry.version,
    }


def _two(person: str, into: str, where: str) -> None:
    if person == into:
        raise Problem(422, "same_person", "nobody can be merged with themselves", where)
