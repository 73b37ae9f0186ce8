"""The few settings that are changed from the page."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pipeline.service.cameras import REVIEW_DAYS
from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.service import Service
from pipeline.service.sightings import EVENTS_DAYS

router = APIRouter(tags=["settings"])


class Changes(BaseModel):
    """What is to be another; the rest stays."""

    review_days: int | None = Field(
        default=None, ge=0, le=365, description="Days for which looks at faces are kept; 0 for not at all."
    )
    events_days: int | None = Field(
        default=None, ge=0, le=3650, description="Days for which events are kept; 0 for ever."
    )


class ServiceSettings(BaseModel):
    """How the service is set."""

    review_days: int = Field(examples=[7])
    events_days: int = Field(examples=[30])
    target_fpir: float = Field(
        description="Share of strangers who may be given a name; set when the service is started.",
        examples=[0.01],
    )
    first_start: bool = Field(description="Whether nobody has set anything yet.", examples=[False])


@router.get("/settings", operation_id="get_settings", dependencies=[viewer])
def get_settings(service: ServiceDep) -> ServiceSettings:
    """How the service is set."""
    return _told(service)


@router.patch("/settings", operation_id="change_settings", dependencies=[admin])
def change_settings(wanted: Changes, service: ServiceDep) -> ServiceSettings:
    """Set something. What is kept too long by then is deleted soon."""
    for key, value in wanted.model_dump(exclude_none=True).items():
        service.store.set_setting(key, value)
    service.store.set_setting("first_start", False)
    service.cameras.settings_changed()
    return _told(service)


def _told(service: Service) -> ServiceSettings:
    store = service.store
    return ServiceSettings(
        review_days=store.setting("review_days", REVIEW_DAYS),
        events_days=store.setting("events_days", EVENTS_DAYS),
        target_fpir=service.recog.settings.evidence.target_fpir,
        first_start=store.setting("first_start", True),
    )
