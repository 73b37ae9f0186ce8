"""The architecture page, held to the code: rooms, charters and floors."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def rooms(package: str) -> set[str]:
    """The sub-packages, as the page writes them: `detection/training/`."""
    folder = ROOT / package
    return {f"{path.parent.relative_to(folder)}/" for path in folder.glob("*/**/__init__.py")}


@pytest.mark.parametrize("package", ["pipeline", "siamese"])
def test_every_room_has_a_charter_and_every_charter_a_room(package: str) -> None:
    rows = re.findall(r"^\| `([a-z_/]+/)` \| (\S.*?) \|", section(f"Rooms of `{package}/`"), re.MULTILINE)
    named = [room for room, _ in rows]
    assert len(named) == len(set(named))
    assert set(named) == rooms(package)
    for room in named:
        docstring = ast.get_docstring(ast.parse((ROOT / package / room / "__init__.py").read_text()))
        assert docstring, f"{package}/{room} does not say what lives there"


def test_the_modules_at_the_root_are_named() -> None:
    modules = {path.stem for path in (ROOT / "pipeline").glob("[a-z]*.py")}
    said = set(re.findall(r"`([a-z_]+)`", section("Rooms of `pipeline/`").partition("At the root:")[2]))
    assert modules <= said


def test_the_floors_are_those_that_the_linter_keeps() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (floors,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["pipeline"])
    drawn = [line.partition("(")[0] for line in section("Floors").splitlines() if line.startswith("    ")]

    def plain(line: str) -> set[str]:
        return set(re.findall(r"[a-z_]+", line))

    assert [plain(line) for line in drawn] == [plain(line) for line in floors]


def test_the_glossary_has_the_words_that_are_ours_and_the_fields() -> None:
    words = " ".join(re.findall(r"^\| ([^|]+) \|", section("Glossary"), re.MULTILINE))
    for word in ("look", "tape", "cohort", "evidence", "guarantee", "calibration", "track"):
        assert re.search(rf"\b{word}\b", words)
    for word in ("gallery", "probe", "embedding", "FAR", "FRR", "FPIR", "FNIR", "TAR@FAR"):
        assert word in words


def test_only_commands_print() -> None:
    """The library returns, raises, logs, and reports to whoever called it."""
    library = [
        path
        for package in ("pipeline", "siamese", "gallery")
        for path in (ROOT / package).rglob("*.py")
        if "commands" not in path.parts and path.name != "cli.py"
    ]
    prints = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in library
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "print"
    ]
    assert not prints


def test_the_tests_that_are_begun_with_are_there() -> None:
    """What tests/conftest.py names: of a file that was renamed nobody would notice that it begins late."""
    from tests.conftest import LONG, TOGETHER

    named = {*LONG} - {*TOGETHER} | {file for files in TOGETHER.values() for file in files}
    assert [each for each in sorted(named) if not (ROOT / "tests" / each).exists()] == []
