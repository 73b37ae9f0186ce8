"""The documents, held to the code."""

from __future__ import annotations

import functools
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from typer._click.exceptions import MissingParameter, NoArgsIsHelpError, UsageError

from pipeline.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("*/weights/README.md")),
]


@functools.cache
def program() -> Any:
    """`recog`, with its commands as they are built for the first of many lines."""
    return typer.main.get_command(app)


def commands() -> list[str]:
    names = []
    for name, command in program().commands.items():
        below = getattr(command, "commands", None)
        names += [f"{name} {each}" for each in below] if below else [name]
    return names


def shown(document: Path) -> list[tuple[str, bool]]:
    """The command lines of `recog` in a document, and whether each is only mentioned, between backticks."""
    lines, inside = [], False
    text = document.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        inside ^= line.startswith("```")
        code = line if inside else line[4:] if line.startswith("    ") else ""
        code = code.partition("  #")[0].strip().removeprefix("$ ").removeprefix("uv run ")
        if code.startswith("recog "):
            lines.append((" ".join(code.split()), False))
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    return lines + [(" ".join(each.split()), True) for each in re.findall(r"`(recog\s[a-z][^`]*)`", prose)]


def parse(line: str, mentioned: bool = False) -> list[str]:
    """Have a command line read by the real parser, without running it; return the command's words.

    What is only mentioned may lack what it needs: `recog enroll`, `recog evaluate --protocol`.
    """
    words = shlex.split(line)
    command: Any = program()
    context, path = None, []
    while True:
        name, *rest = words
        path.append(name)
        try:
            context = command.make_context(name, rest, parent=context)
        except NoArgsIsHelpError:
            return path
        except UsageError as error:
            missing = isinstance(error, MissingParameter) or "requires an argument" in str(error)
            if not mentioned or not missing:
                raise
            return path
        words = [*context._protected_args, *context.args]
        if not hasattr(command, "commands") or not words:
            return path
        _, command, _ = command.resolve_command(context, words)


LINES = [
    (each.relative_to(ROOT), *line) for each in DOCUMENTS for line in shown(each) if "--help" not in line[0]
]


@pytest.mark.parametrize(("document", "line", "mentioned"), LINES, ids=str)
def test_every_command_line_in_the_documents_is_one_that_recog_understands(
    document: Path, line: str, mentioned: bool
) -> None:
    parse(line, mentioned)


def test_command_lines_are_found_in_blocks_and_sentences_and_wrong_ones_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "    uv run recog run \\\n      --source 0  # webcam\n\nOr `recog\nenroll`, or `recog.db`.\n"
    )
    assert shown(page) == [("recog run --source 0", False), ("recog enroll", True)]
    assert parse("recog run --source 0 --set det.size=320") == ["recog", "run"]
    assert parse("recog gallery", mentioned=True) == ["recog", "gallery"]
    assert parse("recog enroll --people", mentioned=True) == ["recog", "enroll"]
    for wrong in ("walk", "gallery burn", "run --fast", "verify", "run --source", "run --delay soon"):
        with pytest.raises(UsageError):
            parse(f"recog {wrong}")


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_and_is_in_the_readme(command: str) -> None:
    found: Any = program()
    for part in command.split():
        found = found.commands[part]
    assert found.help
    first, *rest = command.split()
    # In the paragraph or the line that names the group, its commands may be named alone.
    places = [each for each in re.split(r"\n\n|\n(?=    )", README) if re.search(rf"recog {first}\b", each)]
    assert places, f"README does not mention recog {command}"
    assert all(any(re.search(rf"\b{each}\b", place) for place in places) for each in rest)


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
