"""Photographs of somebody: enrolled with them, or given more."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Response
from pydantic import BaseModel, Field

from gallery import check_new_name
from pipeline.api import Enrolment, Verdict
from pipeline.service import people as book
from pipeline.service import uploads
from pipeline.service.deps import ServiceDep, admin
from pipeline.service.problems import Problem, Wrong
from pipeline.service.routes.people import Person, told_people
from pipeline.service.service import Service
from pipeline.service.turns import ChangingTurn
from pipeline.service.uploads import Uploads
from pipeline.service.versions import etag

router = APIRouter(tags=["people"])
_Force = Annotated[bool, Form(description="Store pictures that look like somebody else, too.")]


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


@router.post(
    "/people",
    operation_id="create_person",
    status_code=201,
    dependencies=[admin, ChangingTurn],
    max_body_size=uploads.MOST_TOTAL,
)
def create_person(
    service: ServiceDep,
    response: Response,
    name: Annotated[str, Form(min_length=1, max_length=200, examples=["Grace Hopper"])],
    photos: Uploads,
    force: _Force = False,
) -> Enrolled:
    """Enroll somebody new with photographs. Nobody is made of none that can be used."""
    given = uploads.photographs(photos, "body.photos")
    with service.changes:
        known = {each.name for each in service.recog.people()}
        with book.about("bad_name", "body.name"):
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
    dependencies=[admin, ChangingTurn],
    max_body_size=uploads.MOST_TOTAL,
)
def add_photos(
    person: str,
    service: ServiceDep,
    response: Response,
    photos: Uploads,
    force: _Force = False,
) -> Enrolled:
    """Add photographs of somebody enrolled. `undo` takes them back."""
    given = uploads.photographs(photos, "body.photos")
    with service.changes:
        answer = enroll(service, book.find(service.recog, person).person.name, given, force)
    response.headers["etag"] = etag(answer.person.version)
    return answer


def enroll(service: Service, name: str, photos: list[Any], force: bool) -> Enrolled:
    """Add photographs of somebody, known or new; every change of the gallery waits meanwhile.

    Raises:
        Problem: none of the photographs can be used.
    """
    before = {card.id for card in _cards(service, name)}
    with book.about("bad_name", "body.name"):
        enrolment = service.recog.enroll(name, photos, force=force)
    stored = enrolment.count(Verdict.ACCEPTED)
    if not stored:
        raise _nothing_usable(enrolment)
    with service.recog.gallery() as gallery:
        change = next((each.id for each in gallery.log() if each.action == "enroll"), None)
        entry = next(each for each in gallery.people() if each.name == enrolment.name)
        cards = {card.digest: card for card in gallery.cards([entry.id]) if card.id not in before}
    service.people_changed()
    (told,) = told_people(service, book.entries(service.recog, [entry]))
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
    if not service.recog.present():
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
