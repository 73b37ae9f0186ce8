"""Whether it lives, whether it can be used, and numbers for Prometheus."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from pipeline.service.deps import ServiceDep, anyone, viewer
from pipeline.service.metrics import CONTENT_TYPE

router = APIRouter(tags=["service"])


class Health(BaseModel):
    """How the service is."""

    status: Literal["ok", "trouble"]
    trouble: list[str] = Field(
        default=[], description="What is wrong, without names of people or files.", examples=[[]]
    )


@router.get("/health/live", operation_id="is_alive", dependencies=[anyone])
async def is_alive() -> Health:
    """The process answers. Restart it if this does not."""
    return Health(status="ok")


@router.get(
    "/health/ready", operation_id="is_ready", dependencies=[anyone], responses={503: {"model": Health}}
)
def is_ready(service: ServiceDep, response: Response) -> Health:
    """Whether everything works: the gallery can be read, events and looks can be kept."""
    trouble = service.troubles()
    if trouble:
        response.status_code = 503
    return Health(status="trouble" if trouble else "ok", trouble=trouble)


@router.get(
    "/metrics",
    operation_id="metrics",
    dependencies=[viewer],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "The text format of Prometheus."}},
)
def metrics(service: ServiceDep) -> Response:
    """Counts, times and states for Prometheus; never who somebody is."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)
