"""What goes wrong, as RFC 9457 `application/problem+json`: every failure of the service is told this way."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from gallery import BusyError, ChangedError, UnusableError
from pipeline.api import ERRORS
from pipeline.errors import DetectorError, ServiceError, SourceError, UnreachableError
from pipeline.service.headers import ALWAYS
from pipeline.service.request_ids import HEADER
from siamese.errors import ModelError

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TOO_LARGE = "the request is larger than is taken; send fewer or smaller pictures"


class Wrong(BaseModel):
    """One thing in the request that is wrong."""

    where: str = Field(examples=["body.name"])
    detail: str = Field(examples=["a name cannot be empty"])


class ProblemBody(BaseModel):
    """What every failure answers, as `application/problem+json` (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(description="For programs; it stays as it is.", examples=["no_such_person"])
    detail: str = Field(description="For people.", examples=["there is no person 7"])
    request_id: str = Field(
        description="As in `x-request-id`, and in the log.", examples=["9f86d081884c7d65"]
    )
    errors: list[Wrong] = Field(description="Which fields are wrong, where it is those.", default=[])


class Problem(Exception):  # noqa: N818 (it is named as in RFC 9457)
    """A failure to tell the caller.

    Attributes:
        status: of HTTP.
        code: for programs, stable.
        detail: for people: what is wrong, and what to do.
        where: the field that is wrong, as `body.name`, `query.limit`, `header.if-match`.
        headers: to send with it.
        wrong: each field that is wrong, where there are several.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        where: str | None = None,
        headers: Mapping[str, str] | None = None,
        wrong: Sequence[Wrong] = (),
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.where = status, code, detail, where
        self.headers = dict(headers or {})
        self.wrong = list(wrong) or ([] if where is None else [Wrong(where=where, detail=detail)])

    def answer(self, request_id: str) -> JSONResponse:
        """The answer to send."""
        return problem_answer(self.status, self.code, self.detail, request_id, self.wrong, self.headers)


def problem_answer(
    status: int,
    code: str,
    detail: str,
    request_id: str,
    wrong: Sequence[Wrong] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem as an answer."""
    body = ProblemBody(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=request_id,
        errors=list(wrong),
    )
    return JSONResponse(
        body.model_dump(), status, {"cache-control": "no-store", **(headers or {})}, media_type=MEDIA_TYPE
    )


def from_error(error: Exception) -> Problem:
    """One of `ERRORS` as a problem: what the caller gave is 422, what the machine lacks is 503."""
    detail = " ".join(str(error).split())
    match error:
        case UnreachableError():
            return Problem(503, "unreachable", detail)
        case SourceError():
            return Problem(422, "unusable_picture", detail)
        case ModelError() | DetectorError():
            return Problem(503, "model_unusable", detail)
        case BusyError():
            return Problem(503, "gallery_busy", detail, headers={"retry-after": "1"})
        case UnusableError():
            return Problem(503, "gallery_unusable", detail)
        case ChangedError():
            return Problem(412, "changed", detail)
        case ServiceError():
            return Problem(503, "store", detail)
        case _:
            return Problem(422, "refused", detail)


def install(app: FastAPI) -> None:
    """Tell every failure of an application as a problem."""

    @app.exception_handler(Problem)
    async def told(request: Request, problem: Problem) -> JSONResponse:
        return problem.answer(request_id_of(request))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [Wrong(where=_place(each["loc"]), detail=each["msg"]) for each in error.errors()]
        where = ", ".join(dict.fromkeys(each.where for each in wrong))
        detail = f"the request does not fit: see {where}" if where else "the request does not fit"
        return problem_answer(422, "invalid_request", detail, request_id_of(request), wrong)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "_").replace("-", "_")
        detail = error.detail if isinstance(error.detail, str) else phrase
        if error.status_code == 413:  # Python has called it two things
            code, detail = "content_too_large", TOO_LARGE
        headers = dict(error.headers or {})
        return problem_answer(error.status_code, code, detail, request_id_of(request), headers=headers)

    for kind in ERRORS:
        app.add_exception_handler(kind, _users)

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        # Starlette raises it again after this answer, so that the server logs the traceback.
        request_id = request_id_of(request)
        _log.error("request %s failed", request_id)
        detail = "the service failed; its log says more under this request_id"
        # Nor does this answer pass the middleware that adds these.
        return problem_answer(500, "internal", detail, request_id, headers={**ALWAYS, HEADER: request_id})


def request_id_of(request: Request) -> str:
    """The id that this request was given."""
    found = request.scope.get("state", {}).get("request_id", "")
    return str(found)


async def _users(request: Request, error: Exception) -> JSONResponse:
    return from_error(error).answer(request_id_of(request))


def _place(loc: Sequence[Any]) -> str:
    return ".".join(str(part) for part in loc)
