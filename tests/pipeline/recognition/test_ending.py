"""How a run ends that is told to, or killed: what it leaves behind, and its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline import build
from tests.pipeline.videos import about


@pytest.fixture
def gallery(tmp_path: Path, embedder: Any) -> Path:
    """With nobody."""
    path = tmp_path / "gallery.db"
    build.gallery(path, embedder, create=True).close()
    return path


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A film that is longer than anyone waits."""
    film = tmp_path_factory.mktemp("long") / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    picture = np.full((48, 64, 3), 120, np.uint8)
    for _ in range(20_000):
        writer.write(picture)
    writer.release()
    yield film
    film.unlink()  # some megabytes


@pytest.fixture
def long_run(tmp_path: Path, long_film: Path) -> Iterator[subprocess.Popen[str]]:
    """A run over it which has begun to write `out.mp4`."""
    out = tmp_path / "out.mp4"
    command = [sys.executable, "-c", "from pipeline.cli import main; main()"]
    options = ["--source", str(long_film), "--out", str(out), "--delay", "0", "--json"]
    options += ["--set", "det.size=64", "--set", "det.every=50", "--events", str(tmp_path / "e.jsonl")]
    with subprocess.Popen(
        [*command, "run", *options],
        env=os.environ | {"HOME": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        try:
            deadline = time.monotonic() + 300
            while not any(path.stat().st_size > 2500 for path in tmp_path.glob(".out-*.part.mp4")):
                assert child.poll() is None, child.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_a_film_that_plays_and_the_exit_code_that_is_its_own(
    tmp_path: Path, long_run: subprocess.Popen[str], number: int, code: int
) -> None:
    long_run.send_signal(number)
    stdout, stderr = long_run.communicate(timeout=60)
    assert (long_run.returncode, stderr) == (code, "")
    written = json.loads(stdout)["frames"]
    assert 0 < written < 20_000
    assert about(tmp_path / "out.mp4")[0] == pytest.approx(written, abs=1)
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")  # the index is in front again
    assert b"moof" not in data
    assert not list(tmp_path.glob(".out-*"))


def test_a_killed_run_leaves_a_film_that_plays_and_the_next_run_names_it(
    tmp_path: Path, long_run: subprocess.Popen[str], world: Any, detector: Any, gallery: Path, recog: Any
) -> None:
    photo, out = world.picture(tmp_path / "a.png", world.RED), tmp_path / "out.jpg"
    ended = recog("run", "--source", photo, "--gallery", gallery, "--out", out)
    assert (ended.code, ended.err) == (0, "")  # it is still being written
    long_run.kill()
    long_run.wait()
    (part,) = tmp_path.glob(".out-*.part.mp4")
    frames, fps, size = about(part)
    assert frames >= 25
    assert (fps, size) == (pytest.approx(25, abs=0.1), (64, 48))
    ended = recog("run", "--source", photo, "--gallery", gallery, "--out", out, "--overwrite")
    assert ended.code == 0
    assert ended.err.startswith(
        f"{part} was left behind by a run that was killed: it plays as far as it goes"
    )
