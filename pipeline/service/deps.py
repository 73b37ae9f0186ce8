"""What routes are given, and who may call them.

Every route carries exactly one of `viewer`, `admin` and `anyone`, by itself or by its router;
`check_marks` refuses an application in which one does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, cast

from fastapi import Depends, FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.exceptions import WebSocketException
from starlette.requests import HTTPConnection
from starlette.routing import Match
from starlette.types import Scope

from pipeline.service.access import Access, Caller, Role
from pipeline.service.access.guard import nobody
from pipeline.service.problems import Problem
from pipeline.service.service import Service


class Needs:
    """A dependency that lets a role through, and marks the route as needing it; None: whoever comes."""

    def __init__(self, role: Role | None) -> None:
        self.role = role

    def __call__(self, connection: HTTPConnection) -> None:
        if self.role is None:
            return
        caller = _caller(connection)
        if caller is not None and caller.role.allows(self.role):
            return
        if connection.scope["type"] == "websocket":
            raise WebSocketException(1008, "log in first" if caller is None else "this needs an admin")
        if caller is None:
            raise nobody()
        raise Problem(
            403, "forbidden", f"this needs the role {self.role}, and {caller.name} is {caller.role}"
        )


viewer: Any = Depends(Needs(Role.VIEWER))
admin: Any = Depends(Needs(Role.ADMIN))
anyone: Any = Depends(Needs(None))


def service_of(connection: HTTPConnection) -> Service:
    """The service of the application that was called."""
    return cast(Service, connection.app.state.service)


def access_of(connection: HTTPConnection) -> Access:
    """Who may call it."""
    return cast(Access, connection.app.state.access)


def caller_of(connection: HTTPConnection) -> Caller:
    """Who is calling, on a route that needs to know."""
    caller = _caller(connection)
    if caller is None:
        raise nobody()
    return caller


ServiceDep = Annotated[Service, Depends(service_of)]
AccessDep = Annotated[Access, Depends(access_of)]
CallerDep = Annotated[Caller, Depends(caller_of)]


def marks_of(app: FastAPI) -> Iterator[tuple[str, str, set[str], list[Needs]]]:
    """Every route: its path, its name, its methods (of a WebSocket: none), and what it needs."""
    for route in iter_route_contexts(app.routes):
        yield route.path or "", route.name or "", route.methods or set(), needs_of(route)


def needs_of(route: RouteContext) -> list[Needs]:
    """What a route needs."""
    dependant = getattr(route, "dependant", None)
    return [] if dependant is None else _marks(dependant)


class Doors:
    """What the routes need, asked before anything of a request is read; FastAPI asks them only afterwards."""

    def __init__(self, app: FastAPI) -> None:
        self._routes = [(route, needs_of(route)) for route in iter_route_contexts(app.routes)]

    def check(self, scope: Scope) -> None:
        """Refuse a caller who may not call the route that a request is for.

        Raises:
            Problem: who is calling has to log in, or needs another role.
        """
        for route, needs in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                for each in needs:
                    each(HTTPConnection(scope))
                return


def check_marks(app: FastAPI, unmarked: set[str]) -> frozenset[str]:
    """Refuse an application with a route that does not say who may call it; the paths that anyone may call.

    Args:
        unmarked: names of mounts that hold nobody's data.
    """
    open_paths = set()
    for path, name, _, found in marks_of(app):
        if name in unmarked:
            continue
        if len(found) == 1 and found[0].role is None:
            open_paths.add(path)
        if len(found) != 1:
            raise RuntimeError(
                f"the route {path} ({name}) needs one of viewer, admin, anyone: it has {len(found)}"
            )
    return frozenset(open_paths)


def _marks(dependant: Any) -> list[Needs]:
    found = [dependant.call] if isinstance(dependant.call, Needs) else []
    for each in dependant.dependencies:
        found += _marks(each)
    return found


def _caller(connection: HTTPConnection) -> Caller | None:
    return cast("Caller | None", connection.scope["state"]["caller"])
