"""Settings of a frozen backbone. Nothing heavy is imported here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]


class BackboneSettings(BaseModel):
    """How somebody else's face embedder wants its input, and what is made of its output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    colour: Literal["rgb", "bgr"] = Field("rgb", description="order of its three planes")
    mean: float | tuple[float, float, float] = Field(
        127.5, description="subtracted from bytes, (x - mean) / scale; or one number for each plane"
    )
    scale: Positive | tuple[Positive, Positive, Positive] = Field(
        127.5, description="127.5 and 128 are usual; 1, with mean 0, for plain bytes"
    )
    mirror: bool = Field(True, description="embed the mirror image too, and average: better, twice the time")
    unit: bool = Field(True, description="scale embeddings to length one before the head")
    whiten: bool = Field(True, description="even out how photographs of one person differ, before the head")

    def words(self) -> str:
        """How the input is wanted, in one line."""
        order = self.colour.upper()
        if (self.mean, self.scale) == (0, 1):
            return f"{order}, bytes as they are"
        less = f"(x - {_plain(self.mean)})" if self.mean else "x"
        return f"{order}, {less}" + (f" / {_plain(self.scale)}" if self.scale != 1 else "")


def _plain(value: float | tuple[float, float, float]) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(f'{each:g}' for each in value)})"
    return f"{value:g}"
