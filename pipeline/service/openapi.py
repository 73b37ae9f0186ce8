"""What can be called, as OpenAPI: what FastAPI finds out by itself, with problems, roles, keys, examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from pipeline.service.access import Role
from pipeline.service.access.guard import COOKIE
from pipeline.service.deps import needs_of
from pipeline.service.idempotency import takes_keys
from pipeline.service.problems import MEDIA_TYPE, ProblemBody

_ABOUT = """
Faces are looked at by the networks of recog, on this machine. A face has a name only where that is as sure as
the settings, or the gallery's calibration, ask.

* **Log in** with a token (`Authorization: Bearer ...`), or with the cookie that `POST /login` sets.
  A `viewer` looks, an `admin` also changes.
* **Errors** are `application/problem+json` (RFC 9457) with a stable `code`; each has an `x-request-id`.
* **Changes** of what exists say which version they mean: `If-Match` with the `ETag` of its GET. 428 without,
  412 when it was changed since.
* **Creating calls** take an `Idempotency-Key`: sent again with the same key, they give the same answer and
  create nothing twice.
* **Lists** come in pages: `next` is the `cursor` of the next one.
* **Times** are UTC, ISO 8601, to the millisecond. **Ids** are opaque.
"""
_REASONS = {
    "401": "Nobody is logged in, or the token is wrong: `login_required`, `wrong_token`, `wrong_key`.",
    "403": "Not allowed: `forbidden`, `foreign_origin`, `no_origin`.",
    "404": "There is no such thing.",
    "408": "It did not come in time: `too_slow`.",
    "409": "It does not fit what is there; or the call with this key is still being made: `in_progress`.",
    "411": "A form with an `Idempotency-Key` does not say how long it is: `length_required`.",
    "412": "It was changed since it was read: `changed`.",
    "413": "More bytes than are taken.",
    "422": "Something in the request is wrong: `errors` says what and where.",
    "428": "No version is given: `needs_if_match`.",
    "429": "Too many calls: `retry-after` says for how long to wait.",
    "503": "The machine cannot at present: `busy` (too many pictures are being sent or looked at; nothing "
    "was done), the gallery locked, a model missing, the disk full. `retry-after` says when to try again, if "
    "known.",
}


def describe(app: FastAPI, found: dict[str, Any]) -> dict[str, Any]:
    """Complete what FastAPI has found; `found` is changed and returned."""
    found["info"]["description"] = _ABOUT.strip()
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for gone in ("HTTPValidationError", "ValidationError"):
        schemas.pop(gone, None)
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"ProblemBody": problem}
    responses = components["responses"] = {f"Problem{each}": _problem(why) for each, why in _REASONS.items()}
    for status in ("429", "503"):
        responses[f"Problem{status}"] = _later(responses[f"Problem{status}"])
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token, as `POST /tokens` gives it."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Set by `POST /login`."},
    }
    roles = _roles(app)
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            _complete(path, method.upper(), operation, roles[operation["operationId"]], schemas)
    return found


def example_of(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """A value that a schema describes, from the examples of its parts.

    Raises:
        KeyError: a part has none, and none can be made up; the place is in the message.
    """
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "examples" in schema:
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if {"type": "null"} in schema.get("anyOf", []):
        return None
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return example_of(next(iter(schema[several])), schemas, name)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    match schema.get("type"):
        case "object":
            parts = schema.get("properties", {})
            return {key: example_of(part, schemas, f"{name}.{key}") for key, part in parts.items()}
        case "array":
            return [example_of(schema["items"], schemas, f"{name}[]")] if "items" in schema else []
        case "boolean":
            return False
    raise KeyError(f"{name} has no example")


def _complete(
    path: str, method: str, operation: dict[str, Any], role: Role | None, schemas: dict[str, Any]
) -> None:
    operation["x-role"] = "anyone" if role is None else role.value
    operation["security"] = [] if role is None else [{"token": []}, {"session": []}]
    headers = {each["name"].casefold() for each in operation.get("parameters", [])}
    responses = operation["responses"]
    for status in _statuses(path, method, operation, role, "if-match" in headers):
        if status not in responses or status == "422":
            responses[status] = {"$ref": f"#/components/responses/Problem{status}"}
    if method == "POST" and role is Role.ADMIN and takes_keys(path):
        operation.setdefault("parameters", []).append(
            {
                "name": "idempotency-key",
                "in": "header",
                "required": False,
                "description": "Sent again with the same key, the call gives the same answer for a day.",
                "schema": {"type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": 200},
            }
        )
    for content in _contents(operation):
        if "example" not in content and content.get("schema"):
            content["example"] = example_of(content["schema"], schemas, operation["operationId"])


def _statuses(
    path: str, method: str, operation: dict[str, Any], role: Role | None, versioned: bool
) -> Iterator[str]:
    yield "429"
    if role is not None or path.endswith("/login"):
        yield "401"
    if role is Role.ADMIN or method != "GET":
        yield "403"
    if "{" in path:
        yield "404"
    if operation.get("parameters") or "requestBody" in operation or versioned:
        yield "422"
    if "requestBody" in operation:
        yield "408"
        yield "413"
        if role is None:
            yield "503"
        if role is Role.ADMIN and "multipart/form-data" in operation["requestBody"]["content"]:
            yield "411"
    if method == "POST" and role is Role.ADMIN:
        yield "409"
    if versioned:
        yield "412"
        yield "428"
    if role is not None:
        yield "503"


def _contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is sent and answered as JSON."""
    bodies = [operation.get("requestBody", {})]
    bodies += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    for body in bodies:
        if "application/json" in body.get("content", {}):
            yield body["content"]["application/json"]


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}


def _later(problem: dict[str, Any]) -> dict[str, Any]:
    """A problem that may be over after a while."""
    wait = {"type": "integer", "minimum": 1, "example": 2}
    return problem | {"headers": {"Retry-After": {"description": "Seconds to wait.", "schema": wait}}}


def _roles(app: FastAPI) -> dict[str, Role | None]:
    """What each operation needs."""
    found = {}
    for route in iter_route_contexts(app.routes):
        name, needs = getattr(route, "operation_id", None), needs_of(route)
        if name is not None and needs:
            found[name] = needs[0].role
    return found
