"""Long work: enroll a folder of people, look through a film."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from pipeline.api import Verdict
from pipeline.service import jobs
from pipeline.service.addresses import folder_of
from pipeline.service.camera import kind_of
from pipeline.service.deps import ServiceDep, admin, viewer
from pipeline.service.jobs import Handle
from pipeline.service.paging import CursorParam, LimitParam, cursor, place
from pipeline.service.problems import Problem
from pipeline.service.routes.sources import meant
from pipeline.service.service import Service

router = APIRouter(tags=["jobs"])


class Job(BaseModel):
    """Long work."""

    id: str = Field(examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"])
    kind: Literal["enroll", "scan", "calibrate"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    made: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    ended: str | None = Field(examples=["2026-01-31T12:00:09.300Z"])
    what: str = Field(description="Is being done, in words.", examples=["enrolling"])
    done: int = Field(examples=[3])
    total: int | None = Field(description="Null where nobody knows.", examples=[12])
    result: dict[str, Any] | None = Field(examples=[{"people": 12, "stored": 30}])
    problem: str | None = Field(description="Why it failed.", examples=[None])


class JobList(BaseModel):
    """Jobs, newest first."""

    items: list[Job]
    next: str | None = Field(description="The cursor of the next page.", examples=[None])


class WantedEnrolment(BaseModel):
    """A folder of people."""

    folder: str = Field(
        description="Below a configured folder; it has one folder of photographs for each person.",
        min_length=1,
        max_length=2000,
        examples=["/srv/photographs/staff"],
    )


class WantedScan(BaseModel):
    """A film to look through."""

    source: str = Field(
        description="A film below a configured folder, or `demo` for the demo film.",
        min_length=1,
        max_length=2000,
        examples=["/srv/films/monday.mp4"],
    )


@router.get("/jobs", operation_id="list_jobs", dependencies=[viewer])
def list_jobs(
    service: ServiceDep, limit: LimitParam = 50, cursor_: Annotated[CursorParam, Query(alias="cursor")] = None
) -> JobList:
    """Jobs of the last week, newest first."""
    (before,) = (None,) if cursor_ is None else place(cursor_, str)
    found = service.jobs.newest(limit + 1, before)
    items = [told_job(each) for each in found[:limit]]
    return JobList(items=items, next=cursor(items[-1].id) if len(found) > limit else None)


@router.get("/jobs/{job}", operation_id="get_job", dependencies=[viewer])
def get_job(job: str, service: ServiceDep) -> Job:
    """How far a job is, and what became of it."""
    found = service.jobs.get(job)
    if found is None:
        raise _nothing(job)
    return told_job(found)


@router.delete("/jobs/{job}", operation_id="cancel_job", dependencies=[admin])
def cancel_job(job: str, service: ServiceDep) -> Job:
    """Have a job end soon. What it has done stays done; one that has ended stays as it is."""
    if service.jobs.get(job) is None:
        raise _nothing(job)
    service.jobs.cancel(job)
    return get_job(job, service)


@router.post("/jobs/enroll", operation_id="enroll_folder", status_code=202, dependencies=[admin])
def enroll_folder(wanted: WantedEnrolment, service: ServiceDep, response: Response) -> Job:
    """Enroll the people of a folder, one after the other."""
    folder = folder_of(wanted.folder, service.options)
    return accepted(
        service.jobs.add("enroll", {"folder": str(folder)}, lambda job: _enroll(service, folder, job)),
        response,
    )


@router.post("/jobs/scan", operation_id="scan_film", status_code=202, dependencies=[admin])
def scan_film(wanted: WantedScan, service: ServiceDep, response: Response) -> Job:
    """Look through a film as fast as it can be read; who is in it becomes events of a source of its own."""
    film, _ = meant(service, wanted.source, "body.source")
    if kind_of(film) != "file":
        raise Problem(
            422, "no_film", "only films can be looked through; watch others as sources", "body.source"
        )
    return accepted(
        service.jobs.add("scan", {"source": film}, lambda job: _scan(service, film, job)), response
    )


def accepted(job: jobs.Job, response: Response) -> Job:
    """A job that was begun."""
    response.headers["location"] = f"/api/v1/jobs/{job.id}"
    return told_job(job)


def told_job(job: jobs.Job) -> Job:
    """A job as it is told."""
    values = {name: getattr(job, name) for name in Job.model_fields}
    return Job.model_validate(values)


def _enroll(service: Service, folder: Path, job: Handle) -> dict[str, Any]:
    people, counts = 0, dict.fromkeys(Verdict, 0)
    unusable: list[str] = []
    job.report("enrolling", 0, None)
    for enrolment, done, total in service.recog.enroll_people(folder):
        people += enrolment.usable
        for verdict in counts:
            counts[verdict] += enrolment.count(verdict)
        if not enrolment.usable and len(unusable) < 100:
            unusable.append(enrolment.name)
        service.people_changed()
        job.report("enrolling", done, total)
    return {
        "people": people,
        "stored": counts[Verdict.ACCEPTED],
        "duplicates": counts[Verdict.DUPLICATE],
        "held": counts[Verdict.HELD],
        "rejected": counts[Verdict.REJECTED],
        "unusable": unusable,
    }


def _scan(service: Service, film: str, job: Handle) -> dict[str, Any]:
    frames = 0
    with service.cameras.scanning(film) as (source, following, run):
        job.stop = following.stop
        for result in following:
            run.take(result)
            frames += 1
            job.report(f"looking through, {result.frame.seconds:.0f} s", frames, None)
        complaint = following.complaint
    if job.unwanted.is_set():
        raise jobs.CancelledError
    return {"source": source.id, "frames": frames, "complaint": complaint}


def _nothing(number: str) -> Problem:
    return Problem(404, "no_such_job", f"there is no job {number[:40]}", "path.job")
