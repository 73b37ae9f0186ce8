"""Pictures that somebody asks about: who is in them, and whether two show one person."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pipeline.api import Answer, Comparison, Identified, State
from pipeline.service import people as book
from pipeline.service import uploads
from pipeline.service.deps import ServiceDep, viewer
from pipeline.service.names import Names
from pipeline.service.turns import AskingTurn
from pipeline.service.uploads import Upload

router = APIRouter(tags=["identify"], dependencies=[viewer, AskingTurn])
_ANSWERS: dict[Answer, Literal["same", "different", "unsure"]] = {
    Answer.SAME: "same",
    Answer.DIFFERENT: "different",
    Answer.UNSURE: "unsure",
}


class Candidate(BaseModel):
    """Somebody whom a face may show."""

    name: str = Field(examples=["Grace Hopper"])
    person: str | None = Field(examples=["7"])
    probability: float = Field(examples=[0.998])
    distance: float = Field(description="L1, with the shift of a calibrated gallery.", examples=[14.1])


class Face(BaseModel):
    """A face of a picture, judged by itself."""

    box: tuple[float, float, float, float] = Field(
        description="x1 y1 x2 y2, pixels of the picture as it stands upright.", examples=[[220, 40, 300, 140]]
    )
    landmarks: list[tuple[float, float] | None] = Field(
        description="Left and right eye as seen, nose, left and right corner of the mouth.",
        examples=[[[240, 80], [280, 80], [260, 100], [245, 120], [275, 120]]],
    )
    state: State
    name: str | None = Field(description="Only where it is named.", examples=["Grace Hopper"])
    person: str | None = Field(examples=["7"])
    confidence: float = Field(
        description="Probability of the verdict; of the best candidate while undecided.", examples=[0.998]
    )
    why: str = Field(examples=["Grace Hopper with 99.8 %; a name needs 99.0 %"])
    candidates: list[Candidate] = Field(description="The likeliest first.")
    quality: float = Field(description="0 to 1.", examples=[0.83])
    reasons: list[str] = Field(description="What makes it a poor picture.", examples=[["blurred"]])


class Faces(BaseModel):
    """Every face of a picture, from the left."""

    faces: list[Face]


class Verified(BaseModel):
    """Whether two faces are of one person."""

    answer: Literal["same", "different", "unsure"]
    words: str = Field(examples=["same person: 99.8 %"])
    probability: float = Field(
        description="Of one person, where both were as likely before.", examples=[0.998]
    )
    distance: float = Field(description="L1.", examples=[14.1])
    rarity: str = Field(
        description="How many strangers look as alike; empty if nobody was tried.",
        examples=["a stranger would look this alike in 1 of 4,700 pairs"],
    )
    flaws: list[str] = Field(
        description="What makes the answer less sure.", examples=[["the photo is blurred"]]
    )


@router.post("/identify", operation_id="identify", max_body_size=uploads.MOST_BYTES + 4096)
def identify(image: Upload, service: ServiceDep) -> Faces:
    """Who is in a picture. A face is named only where that is as sure as the gallery asks."""
    found = service.recog.identify(uploads.photograph(image, "body.image"))
    needed = 1 - service.recog.settings.evidence.target_fpir
    return Faces(faces=[_told(face, service.names, needed) for face in found])


@router.post("/verify", operation_id="verify", max_body_size=2 * uploads.MOST_BYTES + 4096)
def verify(first: Upload, second: Upload, service: ServiceDep) -> Verified:
    """Whether two pictures, of one face each, show one person."""
    pictures = uploads.photograph(first, "body.first"), uploads.photograph(second, "body.second")
    return _compared(service.recog.verify(*pictures), "pairs")


@router.post("/people/{person}/verify", operation_id="verify_person", max_body_size=uploads.MOST_BYTES + 4096)
def verify_person(person: str, image: Upload, service: ServiceDep) -> Verified:
    """Whether a picture of one face shows somebody enrolled; the nearest of their photos counts."""
    name = book.find(service.recog, person).person.name
    picture = uploads.photograph(image, "body.image")
    return _compared(service.recog.verify_person(name, picture), "strangers")


def _told(face: Identified, names: Names, needed: float) -> Face:
    probe, best = face.probe, face.candidates[0] if face.candidates else None
    likeliest = 0.0 if best is None else best.probability
    shown, nobody = min(likeliest, 0.999), min(face.unknown, 0.999)  # rounding must not claim certainty
    match face.state:
        case State.NAMED if best is not None:
            confidence = likeliest
            why = f"{best.name} with {shown:.1%}; a name needs {needed:.1%}"
        case State.UNKNOWN:
            confidence = face.unknown
            why = "nobody is enrolled" if best is None else f"nobody enrolled, with {nobody:.1%}"
        case _:
            confidence = likeliest
            why = "nobody is near" if best is None else (
                f"{best.name} with {shown:.1%}, and a name needs {needed:.1%}"
            )  # fmt: skip
    return Face(
        box=_numbers(probe.box),
        landmarks=[None if x != x else (round(float(x), 1), round(float(y), 1)) for x, y in probe.landmarks],
        state=face.state,
        name=face.name,
        person=None if face.name is None else names.id_of(face.name),
        confidence=round(confidence, 6),
        why=why,
        candidates=[
            Candidate(
                name=each.name,
                person=names.id_of(each.name),
                probability=round(each.probability, 6),
                distance=round(each.distance, 4),
            )
            for each in face.candidates
        ],
        quality=round(probe.quality, 3),
        reasons=list(probe.flaws),
    )


def _numbers(box: object) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(float(value), 1) for value in box)  # type: ignore[attr-defined]
    return x1, y1, x2, y2


def _compared(found: Comparison, among: str) -> Verified:
    return Verified(
        answer=_ANSWERS[found.answer],
        words=found.words,
        probability=round(found.probability, 6),
        distance=round(found.distance, 4),
        rarity=found.rarity(among),
        flaws=list(found.flaws),
    )
