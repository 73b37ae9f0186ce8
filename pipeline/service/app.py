"""The application: middleware, routes, errors and the page, put together."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from pipeline.service import problems, uploads
from pipeline.service.access import Access
from pipeline.service.access.forwarded import Forwarded
from pipeline.service.access.guard import Guard
from pipeline.service.audit import Audit, audited
from pipeline.service.bodies import Bodies
from pipeline.service.deps import Doors, check_marks
from pipeline.service.headers import Headers
from pipeline.service.idempotency import Idempotency
from pipeline.service.openapi import describe
from pipeline.service.request_ids import RequestIds
from pipeline.service.routes import access as access_routes
from pipeline.service.routes import (
    calibration,
    corrections,
    enrolment,
    events,
    fleet,
    health,
    history,
    identify,
    jobs,
    live,
    people,
    photos,
    review,
    settings,
    sources,
    tapes,
    version,
)  # fmt: skip
from pipeline.service.service import Service
from pipeline.service.static import PAGE, PageFiles
from pipeline.service.too_large import TooLarge
from pipeline.service.turns import Turns
from pipeline.service.unread import Unread

PREFIX = "/api/v1"
MOST_BYTES = 1 << 20  # of a request that says nothing else
# By default FastAPI reports to whatever collector the environment names. This program reports to nobody.
_SILENT = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


class Application(FastAPI):
    """FastAPI, with a description of itself that leaves nothing out."""

    def openapi(self) -> dict[str, Any]:
        """What can be called, as OpenAPI."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self, super().openapi())
        return self.openapi_schema

    def build_middleware_stack(self) -> ASGIApp:
        """FastAPI's, with its limit of a request's length told as every other refusal is."""
        return Unread(TooLarge(super().build_middleware_stack()))


def make_app(service: Service, access: Access) -> FastAPI:
    """The application of a service. It starts and stops the service with itself.

    Raises:
        RuntimeError: a route does not say who may call it; a bug.
    """
    app = Application(
        title="recog",
        summary="Recognise the people you enrolled; strangers stay unknown.",
        version="1",
        openapi_url=None,  # served by a route that needs a log-in
        docs_url=None,  # it would load its scripts from elsewhere
        redoc_url=None,
        telemetry=_SILENT,  # type: ignore[arg-type]
        # What routes take at most, each says; less here, and who may not call would be told to send less.
        max_body_size=uploads.MOST_TOTAL,
        routes=[*_routes()],
        lifespan=lambda app: service.running(),
        middleware=[
            *([Middleware(Forwarded)] if access.bind.behind_proxy else []),
            Middleware(RequestIds),
            Middleware(Headers),
            Middleware(Guard, access=access),
            Middleware(Bodies),
            Middleware(Idempotency, answers=service.answers),
            Middleware(Audit, store=service.store),
        ],
    )
    app.state.service, app.state.access, app.state.page = service, access, PAGE
    app.state.turns = turns = Turns()
    service.metrics.watch("recog_pictures_waiting", "Requests that wait for a look.", lambda: turns.waiting)
    service.metrics.total("recog_pictures_refused", "Requests refused while busy.", lambda: turns.refused)
    # No pictures of faces in a temporary folder: `Bodies` sees to it that memory has room for them.
    MultiPartParser.spool_max_size = uploads.MOST_TOTAL
    problems.install(app)
    app.state.open = check_marks(app, {"page"})
    app.state.doors = Doors(app)
    app.state.audited = audited(app)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """All that can be called; nothing of it belongs to one service, and to look through it takes a while."""
    every = FastAPI(openapi_url=None, telemetry=_SILENT, max_body_size=MOST_BYTES)  # type: ignore[arg-type]
    # Each for itself: FastAPI looks through routes once for each router that they are in.
    first = (version, access_routes, people, enrolment, history, photos, identify, calibration, jobs, tapes)
    for routes in (*first, fleet, sources, live, events, corrections, review, settings, health):
        every.include_router(routes.router, prefix=PREFIX)
    every.include_router(access_routes.page)
    every.mount("/page", PageFiles(), name="page")
    return tuple(every.routes)
