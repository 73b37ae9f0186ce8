"""A file takes its place when all of it is written, and nothing else is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.detection.training.whole import whole
from pipeline.errors import DetectorError


def test_an_earlier_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("before")
    with whole(kept) as part:
        part.write_text("after")
        assert kept.read_text() == "before"
    assert kept.read_text() == "after"
    assert list(tmp_path.iterdir()) == [kept]


def test_what_goes_wrong_leaves_the_earlier_file_and_no_part(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("before")
    with pytest.raises(LookupError), whole(kept) as part:
        part.write_text("half", encoding="no such encoding")
    assert kept.read_text() == "before"
    assert list(tmp_path.iterdir()) == [kept]
    with pytest.raises(DetectorError, match="cannot be written"), whole(tmp_path / "no" / "kept") as part:
        part.write_text("nowhere")
