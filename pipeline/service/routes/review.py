"""Faces of nobody enrolled, put together by person: named, or put aside for good."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.problems import Problem
from pipeline.service.review import Cluster, Decision, Kind
from pipeline.service.routes.corrections import Named, WhoItIs, named
from pipeline.service.service import Service

router = APIRouter(prefix="/review", tags=["review"])
_PRIVATE = {"cache-control": "private, no-store"}


class LooksLike(BaseModel):
    """Whom a cluster looks like most. A hint, and no verdict."""

    name: str = Field(examples=["Grace Hopper"])
    person: str | None = Field(examples=["7"])
    probability: float = Field(
        description="That it is them. Beforehand, a half is for nobody enrolled, the other shared by all.",
        examples=[0.83],
    )


class UnknownFaces(BaseModel):
    """Events with faces of, as it seems, one person."""

    id: str = Field(
        description="It stays while most of its events do.", examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"]
    )
    size: int = Field(description="Events.", examples=[5])
    first: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    last: str = Field(examples=["2026-01-31T18:30:00.000Z"])
    sources: list[str] = Field(description="Ids.", examples=[["01JDT3V2M6Z0K8Q4W9X7B5N1CA"]])
    events: list[str] = Field(description="The clearest first.", examples=[["8c2115092423-12"]])
    thumbnails: list[str] = Field(examples=[["/api/v1/events/8c2115092423-12/thumbnail.jpg"]])
    looks_like: LooksLike | None


class Queue(BaseModel):
    """What there is to look through, the largest cluster first."""

    clusters: list[UnknownFaces]
    total: int = Field(description="Clusters there are, of which these are the largest.", examples=[12])
    threshold: str = Field(
        description="From when on faces are put together, in words.",
        examples=["Faces are put together where they are likelier of one person than of two."],
    )
    kept_days: int = Field(description="Days for which faces are kept; 0 for not at all.", examples=[7])


class Chosen(BaseModel):
    """Some clusters."""

    clusters: list[Annotated[str, Field(max_length=40)]] = Field(
        min_length=1, max_length=200, examples=[["8c2115092423-12"]]
    )


class ChosenAs(WhoItIs):
    """Some clusters, and whose faces they are."""

    clusters: list[Annotated[str, Field(max_length=40)]] = Field(
        min_length=1, max_length=200, examples=[["8c2115092423-12"]]
    )


class PutAside(BaseModel):
    """Clusters that were put aside, and later faces like theirs with them."""

    id: str = Field(examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"])
    kind: Literal["nobody", "ignore"]
    at: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    size: int = Field(description="Events it was said of.", examples=[5])
    thumbnail: str | None


class AllPutAside(BaseModel):
    """What was put aside, newest first."""

    items: list[PutAside]
    next: str | None = None


class Strangers(BaseModel):
    """How many strangers of your own there are to calibrate by."""

    strangers: int = Field(examples=[14])


class Back(BaseModel):
    """What came of taking a decision back."""

    events: int = Field(description="That are to be looked through again.", examples=[5])


@router.get("", operation_id="list_review", dependencies=[viewer])
def list_review(service: ServiceDep, limit: Annotated[int, Query(ge=1, le=200)] = 100) -> Queue:
    """Faces of nobody enrolled, put together by person."""
    found = service.review.clusters()
    return Queue(
        clusters=[_cluster(service, each) for each in found[:limit]],
        total=len(found),
        threshold=service.past().threshold,
        kept_days=service.cameras.days,
    )


@router.post("/name", operation_id="name_clusters", dependencies=[admin])
def name_clusters(wanted: ChosenAs, service: ServiceDep) -> Named:
    """Say whose faces some clusters are: the best looks at them are enrolled, of all together."""
    return named(service, service.review.events_of(wanted.clusters), wanted)


@router.post("/nobody", operation_id="clusters_are_nobody", dependencies=[admin])
def clusters_are_nobody(wanted: Chosen, service: ServiceDep) -> PutAside:
    """A statue, a poster: these faces, and later ones like them, are no people."""
    return _decided(service, wanted, "nobody")


@router.post("/ignore", operation_id="ignore_clusters", dependencies=[admin])
def ignore_clusters(wanted: Chosen, service: ServiceDep) -> PutAside:
    """A neighbour: these faces, and later ones like them, are not to be shown."""
    return _decided(service, wanted, "ignore")


@router.post("/strangers", operation_id="clusters_are_strangers", dependencies=[admin])
def clusters_are_strangers(wanted: Chosen, service: ServiceDep) -> Strangers:
    """Keep one face of each as a stranger to calibrate by: the next calibration takes them in."""
    with service.changes:
        return Strangers(strangers=service.review.add_strangers(wanted.clusters))


@router.get("/decisions", operation_id="list_decisions", dependencies=[viewer])
def list_decisions(service: ServiceDep) -> AllPutAside:
    """What was put aside, newest first."""
    return AllPutAside(items=[_aside(each) for each in service.review.decisions()])


@router.get(
    "/decisions/{decision}/thumbnail.jpg",
    operation_id="decision_thumbnail",
    dependencies=[viewer],
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "A JPEG."}},
)
def decision_thumbnail(decision: str, service: ServiceDep) -> Response:
    """A face of what was put aside."""
    data = service.review.picture(decision)
    if data is None:
        raise Problem(404, "no_picture", "there is no picture of this decision", "path.decision")
    return Response(data, media_type="image/jpeg", headers=_PRIVATE)


@router.delete("/decisions/{decision}", operation_id="take_back_decision", dependencies=[admin])
def take_back_decision(decision: str, service: ServiceDep) -> Back:
    """Have it looked through again. What was kept to know later faces by is deleted."""
    return Back(events=service.review.take_back(decision))


def _decided(service: Service, wanted: Chosen, kind: Kind) -> PutAside:
    return _aside(service.review.decide(wanted.clusters, kind))


def _cluster(service: Service, cluster: Cluster) -> UnknownFaces:
    like = cluster.looks_like
    return UnknownFaces(
        id=cluster.id,
        size=len(cluster.events),
        first=cluster.first,
        last=cluster.last,
        sources=list(cluster.sources),
        events=list(cluster.events[:200]),
        thumbnails=[f"/api/v1/events/{each}/thumbnail.jpg" for each in cluster.pictured],
        looks_like=None
        if like is None
        else LooksLike(
            name=like.name, person=service.names.id_of(like.name), probability=round(like.probability, 4)
        ),
    )


def _aside(decision: Decision) -> PutAside:
    thumbnail = f"/api/v1/review/decisions/{decision.id}/thumbnail.jpg" if decision.picture else None
    return PutAside.model_validate(
        {
            "id": decision.id,
            "kind": decision.kind,
            "at": decision.at,
            "size": decision.size,
            "thumbnail": thumbnail,
        }
    )
