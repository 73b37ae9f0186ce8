from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pipeline.errors import SinkError
from pipeline.outputs.private import private_file


def test_the_file_is_its_owners_alone_and_appears_whole(tmp_path: Path) -> None:
    path, before = tmp_path / "faces.bin", os.umask(0)
    path.write_bytes(b"old")
    path.chmod(0o644)
    try:
        with private_file(path) as file:
            file.write(b"new")
            assert path.read_bytes() == b"old"
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "faces.bin"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), private_file(path) as file:
        file.write("half")  # type: ignore[arg-type]
    with pytest.raises(SinkError, match="disk"), private_file(path):
        raise OSError(28, "the disk is full")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
