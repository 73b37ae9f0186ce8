"""Settings of a frozen backbone. Nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class BackboneSettings(BaseModel):
    """How somebody else's face embedder wants its input, and what is made of its output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    colour: Literal["rgb", "bgr"] = Field("rgb", description="order of its three planes")
    mean: float = Field(127.5, description="subtracted from bytes: (x - mean) / scale")
    scale: float = Field(127.5, gt=0, description="127.5 and 128 are usual; 1, with mean 0, for plain bytes")
    mirror: bool = Field(True, description="embed the mirror image too, and average: better, twice the time")
    unit: bool = Field(True, description="scale embeddings to length one before the head")
    whiten: bool = Field(True, description="even out how photographs of one person differ, before the head")
