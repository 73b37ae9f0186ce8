"""docs/security.md names a test for each threat, or says that there is none."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.authentication import attempt, claimed, tries
from pipeline.authentication.policy import Part

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text()
THREATS = PAGE.partition("## Threats")[2].partition("\n## ")[0]
ROWS = [line for line in THREATS.splitlines() if line.startswith("| ")][1:]


def test_each_threat_has_a_test_that_exists_or_is_said_to_be_untested() -> None:
    written = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(ROWS) > 20
    for row in ROWS:
        named = re.findall(r"`(test_\w+)`", row)
        assert named or "untested" in row or "benchmark" in row, row
        for name in named:
            assert f"def {name}(" in written, name


def test_the_page_says_what_the_code_does() -> None:
    for part in Part:
        assert f"| {part} |" in PAGE
    assert f"lower bound must be {attempt.PARALLAX:g} distances" in PAGE
    assert f"lower bound must be {attempt.SLOPE:g} (" in PAGE
    assert (tries.FREE, tries.FIRST, tries.LONGEST, tries.MOST) == (5, 30.0, 3600.0, 50)
    assert (round(2.718281828459045**claimed.EACH), round(2.718281828459045**claimed.ACCEPT)) == (10, 10_000)
