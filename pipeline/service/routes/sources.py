"""What is watched: cameras, films and streams."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from pipeline.api import demo_film
from pipeline.service.addresses import DEMO, offered, usable
from pipeline.service.cameras import Stored
from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.problems import Problem
from pipeline.service.service import Service
from pipeline.service.store import demo_path
from pipeline.service.versions import IfMatch, etag, must_match

router = APIRouter(tags=["sources"])


class Source(BaseModel):
    """Something that is watched."""

    id: str = Field(examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"])
    name: str = Field(examples=["front door"])
    kind: Literal["camera", "file", "stream"]
    url: str = Field(description="Without login and query.", examples=["rtsp://***@192.168.1.20/live"])
    state: Literal["starting", "running", "paused", "lost", "ended", "failed"]
    since: str = Field(
        description="UTC: since when it is in this state.", examples=["2026-01-31T12:00:00.000Z"]
    )
    detail: str = Field(description="Why, for people.", examples=["was lost after 120 frames"])
    fps: float | None = Field(description="Frames a second that are looked at.", examples=[15.0])
    size: tuple[int, int] | None = Field(description="Width and height, pixels.", examples=[[1280, 720]])
    dropped: int = Field(description="Frames that came too fast since it was opened.", examples=[0])
    added: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    version: int = Field(description="Its ETag, in quotes.", examples=[1])


class Sources(BaseModel):
    """Every source, in the order in which they were added."""

    items: list[Source]
    next: str | None = None


class WantedSource(BaseModel):
    """A source to watch."""

    url: str = Field(
        description="A camera's number, a film below a configured folder, or an rtsp or http address.",
        min_length=1,
        max_length=2000,
        examples=["rtsp://192.168.1.20/live"],
    )
    name: str | None = Field(default=None, min_length=1, max_length=100, examples=["front door"])


class ChangedSource(BaseModel):
    """What is to be another; the rest stays."""

    url: str | None = Field(
        default=None, min_length=1, max_length=2000, examples=["rtsp://192.168.1.20/live"]
    )
    name: str | None = Field(default=None, min_length=1, max_length=100, examples=["front door"])


class Offered(BaseModel):
    """Something that can be added as a source."""

    url: str = Field(examples=["0"])
    name: str = Field(examples=["Integrated Camera"])
    kind: Literal["camera", "file", "demo"]


class Offers(BaseModel):
    """What can be added as a source without knowing an address."""

    items: list[Offered]


@router.get("/sources", operation_id="list_sources", dependencies=[viewer])
def list_sources(service: ServiceDep) -> Sources:
    """What is watched, and how each source is."""
    return Sources(items=[_told(service, each) for each in service.cameras.all()])


@router.post("/sources", operation_id="add_source", status_code=201, dependencies=[admin])
def add_source(wanted: WantedSource, service: ServiceDep, response: Response) -> Source:
    """Watch one more source. One that cannot be reached yet is waited for."""
    url, ours = meant(service, wanted.url)
    made = service.cameras.add(url, _name(wanted.name) or ("demo" if ours else None), trusted=ours)
    response.headers["location"] = f"/api/v1/sources/{made.id}"
    return _answer(service, made, response)


@router.get("/sources/{source}", operation_id="get_source", dependencies=[viewer])
def get_source(source: str, service: ServiceDep, response: Response) -> Source:
    """How a source is."""
    return _answer(service, source_of(service, source), response)


@router.patch("/sources/{source}", operation_id="change_source", dependencies=[admin])
def change_source(
    source: str, wanted: ChangedSource, service: ServiceDep, response: Response, if_match: IfMatch = None
) -> Source:
    """Give a source another name or address."""
    must_match(if_match, source_of(service, source).version)  # before a demo film is made in vain
    url, ours = (None, False) if wanted.url is None else meant(service, wanted.url)
    after = service.cameras.change(source, _name(wanted.name), url, ours, if_match)
    if after is None:
        raise nothing(source)
    return _answer(service, after, response)


@router.delete("/sources/{source}", operation_id="remove_source", status_code=204, dependencies=[admin])
def remove_source(source: str, service: ServiceDep, if_match: IfMatch = None) -> None:
    """Watch it no more. Its events stay."""
    if not service.cameras.remove(source, if_match):
        raise nothing(source)


@router.post("/sources/{source}/pause", operation_id="pause_source", dependencies=[admin])
def pause_source(source: str, service: ServiceDep, response: Response) -> Source:
    """Look no further: a camera is let go, a film stands still."""
    source_of(service, source)
    service.cameras.pause(source)
    return _answer(service, source_of(service, source), response)


@router.post("/sources/{source}/resume", operation_id="resume_source", dependencies=[admin])
def resume_source(source: str, service: ServiceDep, response: Response) -> Source:
    """Go on with a source; a film that has ended begins again."""
    source_of(service, source)
    service.cameras.run(source)
    return _answer(service, source_of(service, source), response)


@router.get("/cameras", operation_id="list_cameras", dependencies=[viewer])
def list_cameras(service: ServiceDep) -> Offers:
    """Cameras of this machine, films in the configured folders, and the demo film."""
    return Offers(
        items=[Offered(url=each.url, name=each.name, kind=each.kind) for each in offered(service.options)]
    )


def source_of(service: Service, number: str) -> Stored:
    """The source of an id. Raises Problem where there is none."""
    found = service.cameras.get(number)
    if found is None:
        raise nothing(number)
    return found


def nothing(number: str) -> Problem:
    """There is no such source."""
    return Problem(404, "no_such_source", f"there is no source {number[:40]}", "path.source")


def meant(service: Service, url: str, where: str = "body.url") -> tuple[str, bool]:
    """What to open, and whether it is a file of the service itself: the demo film, made when first wanted.

    Args:
        where: the field that is told to be wrong where clients may not have it watched.
    """
    url = usable(url, service.options, where)
    if url != DEMO:
        return url, False
    path = demo_path(service.recog.path)
    if not path.exists():
        part = path.with_suffix(".part.mp4")  # never half a film under that name
        demo_film(part)
        part.replace(path)
    return str(path), True


def _answer(service: Service, source: Stored, response: Response) -> Source:
    response.headers["etag"] = etag(source.version)
    return _told(service, source)


def _told(service: Service, source: Stored) -> Source:
    return Source.model_validate(service.cameras.told(source))


def _name(name: str | None) -> str | None:
    if name is None:
        return None
    told = " ".join(name.split())
    if not told or not told.isprintable():
        raise Problem(422, "bad_name", "a name has to have characters that print", "body.name")
    return told
