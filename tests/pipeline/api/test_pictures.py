"""Pictures as files, arrays, and files in memory; and what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import api
from pipeline.api import Recog, Verdict
from pipeline.errors import SourceError


def test_a_photograph_in_memory_is_the_same_as_the_file(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    file = world.picture(tmp_path / "rosa.png", world.RED)
    photograph = api.Photograph(file.read_bytes(), "rosa.png")
    assert (
        recognition.enroll("Rosa", [photograph, api.Photograph(b"no", "x.jpg")]).count(Verdict.REJECTED) == 1
    )
    assert recognition.enroll("Rosa", [file]).count(Verdict.DUPLICATE) == 1
    (face,) = recognition.identify(photograph)
    assert face.name == "Rosa"
    assert [round(float(x) / 10) for x in face.probe.box] == [2, 6, 10, 14]
    with pytest.raises(SourceError, match=r"more than the 0\.01 million|pixels"):
        recognition.identify(api.Photograph(file.read_bytes(), "rosa.png", most_pixels=10_000))


def test_a_picture_that_cannot_be_read_is_an_outcome_when_enrolling_and_an_error_otherwise(
    recognition: Recog, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.jpg"
    outcome = recognition.enroll("Rosa", [missing]).outcomes[0]
    assert outcome.verdict is Verdict.REJECTED
    assert "unreadable" in outcome.reason
    with pytest.raises(SourceError, match=r"missing\.jpg"):
        recognition.identify(missing)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), [[1]]])
def test_what_is_no_picture_is_the_callers_bug(recognition: Recog, wrong: Any) -> None:
    with pytest.raises(ValueError, match="uint8 in BGR order"):
        recognition.identify(wrong)
    with pytest.raises(ValueError, match="uint8 in BGR order"):
        recognition.enroll("Rosa", [wrong])
