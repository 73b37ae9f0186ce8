"""Logging in and out, and tokens for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import FileResponse, RedirectResponse

from pipeline.errors import ConfigError
from pipeline.service import audit
from pipeline.service.access import Access, Role
from pipeline.service.access import access as sessions
from pipeline.service.access.guard import COOKIE, too_many
from pipeline.service.access.patience import address_of
from pipeline.service.deps import AccessDep, CallerDep, ServiceDep, admin, anyone, viewer
from pipeline.service.paging import CursorParam, LimitParam, cursor, place
from pipeline.service.problems import Problem

router = APIRouter(tags=["access"])
page = APIRouter(include_in_schema=False)


class LogIn(BaseModel):
    """One of both."""

    key: str | None = Field(
        default=None,
        description="The one-time key that the service printed.",
        max_length=200,
        examples=["k3Zq..."],
    )
    token: str | None = Field(default=None, description="A token.", max_length=200)


class Me(BaseModel):
    """Who is calling."""

    role: Role
    name: str = Field(examples=["kitchen display"])


class Token(BaseModel):
    """A token as it is listed; the token itself is told once."""

    id: str = Field(examples=["5f2b8c1d9e4a7360"])
    name: str = Field(examples=["kitchen display"])
    role: Role
    made: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    used: str | None = Field(description="Last, to the hour.", examples=["2026-01-31T12:00:00.000Z"])


class Tokens(BaseModel):
    """Every token that is not revoked."""

    items: list[Token]


class WantedToken(BaseModel):
    """A token to make."""

    name: str = Field(examples=["kitchen display"], min_length=1, max_length=80)
    role: Role = Role.VIEWER


class NewToken(Token):
    """A new token. `token` is told this once."""

    token: str = Field(examples=["recog_5f2b8c1d9e4a7360_..."])


class AuditEntry(BaseModel):
    """Something that somebody changed."""

    id: str = Field(examples=["01JDT3V2M6Z0K8Q4W9X7B5N1CA"])
    at: str = Field(examples=["2026-01-31T12:00:00.000Z"])
    caller: str = Field(description="What the token or session is called.", examples=["first key"])
    kind: str = Field(description="session, token, key, command", examples=["session"])
    action: str = Field(description="The operation.", examples=["rename_person"])
    details: dict[str, Any] = Field(examples=[{"person": "7"}])


class AuditLog(BaseModel):
    """What was changed, newest first."""

    items: list[AuditEntry]
    next: str | None = Field(description="The cursor of the next page.", examples=[None])


@router.post("/login", operation_id="log_in", dependencies=[anyone])
def log_in(given: LogIn, request: Request, response: Response, access: AccessDep) -> Me:
    """Log in by the one-time key or by a token; sets the cookie `recog_session`."""
    caller = access.by_session(_opened(given, request, response, access))
    if caller is None:  # the token was revoked since
        raise _does_not_fit()
    return Me(role=caller.role, name=caller.name)


@router.post("/logout", operation_id="log_out", status_code=204, dependencies=[viewer])
def log_out(response: Response, caller: CallerDep, access: AccessDep) -> None:
    """End this session. A token stays as it is; revoke it to end it."""
    access.log_out(caller)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


@router.get("/me", operation_id="me", dependencies=[viewer])
def me(caller: CallerDep) -> Me:
    """Who is calling, and what they may do."""
    return Me(role=caller.role, name=caller.name)


@router.get("/tokens", operation_id="list_tokens", dependencies=[admin])
def list_tokens(access: AccessDep) -> Tokens:
    """Every token: who it is for, and when it was used last."""
    return Tokens(items=[_listed(token) for token in access.tokens()])


@router.get("/audit", operation_id="list_audit", dependencies=[admin])
def list_audit(
    service: ServiceDep, limit: LimitParam = 50, cursor_: Annotated[CursorParam, Query(alias="cursor")] = None
) -> AuditLog:
    """Who changed what, newest first: ids, and no names of people."""
    (before,) = (None,) if cursor_ is None else place(cursor_, str)
    found = audit.newest(service.store, limit + 1, before)
    items = [AuditEntry(**asdict(each)) for each in found[:limit]]
    return AuditLog(items=items, next=cursor(items[-1].id) if len(found) > limit else None)


@router.post("/tokens", operation_id="create_token", status_code=201, dependencies=[admin])
def create_token(wanted: WantedToken, request: Request, access: AccessDep) -> NewToken:
    """Make a token for a program or for somebody else. It is shown this once."""
    try:
        made = access.create_token(wanted.name, wanted.role)
    except ConfigError as error:
        raise Problem(422, "bad_name", str(error), "body.name") from error
    request.state.audit = {"token": made.token.id, "role": made.token.role.value}
    return NewToken(**_listed(made.token).model_dump(), token=made.text)


@router.delete("/tokens/{token}", operation_id="revoke_token", status_code=204, dependencies=[admin])
def revoke_token(token: str, access: AccessDep) -> None:
    """Take a token back, and every session that was opened with it."""
    if not access.revoke_token(token):
        raise Problem(404, "no_such_token", "there is no such token", "path.token")


@page.get("/", dependencies=[anyone])
def start(
    request: Request, access: AccessDep, key: Annotated[str | None, Query(max_length=200)] = None
) -> Response:
    """The page. With the one-time key it logs in first, and leaves the key out of the address."""
    if key is not None:
        answer = RedirectResponse("/", 303)
        _opened(LogIn(key=key), request, answer, access)
        return answer
    file = request.app.state.page / "index.html"
    if not file.exists():
        raise Problem(404, "no_page", "this installation has no page; the API is at /api/v1")
    return FileResponse(file, headers={"cache-control": "no-cache"})


def _opened(given: LogIn, request: Request, response: Response, access: Access) -> str:
    """Open a session, and set its cookie."""
    address = address_of(request.scope.get("client"))
    if wait := access.failures.wait(address):
        raise too_many(wait)
    session = None
    if given.key is not None:
        session = access.log_in_by_key(given.key)
    elif given.token is not None:
        session = access.log_in_by_token(given.token)
    if session is None:
        access.failures.failed(address)
        raise _does_not_fit()
    access.failures.succeeded(address)
    response.set_cookie(
        COOKIE, session, max_age=sessions.SESSION_DAYS * 86400, path="/", httponly=True, samesite="strict",
        secure=access.bind.tls or access.bind.behind_proxy,
    )  # fmt: skip
    return session


def _does_not_fit() -> Problem:
    return Problem(
        401, "wrong_key",
        "that key or token does not fit: a key works once, and the newest only; make a token with: "
        "recog serve token create NAME",
    )  # fmt: skip


def _listed(token: sessions.Token) -> Token:
    return Token(id=token.id, name=token.name, role=token.role, made=token.made, used=token.used)
