"""The table of what is kept where, in docs/privacy.md, held to the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from gallery import schema
from pipeline.authentication.tries import tries_path
from pipeline.config import KeepSettings
from pipeline.outputs.ledger import Kind, Ledger
from pipeline.tapes import tape

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "privacy.md").read_text()


def table() -> list[list[str]]:
    """The cells of each row."""
    part = TEXT.partition("## What is kept where")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def named() -> set[str]:
    """Tables of files, and kinds of what a run writes, that the table names."""
    return {each for row in table() for each in re.findall(r"`(\w+)`", row[2])}


def tables(sql: str) -> set[str]:
    return set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", sql))


def in_files() -> set[str]:
    """All tables that our files have."""
    service = (ROOT / "pipeline" / "service" / "schema.py").read_text()  # needs no extra to be read
    galleries = Path(schema.__file__).read_text()
    return tables(service) | tables(galleries) | tables(tape.SCHEMA) | tables(tape.TIMES) | tables(tape.ONCE)


def test_every_table_of_every_file_is_in_it_and_no_other() -> None:
    assert in_files()
    assert in_files() - named() == set()
    assert named() - in_files() == set(get_args(Kind)) - in_files() - {"tape"}


def test_what_is_kept_beside_a_gallery_is_in_it() -> None:
    gallery = Path("gallery.db")
    where = " ".join(row[0] for row in table())
    for file in (tries_path(gallery), Ledger(gallery).path):
        assert f"`{file.name}` (0600)" in where


def test_every_kind_of_output_that_is_noted_is_in_it() -> None:
    assert set(get_args(Kind)) <= named()


def test_what_it_says_of_how_long_is_what_there_is_to_set() -> None:
    said = {each for row in table() for each in re.findall(r"`keep\.(\w+)`", row[3])}
    assert said == set(KeepSettings.model_fields) - {"rotate"}
    ends = {
        name: int(days) for row in table() for name, days in re.findall(r"`(\w+_days)` \((\d+)\)", row[3])
    }
    service = ROOT / "pipeline" / "service"
    assert set(ends) == {"events_days", "review_days"}
    for name, days in ends.items():
        text = "".join(path.read_text() for path in service.glob("*.py"))
        assert re.search(rf"^{name.upper()} = {days}\b", text, re.MULTILINE), name
