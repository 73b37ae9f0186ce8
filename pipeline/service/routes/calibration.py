"""What the threshold means, and setting it anew."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from pipeline.api import Guarantee
from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.jobs import Handle
from pipeline.service.routes.jobs import Job, accepted
from pipeline.service.service import Service
from pipeline.words import counted_people

router = APIRouter(prefix="/calibration", tags=["calibration"])


class StrangersOfAKind(BaseModel):
    """How many strangers of one kind were tried, and named."""

    name: str = Field(description="Where they are from; `yours` are one's own.", examples=["snapshots"])
    tried: int = Field(examples=[2014])
    named: int = Field(description="Of them, at this threshold.", examples=[3])
    over_target: bool = Field(
        description="More than the target of such strangers would be named, as sure as the claim is."
    )


class Calibration(BaseModel):
    """What may be said of strangers who come before a camera."""

    state: Literal["nobody", "none", "calibrated", "outgrown", "too_many"] = Field(
        description="Nobody is enrolled; not calibrated; calibrated; calibrated for other people; or so many "
        "are enrolled that nobody is named before it is calibrated."
    )
    sentence: str = Field(
        examples=["At most 0.1% of strangers are given a name (95% sure, from 3143 strangers and 12 people)."]
    )
    people: int = Field(description="Enrolled now.", examples=[12])
    target: float = Field(description="Share of strangers who may be given a name.", examples=[0.001])
    strangers: int = Field(description="Of one's own, to calibrate by next time.", examples=[4])
    tried: int | None = Field(description="Strangers whom it was tried with.", examples=[3143])
    named: int | None = Field(description="Of them, at this threshold.", examples=[0])
    confidence: float | None = Field(description="How sure the claim is.", examples=[0.95])
    kinds: list[StrangersOfAKind] = Field(
        description="The strangers tried, by where they are from as far as that is known, those named most "
        "often first. The claim is about all of them together."
    )
    doubts: list[str] = Field(
        description="Of which of them more than the target would be named, a sentence each.",
        examples=[["Of strangers like portraits more than 0.1% would be named (95% sure)."]],
    )
    photos_tried: int | None = Field(description="Each against the person's others.", examples=[36])
    photos_recognised: int | None = Field(examples=[35])


class WantedCalibration(BaseModel):
    """What to calibrate for."""

    target: float | None = Field(
        default=None,
        gt=0,
        lt=0.5,
        description="Share of strangers who may be given a name; null for the last, or the settings'.",
        examples=[0.001],
    )


@router.get("", operation_id="get_calibration", dependencies=[viewer])
def get_calibration(service: ServiceDep) -> Calibration:
    """What the threshold means at this gallery's size, in one sentence."""
    recog = service.recog
    target = recog.settings.evidence.target_fpir
    trust = recog.trust()
    claim = trust.claim
    state: Literal["nobody", "none", "calibrated", "outgrown", "too_many"]
    if not trust.people:
        state, sentence = "nobody", "Nobody is enrolled, so everybody is unknown."
    elif claim is not None and trust.lapsed is None:
        state, sentence = "calibrated", f"{str(claim)[:1].upper()}{str(claim)[1:]}."
    elif claim is not None and trust.lapsed is not None:
        state, sentence = "outgrown", f"{trust.lapsed[:1].upper()}{trust.lapsed[1:].partition(';')[0]}."
    elif trust.too_many is not None:
        state, sentence = "too_many", (
            f"With {counted_people(trust.people)} enrolled nobody is named until the gallery is calibrated."
        )  # fmt: skip
    else:
        state, sentence = "none", (
            f"A name is given where it is at least {1 - target:.1%} likely, by what the model learned from "
            "other people; calibrate to have that tried with strangers against those enrolled here."
        )  # fmt: skip
    return Calibration(
        state=state,
        sentence=sentence,
        people=trust.people,
        target=target if claim is None else claim.target,
        strangers=trust.own_strangers,
        tried=None if claim is None else claim.strangers,
        named=None if claim is None else claim.named,
        confidence=None if claim is None else claim.confidence,
        kinds=[] if claim is None else _kinds(claim),
        doubts=[] if claim is None else _doubts(claim),
        photos_tried=None if claim is None else claim.tried,
        photos_recognised=None if claim is None else claim.recognised,
    )


@router.post("", operation_id="calibrate", status_code=202, dependencies=[admin])
def calibrate(service: ServiceDep, response: Response, wanted: WantedCalibration | None = None) -> Job:
    """Choose the threshold anew, by strangers against everybody enrolled. `undo` takes it back."""
    target = wanted.target if wanted is not None else None
    return accepted(
        service.jobs.add("calibrate", {"target": target}, lambda job: _calibrate(service, target, job)),
        response,
    )


def _calibrate(service: Service, target: float | None, job: Handle) -> dict[str, Any]:
    job.report("calibrating", 0, None)
    if target is None:
        claim = service.recog.trust().claim
        target = service.recog.settings.evidence.target_fpir if claim is None else claim.target
    made = service.recog.calibrate(target, stored=lambda: not job.unwanted.is_set())
    job.report("calibrating", 1, 1)
    service.people_changed()
    claim = made.guarantee
    return {
        "sentence": str(claim),
        "target": claim.target,
        "strangers": claim.strangers,
        "named": claim.named,
        "people": claim.people,
        "kinds": [kind.model_dump() for kind in _kinds(claim)],
        "doubts": _doubts(claim),
    }


def _kinds(claim: Guarantee) -> list[StrangersOfAKind]:
    return [
        StrangersOfAKind(
            name=kind.name, tried=kind.tried, named=kind.named, over_target=kind.exceeds(claim.target)
        )
        for kind in claim.kinds
    ]


def _doubts(claim: Guarantee) -> list[str]:
    return [f"{doubt[:1].upper()}{doubt[1:]}." for doubt in claim.doubts()]
