"""Who is enrolled: list, add, rename, merge, remove, undo."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Response
from pydantic import BaseModel, Field

from gallery import Change, Gallery, GalleryError, check_new_name
from pipeline.api import Enrolment, Verdict
from pipeline.service import people as book
from pipeline.service import uploads
from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.ids import utc_of
from pipeline.service.paging import CursorParam, LimitParam, cursor, place
from pipeline.service.people import Entry, Seen
from pipeline.service.problems import Problem, Wrong
from pipeline.service.routes.photos import Photo, told_photo
from pipeline.service.service import Service
from pipeline.service.uploads import Turn, Uploads
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


class OutcomeOfPhoto(BaseModel):
    """What became of one picture."""

    file: str = Field(examples=["hopper.jpg"])
    verdict: Verdict
    reason: str = Field(examples=["face too small (31 pixels, 40 needed)"])
    photo: str | None = Field(description="The id of the photo that it became.", examples=["12"])
    looks_like: str | None = Field(description="Whom it was held back for.", examples=[None])


class Enrolled(BaseModel):
    """Who was added, or given photos, and what became of each picture."""

    person: Person
    outcomes: list[OutcomeOfPhoto]
    change: int | None = Field(description="For `undo`; null where nothing was stored.", examples=[12])


class NewName(BaseModel):
    """Another name."""

    name: str = _NAME


class Into(BaseModel):
    """Who two people are in truth."""

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


class Entered(BaseModel):
    """A change of the gallery, by whichever program it was made."""

    id: int = Field(examples=[12])
    at: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    action: str = Field(examples=["rename"])
    person: str | None = Field(description="A name of today, or the last known.", examples=["ally"])
    other: str | None = Field(description="Into whom, or what the name became.", examples=["alice"])
    count: int = Field(description="Photos; of an import, people.", examples=[0])
    undone: str | None = Field(examples=[None])


class History(BaseModel):
    """The latest changes, newest first."""

    items: list[Entered]
    next: str | None = Field(description="The cursor of the next page.", examples=[None])


class Undo(BaseModel):
    """Which change is meant."""

    change: int | None = Field(
        default=None, description="Refuse unless this is the change that would be taken back."
    )


class Undone(BaseModel):
    """What was taken back."""

    undone: Entered


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
        items=[Person.model_validate(each) for each in _listed(service, book.entries(service.recog, shown))],
        next=cursor(*book.place_of(shown[-1])) if more else None,
    )


@router.post(
    "/people",
    operation_id="create_person",
    status_code=201,
    dependencies=[admin, Turn],
    max_body_size=uploads.MOST_TOTAL,
)
def create_person(
    service: ServiceDep,
    response: Response,
    name: Annotated[str, Form(min_length=1, max_length=200, examples=["Grace Hopper"])],
    photos: Uploads,
    force: Annotated[bool, Form(description="Store pictures that look like somebody else, too.")] = False,
) -> Enrolled:
    """Enroll somebody new with photographs. Nobody is made of none that can be used."""
    given = uploads.photographs(photos, "body.photos")
    with service.changes:
        known = {each.name for each in service.recog.people()}
        with _about("bad_name", "body.name"):
            if check_new_name(name) in known:
                raise Problem(
                    409, "name_taken", f"there is somebody named {name}; add the photos to them", "body.name"
                )
        answer = enroll(service, name, given, force)
    response.headers["location"] = f"/api/v1/people/{answer.person.id}"
    response.headers["etag"] = etag(answer.person.version)
    return answer


@router.post(
    "/people/{person}/photos",
    operation_id="add_photos",
    status_code=201,
    dependencies=[admin, Turn],
    max_body_size=uploads.MOST_TOTAL,
)
def add_photos(
    person: str,
    service: ServiceDep,
    response: Response,
    photos: Uploads,
    force: Annotated[bool, Form(description="Store pictures that look like somebody else, too.")] = False,
) -> Enrolled:
    """Add photographs of somebody enrolled. `undo` takes them back."""
    given = uploads.photographs(photos, "body.photos")
    with service.changes:
        answer = enroll(service, book.find(service.recog, person).person.name, given, force)
    response.headers["etag"] = etag(answer.person.version)
    return answer


@router.get("/people/{person}", operation_id="get_person", dependencies=[viewer])
def get_person(person: str, service: ServiceDep, response: Response) -> WholePerson:
    """Somebody, with every photo."""
    entry = book.find(service.recog, person)
    response.headers["etag"] = etag(entry.version)
    found = service.warnings.now()
    about = found.photos.get(entry.person.name, {})
    photos = [told_photo(card, about.get(number, [])) for number, card in enumerate(entry.cards, 1)]
    (whole,) = _listed(service, [entry])
    return WholePerson.model_validate(whole | {"photos": photos})


@router.patch("/people/{person}", operation_id="rename_person", dependencies=[admin])
def rename_person(
    person: str, wanted: NewName, service: ServiceDep, response: Response, if_match: IfMatch = None
) -> ChangedPerson:
    """Give somebody another name. `undo` takes it back."""

    def rename(gallery: Gallery, entry: Entry) -> int | None:
        with _about("bad_name", "body.name"):
            gallery.rename(entry.person.name, wanted.name)
        return book.last_change(gallery)

    with service.changes:
        change = book.change(service.recog, person, if_match, rename)
    return _after(service, person, change, response)


@router.delete("/people/{person}", operation_id="remove_person", dependencies=[admin])
def remove_person(person: str, service: ServiceDep, if_match: IfMatch = None) -> RemovedPerson:
    """Remove somebody for good: photos, embeddings, and the pictures of their events. This has no undo."""
    with service.changes:
        removed = book.change(
            service.recog, person, if_match, lambda gallery, entry: gallery.remove(entry.person.name)
        )
    service.forget_person(person)
    service.answers.forget()  # they may hold the name
    service.people_changed()
    return RemovedPerson(templates=removed.templates, erased=removed.erased, undoable=False)


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


@router.get("/history", operation_id="list_history", dependencies=[viewer])
def list_history(
    service: ServiceDep, limit: LimitParam = 50, cursor_: Annotated[CursorParam, Query(alias="cursor")] = None
) -> History:
    """What was changed in the gallery, by this service and by other programs, newest first."""
    if not service.recog.path.exists():
        return History(items=[], next=None)
    (before,) = (None,) if cursor_ is None else place(cursor_, int)
    with service.recog.gallery() as gallery:
        changes = [each for each in gallery.log() if before is None or each.id < before]
    items = [_entered(each) for each in changes[:limit]]
    return History(items=items, next=cursor(items[-1].id) if len(changes) > limit else None)


@router.post("/undo", operation_id="undo", dependencies=[admin])
def undo(service: ServiceDep, wanted: Undo | None = None) -> Undone:
    """Take back the last change that is no removal; again for the one before."""
    if not service.recog.path.exists():
        raise _nothing_to_undo()
    with service.changes, service.recog.gallery() as gallery:
        marks, next_ = gallery.marks(), gallery.undoable()
        if next_ is None:
            raise _nothing_to_undo()
        if wanted is not None and wanted.change not in (None, next_.id):
            raise Problem(412, "changed", "something else was changed since; see the history", "body.change")
        with gallery.expecting(marks):
            undone = gallery.undo()
    if undone is None:
        raise _nothing_to_undo()
    service.people_changed()
    service.corrections.reconcile()
    return Undone(undone=_entered(undone))


def enroll(service: Service, name: str, photos: list[Any], force: bool) -> Enrolled:
    """Add photographs of somebody, known or new; every change of the gallery waits meanwhile.

    Raises:
        Problem: none of the photographs can be used.
    """
    before = {card.id for card in _cards(service, name)}
    with _about("bad_name", "body.name"):
        enrolment = service.recog.enroll(name, photos, force=force)
    stored = enrolment.count(Verdict.ACCEPTED)
    if not stored:
        raise _nothing_usable(enrolment)
    with service.recog.gallery() as gallery:
        change = next((each.id for each in gallery.log() if each.action == "enroll"), None)
        entry = next(each for each in gallery.people() if each.name == enrolment.name)
        cards = {card.digest: card for card in gallery.cards([entry.id]) if card.id not in before}
    service.people_changed()
    (told,) = _listed(service, book.entries(service.recog, [entry]))
    outcomes = []
    for outcome in enrolment.outcomes:
        card = None
        if outcome.verdict is Verdict.ACCEPTED and outcome.template is not None:
            card = cards.get(outcome.template.digest)
        outcomes.append(
            OutcomeOfPhoto(
                file=outcome.origin,
                verdict=outcome.verdict,
                reason=_reason(outcome),
                photo=None if card is None else str(card.id),
                looks_like=outcome.looks_like,
            )
        )
    return Enrolled(person=Person.model_validate(told), outcomes=outcomes, change=change)


def _cards(service: Service, name: str) -> list[Any]:
    if not service.recog.path.exists():
        return []
    with service.recog.gallery() as gallery:
        found = next((each for each in gallery.people() if each.name == name), None)
        return [] if found is None else gallery.cards([found.id])


def _reason(outcome: Any) -> str:
    if outcome.verdict is Verdict.HELD:
        return f"looks like {outcome.looks_like}, {outcome.probability:.2f}; force stores it all the same"
    return str(outcome.reason)


def _nothing_usable(enrolment: Enrolment) -> Problem:
    code = "no_usable_photo"
    if all(each.verdict is Verdict.DUPLICATE for each in enrolment.outcomes):
        code = "already_enrolled"
    elif any(each.verdict is Verdict.HELD for each in enrolment.outcomes):
        code = "looks_like_another"
    first = next(iter(enrolment.outcomes), None)
    detail = "no picture can be used" + (f": {_reason(first)}" if first is not None else "")
    return Problem(
        422,
        code,
        detail,
        wrong=[Wrong(where=f"body.photos.{n}", detail=f"{each.origin}: {_reason(each)}")
               for n, each in enumerate(enrolment.outcomes)],
    )  # fmt: skip


def _after(service: Service, person: str, change: int | None, response: Response) -> ChangedPerson:
    """Somebody as they are after a change, which everybody is told of."""
    service.people_changed()
    entry = book.find(service.recog, person)
    response.headers["etag"] = etag(entry.version)
    (told,) = _listed(service, [entry])
    return ChangedPerson.model_validate(told | {"change": change})


def _listed(service: Service, entries: list[Entry]) -> list[dict[str, Any]]:
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


def _entered(change: Change) -> Entered:
    return Entered(
        id=change.id,
        at=utc_of(change.at),
        action=change.action,
        person=change.person,
        other=change.other,
        count=change.count,
        undone=None if change.undone is None else utc_of(change.undone),
    )


def _two(person: str, into: str, where: str) -> None:
    if person == into:
        raise Problem(422, "same_person", "nobody can be merged with themselves", where)


def _nothing_to_undo() -> Problem:
    return Problem(409, "nothing_to_undo", "there is nothing to undo")


class _about:  # noqa: N801 (used as a function)
    """What the gallery refuses inside is about one field."""

    def __init__(self, code: str, where: str) -> None:
        self._code, self._where = code, where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if type(error) is GalleryError:
            raise book.refused(error, self._code, self._where) from error
