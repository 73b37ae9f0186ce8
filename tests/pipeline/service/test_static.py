"""The page's files: what a browser must be told about them, and that they need nobody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.service.static import PAGE, TYPES
from tests.pipeline.service.conftest import Running

FILES = sorted(path for path in PAGE.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
TEXTS = [path for path in FILES if path.suffix in (".html", ".js", ".css")]
MARKUP = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", "@import")


def named(path: Path) -> str:
    return path.relative_to(PAGE).as_posix()


def test_the_page_is_at_the_root_for_whoever_comes(running: Running) -> None:
    answer = running.stranger.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_every_file_is_served_with_its_type_and_asked_for_again(running: Running) -> None:
    for path in FILES:
        answer = running.stranger.get(f"/page/{named(path)}")
        assert answer.status_code == 200, path
        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"] == TYPES[path.suffix], path
        assert answer.headers["cache-control"] == "no-cache"
        again = running.stranger.get(
            f"/page/{named(path)}", headers={"if-none-match": answer.headers["etag"]}
        )
        assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["/page/../static.py", "/page/%2e%2e/static.py", "/page/none.js", "/page/js"]
)
def test_nothing_else_is_served(running: Running, path: str) -> None:
    assert running.stranger.get(f"/page/{path}").status_code == 404


def test_what_the_page_loads_is_there() -> None:
    index = (PAGE / "index.html").read_text("utf-8")
    wanted = re.findall(r'(?:href|src)="([^"]+)"', index)
    assert wanted
    for each in wanted:
        assert each.startswith("page/"), each
        assert (PAGE / each.removeprefix("page/")).is_file(), each


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_every_module_imports_what_is_there(script: Path) -> None:
    text = script.read_text("utf-8")
    for where in re.findall(r'(?m)(?:^import \{[^}]+\} from |\bimport\()"([^"]+)"', text):
        assert where.startswith("."), where
        target = (script.parent / where).resolve()
        assert target.is_file(), where
    for names, where in re.findall(r'import \{([^}]+)\} from "([^"]+)"', text):
        exported = (script.parent / where).read_text("utf-8")
        for name in (each.strip() for each in names.split(",")):
            assert re.search(rf"export (?:async )?(?:function\*?|const|class) {name}\b", exported), (
                where,
                name,
            )
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is imported and not used"


@pytest.mark.parametrize(
    "path", [each for each in FILES if each.suffix in (".html", ".js", ".css")], ids=named
)
def test_nothing_is_asked_of_another_host_and_nothing_written_as_markup(path: Path) -> None:
    text = path.read_text("utf-8")
    hosts = set(re.findall(r"(?:https?|wss?)://\w[^\s\"'`]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not hosts
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        " style=",
        "@import",
    ):
        assert forbidden not in text
    assert "<script>" not in text
