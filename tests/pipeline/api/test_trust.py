"""Why nobody can be named, and when people can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.api import Recog


def test_it_says_why_nobody_can_be_named(recognition: Recog, world: Any, tmp_path: Path) -> None:
    assert recognition.hindrance() == "nobody is enrolled, so everybody is unknown"
    recognition.enroll("Rosa", [world.picture(tmp_path / "rosa.png", world.RED)])
    assert (recognition.hindrance(), recognition.guarantee()) == (None, None)
    strict = Recog.open(recognition.path, {"evidence": {"target_fpir": 0.0001}})
    assert "recog calibrate" in str(strict.hindrance())
