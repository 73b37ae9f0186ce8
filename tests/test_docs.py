"""The documents, held to the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from pipeline.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    group = typer.main.get_command(app)
    names = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        names += [f"{name} {each}" for each in below] if below else [name]
    return names


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_and_is_in_the_readme(command: str) -> None:
    group = typer.main.get_command(app)
    found = group
    for part in command.split():
        found = found.commands[part]  # type: ignore[attr-defined]
    assert found.help
    first, *rest = command.split()
    assert re.search(rf"recog {first}\b", README), f"README does not mention recog {command}"
    assert all(re.search(rf"`?{each}`?", README) for each in rest)


def test_the_readme_begins_with_the_two_commands_and_ci_calls_the_second() -> None:
    code = [line.strip() for line in README.splitlines() if line.startswith("    ")]
    demo, tests = (line.split("#")[0].strip() for line in code[:2])
    assert demo == "uv run recog demo"
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == tests


def test_the_changelogs_top_version_is_the_packages() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    top = re.search(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert top is not None
    assert top[1] == version


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/weights/README.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
