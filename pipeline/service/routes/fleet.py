"""The cameras of `recog fleet`, which other machines watch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from pipeline.errors import ServiceError
from pipeline.service.deps import ServiceDep, viewer

router = APIRouter(tags=["fleet"], dependencies=[viewer])
FILE = "fleet.json"  # that `recog fleet run` writes, at least every ten seconds
STALE = timedelta(seconds=30)


class FleetCamera(BaseModel):
    """How a camera of the fleet is."""

    name: str = Field(examples=["door"])
    source: str = Field(description="Its address, without login.", examples=["rtsp://door/live"])
    state: str = Field(
        description="waiting (for a machine), starting, running, lost, ended or failed.", examples=["running"]
    )
    since: str = Field(examples=["2026-11-28T12:00:00+00:00"])
    detail: str = Field(description="Why, in words.", examples=[""])
    machine: str = Field(description="Which watches it.", examples=["box-2"])
    fps: float | None = Field(description="Frames a second that are looked at.", examples=[24.9])
    dropped: int = Field(description="Frames of this run that were not looked at.", examples=[0])
    restarts: int = Field(description="How often it was begun again.", examples=[1])
    seen: str = Field(
        description="When something last came; empty if never.", examples=["2026-11-28T12:03:00+00:00"]
    )


class FleetState(BaseModel):
    """How the fleet is."""

    at: str | None = Field(
        description="When it said so; null where there is no fleet.", examples=["2026-11-28T12:03:00+00:00"]
    )
    stale: bool = Field(description="It has not said anything for half a minute.", examples=[False])
    cameras: list[FleetCamera]


class _Written(BaseModel):
    """What the file holds."""

    at: AwareDatetime
    cameras: list[FleetCamera]


@router.get("/fleet", operation_id="get_fleet")
def get_fleet(service: ServiceDep) -> FleetState:
    """The cameras that `recog fleet` has other machines watch, where this service was told of one."""
    folder = service.options.fleet
    if folder is None:
        return FleetState(at=None, stale=False, cameras=[])
    try:
        found = _Written.model_validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        return FleetState(at=None, stale=False, cameras=[])
    except (OSError, ValueError) as error:
        raise ServiceError(f"the state of the fleet cannot be read ({type(error).__name__})") from error
    stale = datetime.now(UTC) - found.at > STALE
    return FleetState(at=found.at.isoformat(), stale=stale, cameras=found.cameras)
