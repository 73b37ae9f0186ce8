"""Was this person here before? What was seen is searched by a picture."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pipeline.service import uploads
from pipeline.service.deps import ServiceDep, viewer
from pipeline.service.problems import Problem
from pipeline.service.routes.events import Event
from pipeline.service.sightings import SELECT, as_event
from pipeline.service.turns import AskingTurn
from pipeline.service.uploads import Upload

router = APIRouter(prefix="/tapes", tags=["tapes"])
MOST = 50  # events that are told


class Match(BaseModel):
    """An event that may show the person of the picture."""

    event: Event
    probability: float = Field(description="That it is the same person.", examples=[0.97])
    evidence: float = Field(description="Natural logarithm of the likelihood ratio.", examples=[8.1])


class Found(BaseModel):
    """Where a person was seen."""

    here_before: bool = Field(description="Whether that is as sure as a name has to be.")
    probability: float = Field(description="That the person was seen at all.", examples=[0.998])
    searched: int = Field(description="Visits of which looks are kept.", examples=[412])
    items: list[Match] = Field(description="The likeliest first.")


@router.post(
    "/search",
    operation_id="search_tapes",
    dependencies=[viewer, AskingTurn],
    max_body_size=uploads.MOST_BYTES + 4096,
)
def search_tapes(image: Upload, service: ServiceDep) -> Found:
    """The events in which the one face of a picture may have been seen, as far back as looks are kept."""
    picture = uploads.photograph(image, "body.image")
    if not service.tape.exists():
        raise Problem(409, "nothing_kept", "no looks are kept yet: nothing was watched, or keeping is off")
    found, chance = service.recog.search(service.tape, picture)
    needed = 1 - service.recog.settings.evidence.target_fpir
    items: list[Match] = []
    with service.store.reading() as db:
        for each in found:
            row = db.execute(f"{SELECT} WHERE id = ?", (f"{each.track.run}-{each.track.track}",)).fetchone()
            if row is not None and len(items) < MOST:
                event = Event.model_validate(as_event(row, service.names.name_of))
                chances = round(each.probability, 4), round(each.llr, 3)
                items.append(Match(event=event, probability=chances[0], evidence=chances[1]))
    return Found(here_before=chance >= needed, probability=round(chance, 4), searched=len(found), items=items)
