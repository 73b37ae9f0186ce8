"""What somebody says of events: this is not alice, this is bob; and taking it back."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.said import Correction, Said
from pipeline.service.service import Service

router = APIRouter(tags=["corrections"])


class Verdict(BaseModel):
    """What an event said, or says."""

    state: Literal["named", "unknown", "undecided"]
    person: str | None = Field(examples=["7"])
    name: str | None = Field(description="As they are called now.", examples=["Grace Hopper"])
    confidence: float = Field(examples=[0.998])


class Changed(BaseModel):
    """What a correction made of an event."""

    event: str = Field(examples=["8c2115092423-12"])
    said: bool = Field(description="It was said of this event; else it followed from that.")
    at: str | None = Field(
        description="When it was; null for one that is deleted by now.", examples=["2026-01-31T12:00:00.000Z"]
    )
    was: Verdict
    becomes: Verdict


class Told(BaseModel):
    """Something that was said of events."""

    id: str = Field(examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"])
    at: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    kind: Literal["not", "is"]
    person: str = Field(examples=["7"])
    name: str | None = Field(examples=["Grace Hopper"])
    size: int = Field(description="Events it was said of.", examples=[1])
    thumbnail: str | None = Field(examples=["/api/v1/events/8c2115092423-12/thumbnail.jpg"])
    withdrawn: str | None = Field(description="When it was taken back.", examples=[None])
    changed: list[Changed]


class ToldAll(BaseModel):
    """What was said, newest first."""

    items: list[Told]
    next: str | None = None


class Look(BaseModel):
    """What became of one look."""

    origin: str = Field(examples=["front door, 2026-01-31 at 12.3 s"])
    verdict: str = Field(examples=["accepted"])
    reason: str = Field(examples=[""])


class Named(BaseModel):
    """What came of saying whose a face is."""

    changed: list[Changed]
    correction: str = Field(examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"])
    person: str = Field(examples=["7"])
    outcomes: list[Look]


class Denied(BaseModel):
    """What came of saying whose a face is not."""

    changed: list[Changed]
    correction: str = Field(examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"])


class NotPerson(BaseModel):
    """Whose face it is not."""

    person: str = Field(max_length=40, examples=["7"])


class WhoItIs(BaseModel):
    """Whose face it is: somebody enrolled, or a name, which may be new."""

    person: str | None = Field(default=None, max_length=40, examples=["7"])
    name: str | None = Field(default=None, max_length=200, examples=[None])

    @model_validator(mode="after")
    def _one_of_them(self) -> WhoItIs:
        if (self.person is None) == (self.name is None):
            raise ValueError("give either person or name")
        return self


@router.post("/events/{event}/not", operation_id="event_is_not", dependencies=[admin])
def event_is_not(event: str, wanted: NotPerson, service: ServiceDep) -> Denied:
    """Say that a face is not a person. It is not called so again, and no stranger becomes likelier to be."""
    with service.changes:
        made = service.corrections.deny(event, wanted.person)
    service.people_changed()
    service.review.changed()
    return Denied(changed=changes(service, made), correction=made.id)


@router.post("/events/{event}/is", operation_id="event_is", dependencies=[admin])
def event_is(event: str, wanted: WhoItIs, service: ServiceDep) -> Named:
    """Say whose the face of an event is. The best looks at it are enrolled."""
    return named(service, [event], wanted)


@router.get("/corrections", operation_id="list_corrections", dependencies=[viewer])
def list_corrections(service: ServiceDep, withdrawn: bool = False) -> ToldAll:
    """What was said of events and holds, newest first, at most two hundred; `withdrawn`: the rest too."""
    found = service.corrections.said(withdrawn=withdrawn)
    return ToldAll(items=[_told(service, each) for each in found])


@router.delete("/corrections/{correction}", operation_id="withdraw_correction", dependencies=[admin])
def withdraw_correction(correction: str, service: ServiceDep) -> Told:
    """Take it back: the gallery forgets it, and the events are what they were."""
    with service.changes:
        withdrawn = service.corrections.withdraw(correction)
    service.people_changed()
    service.review.changed()
    return _told(service, withdrawn)


def named(service: Service, events: list[str], wanted: WhoItIs) -> Named:
    """Say whose the faces of some events are."""
    with service.changes:
        made, enrolled = service.corrections.name(events, wanted.person, wanted.name)
    service.people_changed()
    service.review.changed()
    outcomes = [
        Look(origin=each.origin, verdict=each.verdict.value, reason=each.reason) for each in enrolled.outcomes
    ]
    return Named(changed=changes(service, made), correction=made.id, person=made.person, outcomes=outcomes)


def changes(service: Service, made: Correction) -> list[Changed]:
    """What a correction changed, as clients are told."""
    times = service.corrections.times([each.event for each in made.changes])
    return [
        Changed(
            event=each.event,
            said=each.said,
            at=times.get(each.event),
            was=_verdict(service, each.was),
            becomes=_verdict(service, each.becomes),
        )
        for each in made.changes
    ]


def _verdict(service: Service, said: Said) -> Verdict:
    name = None if said.person is None else service.names.name_of(said.person)
    return Verdict.model_validate(
        {"state": said.state, "person": said.person, "name": name, "confidence": said.confidence}
    )


def _picture(event: str) -> str:
    return f"/api/v1/events/{event}/thumbnail.jpg"


def _told(service: Service, made: Correction) -> Told:
    return Told.model_validate(
        {
            "id": made.id,
            "at": made.at,
            "kind": made.kind,
            "person": made.person,
            "name": service.names.name_of(made.person),
            "size": sum(each.said for each in made.changes),
            "thumbnail": next((_picture(each.event) for each in made.changes if each.said), None),
            "withdrawn": made.withdrawn,
            "changed": changes(service, made),
        }
    )
