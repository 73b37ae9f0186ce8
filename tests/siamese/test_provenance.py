"""What figures were measured with: categories by the card, and the commit of the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from siamese import provenance
from siamese.provenance import category


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({"outside data": "none", "protocol": "restricted"}, "restricted, no outside data"),
        ({"outside data": "labelled", "protocol": "unrestricted"}, "unrestricted, labelled outside data"),
        ({"outside data": "some", "protocol": "unrestricted"}, "unknown: the model card does not say"),
        ({"outside data": "none (but a detector's)"}, "unrestricted, no outside data"),
        ({"outside data": "labelled (through teachers)"}, "unrestricted, labelled outside data"),
        ({"outside data": "none", "protocol": "free"}, "unknown: the model card does not say"),
        ({}, "unknown: the model card does not say"),
    ],
)
def test_the_category_is_what_the_card_says(card: dict[str, str], expected: str) -> None:
    assert category(card) == expected


def test_code_that_lies_in_somebody_elses_repository_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        own = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-C", str(tmp_path)]
        subprocess.run([*own, *arguments], check=True, capture_output=True)

    code = tmp_path / "provenance.py"
    code.write_text("1")
    monkeypatch.setattr(provenance, "__file__", str(code))
    assert provenance.commit() is None
    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    assert provenance.commit() is None
    git("add", "provenance.py")
    git("commit", "-m", "ours")
    clean = provenance.commit()
    assert clean is not None
    assert re.fullmatch("[0-9a-f]{40}", clean)
    code.write_text("2")
    assert provenance.commit() == f"{clean}-dirty"
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() is None
