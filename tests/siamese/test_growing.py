"""Arrays that grow on disk, and go on where they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from siamese.growing import GrowingRows

ROWS = np.arange(24, dtype=np.float32).reshape(6, 4)
Start = Callable[..., GrowingRows]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def begin(count: int = 6, width: int = 4) -> GrowingRows:
        return GrowingRows(tmp_path / "a.npy", count, (width,), np.float32, 0o600)

    return begin


def test_rows_written_a_few_at_a_time_are_one_array(tmp_path: Path, start: Start) -> None:
    growing = start()
    for first in range(0, 6, 2):
        assert (growing.done, (tmp_path / "a.npy").exists()) == (first, False)
        growing.append(ROWS[first : first + 2])
    growing.finish()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), ROWS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
    assert (tmp_path / "a.npy").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [0, 1, 15])
def test_what_was_written_whole_is_kept(tmp_path: Path, start: Start, cut: int) -> None:
    growing = start()
    growing.append(ROWS[:4])
    growing.close()
    part = tmp_path / "a.npy.part"
    part.write_bytes(part.read_bytes()[: -cut or None])
    again = start()
    assert again.done == (3 if cut else 4)
    again.append(ROWS[again.done :])
    again.finish()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), ROWS)


@pytest.mark.parametrize("other", [{"count": 7}, {"width": 3}], ids=str)
def test_another_array_begins_anew(start: Start, other: dict[str, int]) -> None:
    growing = start()
    growing.append(ROWS[:4])
    growing.close()
    again = start(**other)
    assert again.done == 0
    again.close()


def test_half_an_array_is_not_finished(start: Start) -> None:
    growing = start()
    growing.append(ROWS[:4])
    with pytest.raises(ValueError, match="4 of 6 rows"):
        growing.finish()
    growing.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk without room")
def test_a_full_disk_is_an_error_of_the_disk(tmp_path: Path, start: Start) -> None:
    (tmp_path / "a.npy.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left|Invalid argument"):
        start()
