"""The description of the API: nothing is missing, its examples are true, and it changes only on purpose."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import TypeAdapter

from pipeline.service.deps import marks_of

SNAPSHOT = Path(__file__).parent / "openapi.txt"
DOCS = Path(__file__).parents[3] / "docs" / "api-http.md"


@pytest.fixture
def described(running: Any) -> dict[str, Any]:
    answer = running.viewer.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def kind(schema: dict[str, Any]) -> str:
    """A schema in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return "|".join(map(kind, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return "/".join(map(str, schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "array":
        return f"[{kind(schema['items'])}]" if "items" in schema else "[]"
    return str(schema.get("format", schema.get("type", "any")))


def content(body: dict[str, Any]) -> str:
    return ",".join(
        f"{form.partition('/')[2]}:{kind(about.get('schema', {}))}"
        for form, about in body.get("content", {}).items()
    )


def told(described: dict[str, Any]) -> str:
    """Everything that a client may rely on, a line an operation and a line a schema."""
    lines = []
    for method, path, operation in operations(described):
        given = [
            f"{each['in']}.{each['name']}{'' if each['required'] else '?'}:{kind(each['schema'])}"
            for each in operation.get("parameters", [])
        ]
        answers = [
            f"{status} {content(answer)}".strip() if "$ref" not in answer else status
            for status, answer in sorted(operation["responses"].items())
        ]
        body = f" body {content(operation['requestBody'])}" if "requestBody" in operation else ""
        lines.append(
            f"{method} {path} {operation['operationId']} ({operation['x-role']}) "
            f"[{' '.join(given)}]{body} -> {', '.join(answers)}"
        )
    for name, schema in sorted(described["components"]["schemas"].items()):
        needed = set(schema.get("required", []))
        parts = [
            f"{part}{'' if part in needed else '?'}:{kind(about)}"
            for part, about in sorted(schema.get("properties", {}).items())
        ]
        lines.append(f"{name} {{{', '.join(parts) or kind(schema)}}}")
    return "\n".join(lines) + "\n"


def test_the_api_changes_only_on_purpose(described: dict[str, Any]) -> None:
    now = told(described)
    if os.environ.get("RECOG_RENEW"):
        SNAPSHOT.write_text(now)
    assert now == SNAPSHOT.read_text(), (
        "clients may rely on what was there before; if it is to change, run this test with RECOG_RENEW=1, "
        "and say so in CHANGELOG.md and docs/api-http.md"
    )


def test_every_route_is_in_it_once_with_a_summary_words_and_a_role(
    running: Any, described: dict[str, Any]
) -> None:
    found = operations(described)
    names = [operation["operationId"] for _, _, operation in found]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z_]+", name) for name in names)
    roles = {
        (path, method): needs[0].role
        for path, _, methods, needs in marks_of(running.app)
        if needs
        for method in methods
    }
    for method, path, operation in found:
        assert operation["description"], path
        role = roles[path, method]
        assert operation["x-role"] == ("anyone" if role is None else role.value)
        assert bool(operation["security"]) is (role is not None)
    hidden = {"/api/v1/openapi.json", "/", "/api/v1/live"}
    assert {path for path, _, methods, needs in marks_of(running.app) if needs} - hidden == set(
        described["paths"]
    )


def test_every_failure_is_a_problem(described: dict[str, Any]) -> None:
    for answer in described["components"]["responses"].values():
        assert list(answer["content"]) == ["application/problem+json"]
    for method, path, operation in operations(described):
        for status, answer in operation["responses"].items():
            if status.startswith("4"):
                assert answer == {"$ref": f"#/components/responses/Problem{status}"}, (method, path, status)


def test_every_example_is_one(running: Any, described: dict[str, Any]) -> None:
    models = {
        route.operation_id: route.response_model
        for route in iter_route_contexts(running.app.routes)
        if getattr(route, "operation_id", None) and getattr(route, "response_model", None)
    }
    tried = 0
    for _, _, operation in operations(described):
        for status, answer in operation["responses"].items():
            about = answer.get("content", {}).get("application/json", {})
            if status.startswith("2") and about.get("schema"):
                TypeAdapter(models[operation["operationId"]]).validate_python(about["example"], strict=False)
                tried += 1
    assert tried > 40


def test_the_page_about_it_tells_of_every_route_and_code(described: dict[str, Any]) -> None:
    page = DOCS.read_text()
    for method, path, operation in operations(described):
        short = path.removeprefix("/api/v1")
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{method} {short}` |"))
        role, given = (each.strip() for each in row.split("|")[2:4])
        assert role == operation["x-role"], row
        asked = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
        assert re.findall("`([a-z]+)`", given.partition("query: ")[2]) == asked, row
    package = Path(__file__).parents[3] / "pipeline" / "service"
    codes = set()
    for file in package.rglob("*.py"):
        codes |= set(re.findall(r'Problem\(\s*[0-9]{3},\s*"([a-z_]+)"', file.read_text()))
    assert len(codes) > 30
    assert not {code for code in codes if f"`{code}`" not in page}
