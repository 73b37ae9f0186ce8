"""What is running."""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.service.deps import ServiceDep, viewer

router = APIRouter(tags=["service"], dependencies=[viewer])


class Version(BaseModel):
    """What is running."""

    version: str = Field(examples=["0.9.0"])
    model: str = Field(
        description="The embedder, and how faces are aligned for it.",
        examples=["recog-siamese 264e990a0dbdbe7e, 5pt-112-v1"],
    )
    schema_: int = Field(alias="schema", description="Of the service's own file.", examples=[1])


@router.get("/version", operation_id="version")
def version(service: ServiceDep) -> Version:
    """Which recog this is, and which model it recognises with."""
    return Version(version=installed("recog"), model=service.recog.model, schema=service.store.schema)


@router.get("/openapi.json", operation_id="openapi", include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    """What can be called, as OpenAPI."""
    found: dict[str, Any] = request.app.openapi()
    return found
