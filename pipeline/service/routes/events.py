"""Who was seen when: visits of faces, with pictures and reasons."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from pipeline.api import Explanation, Image, State, explain_card, explain_lines
from pipeline.errors import SourceError
from pipeline.service.deps import ServiceDep, viewer
from pipeline.service.ids import utc
from pipeline.service.paging import CursorParam, LimitParam, cursor, place
from pipeline.service.problems import Problem
from pipeline.service.service import Service
from pipeline.service.sightings import SELECT, as_event
from pipeline.words import counted

router = APIRouter(prefix="/events", tags=["events"], dependencies=[viewer])
_PRIVATE = {"cache-control": "private, no-store"}


class Event(BaseModel):
    """One visit of a face, from when it came to when it left."""

    id: str = Field(examples=["8c2115092423-12"])
    source: str = Field(examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"])
    track: int = Field(examples=[12])
    at: str = Field(
        description="UTC: when it came; of a film, when that was shown.",
        examples=["2026-01-31T12:00:00.000Z"],
    )
    until: str = Field(description="UTC: when it was last seen.", examples=["2026-01-31T12:00:04.200Z"])
    seconds: float = Field(description="When it came, on the source's own clock.", examples=[83.4])
    present: bool = Field(description="It is still there.")
    state: Literal["named", "unknown", "undecided"]
    name: str | None = Field(examples=["Grace Hopper"])
    person: str | None = Field(examples=["7"])
    confidence: float = Field(
        description="Probability of the verdict; of the best candidate while undecided.", examples=[0.998]
    )
    why: str = Field(examples=["evidence 9.2 over 5 looks, 12 people enrolled"])
    looks: int = Field(examples=[5])
    box: tuple[int, int, int, int] = Field(
        description="x1 y1 x2 y2, pixels of the frame, at the best look.", examples=[[220, 40, 300, 140]]
    )
    thumbnail: str | None = Field(examples=["/api/v1/events/8c2115092423-12/thumbnail.jpg"])
    corrected: bool = Field(description="Somebody has said who it is, or is not.")
    ignored: bool = Field(description="Somebody has said that it is nobody, or to be ignored.")


class Events(BaseModel):
    """A page of events, newest first."""

    items: list[Event]
    next: str | None = Field(description="The cursor of the next page.", examples=[None])


class Near(BaseModel):
    """A person enrolled who comes near."""

    name: str = Field(examples=["Grace Hopper"])
    person: str | None = Field(examples=["7"])
    evidence: float = Field(description="Natural logarithm of the likelihood ratio.", examples=[9.2])
    distance: float = Field(description="L1, of the best look to the nearest photograph.", examples=[14.1])


class Why(BaseModel):
    """Why a visit has the verdict that it has, decided again now."""

    sentence: str = Field(examples=["Named Grace Hopper with 99.8 %."])
    steps: list[str] = Field(examples=[["5 looks, evidence 9.2; 4.6 is needed"]])
    candidates: list[Near]
    needed: float = Field(description="Probability from which a name is given.", examples=[0.99])


@router.get("", operation_id="list_events")
def list_events(
    service: ServiceDep,
    person: Annotated[str | None, Query(max_length=40)] = None,
    source: Annotated[str | None, Query(max_length=40)] = None,
    state: Literal["named", "unknown", "undecided"] | None = None,
    after: Annotated[AwareDatetime | None, Query(description="Only those that came at or after.")] = None,
    before: Annotated[AwareDatetime | None, Query(description="Only those that came before.")] = None,
    limit: LimitParam = 50,
    cursor_: Annotated[CursorParam, Query(alias="cursor")] = None,
) -> Events:
    """Events, newest first."""
    wanted: list[tuple[str, Any]] = [
        (f"{name} = ?", value)
        for name, value in (("person", person), ("source", source), ("state", state))
        if value is not None
    ]
    wanted += [("at >= ?", _text(after))] if after is not None else []
    wanted += [("at < ?", _text(before))] if before is not None else []
    values = [value for _, value in wanted]
    where = [clause for clause, _ in wanted]
    if cursor_ is not None:
        where.append("(at, id) < (?, ?)")
        values += place(cursor_, str, str)
    clause = f"WHERE {' AND '.join(where)}" if where else ""
    query = f"{SELECT} {clause} ORDER BY at DESC, id DESC LIMIT ?"
    with service.store.reading() as connection:
        rows = connection.execute(query, (*values, limit + 1)).fetchall()
    items = [Event.model_validate(as_event(row, service.names.name_of)) for row in rows[:limit]]
    following = cursor(items[-1].at, items[-1].id) if len(rows) > limit else None
    return Events(items=items, next=following)


@router.get("/{event}", operation_id="get_event")
def get_event(event: str, service: ServiceDep) -> Event:
    """One event."""
    return Event.model_validate(as_event(_row(service, event), service.names.name_of))


@router.get(
    "/{event}/thumbnail.jpg",
    operation_id="event_thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "A JPEG."}},
)
def event_thumbnail(event: str, service: ServiceDep) -> Response:
    """The face of a visit, as it was seen best."""
    data = _thumbnail(service, event)
    if data is None:
        raise Problem(404, "no_picture", "there is no picture of this event", "path.event")
    return Response(data, media_type="image/jpeg", headers=_PRIVATE)


@router.get("/{event}/explain", operation_id="explain_event")
def explain_event(event: str, service: ServiceDep) -> Why:
    """Why it has the verdict that it has, from the looks that are kept."""
    _row(service, event)
    if not len(service.names):
        needed = 1 - service.recog.settings.evidence.target_fpir
        return Why(
            sentence="Nobody is enrolled, so everybody is unknown.", steps=[], candidates=[], needed=needed
        )
    why = _explained(service, event)
    candidates = [
        Near(
            name=each.name,
            person=service.names.id_of(each.name),
            evidence=round(each.llr, 2),
            distance=round(each.distance, 2),
        )
        for each in why.candidates
    ]
    return Why(
        sentence=_sentence(why), steps=explain_lines(why)[1:], candidates=candidates, needed=why.needed
    )


@router.get(
    "/{event}/card.png",
    operation_id="event_card",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "A PNG, 960 pixels wide."}},
)
def event_card(event: str, service: ServiceDep) -> Response:
    """The same as a picture: the face, who comes near, and what each look says."""
    picture = explain_card(_explained(service, event))
    return Response(bytes(cv2.imencode(".png", picture)[1]), media_type="image/png", headers=_PRIVATE)


def _row(service: Service, event: str) -> Any:
    with service.store.reading() as connection:
        row = connection.execute(f"{SELECT} WHERE id = ?", (event,)).fetchone()
    if row is None:
        raise Problem(404, "no_such_event", f"there is no event {event[:40]}", "path.event")
    return row


def _thumbnail(service: Service, event: str) -> bytes | None:
    _row(service, event)
    with service.store.reading() as connection:
        row = connection.execute("SELECT thumbnail FROM events WHERE id = ?", (event,)).fetchone()
    return None if row is None else row["thumbnail"]


def _explained(service: Service, event: str) -> Explanation:
    row = _row(service, event)
    if not len(service.names):
        raise Problem(409, "nobody_enrolled", "nobody is enrolled, so everybody is unknown")
    told = as_event(row, service.names.name_of)
    source = service.cameras.get(row["source"])
    told["source"] = "a source that was removed" if source is None else source.name
    data = _thumbnail(service, event)
    picture: Image | None = None
    if data is not None:
        picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    try:
        return service.recog.explain(service.tape, row["run"], row["track"], told, picture)
    except SourceError as error:
        raise Problem(404, "no_looks", "the looks at this face are not kept any more") from error


def _sentence(why: Explanation) -> str:
    identity, looks, needed = why.identity, len(why.llrs), f"{why.needed:.1%}"
    seen = counted(looks, "look")
    nearest = why.candidates[0].name if why.candidates else None
    if identity.state is State.NAMED:
        sure = f"{min(identity.confidence, 0.999):.1%}"  # rounding must not claim certainty
        return f"{identity.name}: {sure} sure over {seen}, and a name needs {needed}."
    near = f"; {nearest} comes nearest" if nearest else ""
    if identity.state is State.UNKNOWN:
        return f"Nobody enrolled, over {seen}{near}."
    return f"Not decided, {identity.why}{near}; a name needs {needed}."


def _text(moment: datetime) -> str:
    try:
        return utc(moment)
    except OverflowError:  # a year that only exists in another zone
        raise Problem(422, "bad_time", "there is no such time") from None
