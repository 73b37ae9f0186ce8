"""What was changed in the gallery, and taking it back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from gallery import Change
from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.ids import utc_of
from pipeline.service.paging import CursorParam, LimitParam, cursor, place
from pipeline.service.problems import Problem

router = APIRouter(tags=["people"])


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


@router.get("/history", operation_id="list_history", dependencies=[viewer])
def list_history(
    service: ServiceDep, limit: LimitParam = 50, cursor_: Annotated[CursorParam, Query(alias="cursor")] = None
) -> History:
    """What was changed in the gallery, by this service and by other programs, newest first."""
    if not service.recog.present():
        return History(items=[], next=None)
    (before,) = (None,) if cursor_ is None else place(cursor_, int)
    with service.recog.gallery() as gallery:
        changes = [each for each in gallery.log() if before is None or each.id < before]
    items = [_entered(each) for each in changes[:limit]]
    return History(items=items, next=cursor(items[-1].id) if len(changes) > limit else None)


@router.post("/undo", operation_id="undo", dependencies=[admin])
def undo(service: ServiceDep, wanted: Undo | None = None) -> Undone:
    """Take back the last change that is no removal; again for the one before."""
    if not service.recog.present():
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


def _nothing_to_undo() -> Problem:
    return Problem(409, "nothing_to_undo", "there is nothing to undo")
