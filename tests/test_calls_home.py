"""No command speaks to anybody on the network, and none leaves files of other programs in the user's home."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.types import Image
from siamese.lfw.files import split_people

RECOG = "from pipeline.cli import main; main()"
FOREIGN = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*(?:AF_INET|resolve)")
STRACE = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=network"]
LAST_SECONDS = "import sys, time; from pipeline.cli import main\ntry: main()\nfinally: time.sleep(4)"
# The times that a detector takes are of a few calls instead of hundreds.
BRIEFLY = "from functools import partial; from pipeline.detection.evaluation import timing\n"
BRIEFLY += "timing.in_rounds = partial(timing.in_rounds, rounds=1, calls=2)\n"


@pytest.fixture(scope="module")
def portrait() -> Image:
    """Grace Hopper, whose photograph, in the public domain, comes with matplotlib."""
    matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib: install recog[train]")
    path = Path(matplotlib.__file__).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    return np.asarray(cv2.resize(cv2.imread(str(path)), (256, 300)), np.uint8)


class Traced:
    """Runs commands below strace with a home of their own."""

    def __init__(self, folder: Path) -> None:
        self._home, self._trace = folder / "home", folder / "trace"
        self._home.mkdir()

    def recog(self, *arguments: object, linger: bool = False, before: str = "") -> None:
        """Check that a command does its work and speaks to nobody.

        Args:
            linger: it stays a while when it is done, for what a library may send later.
            before: Python to be run first.
        """
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "MPL", "ORT_", "YOLO_"))}
        program = [sys.executable, "-c", before + (LAST_SECONDS if linger else RECOG)]
        done = subprocess.run(
            [*STRACE, "-o", self._trace, *program, *map(str, arguments)],
            env=kept | {"HOME": str(self._home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert [line for line in self._trace.read_text().splitlines() if FOREIGN.search(line)] == []

    def left_behind(self) -> set[str]:
        """Folders that were made in the home, two levels deep."""
        return {
            str(path.relative_to(self._home)) for path in [*self._home.glob("*"), *self._home.glob("*/*")]
        }


@pytest.fixture
def traced(tmp_path: Path) -> Traced:
    if shutil.which("strace") is None:
        pytest.skip("needs strace, which only Linux has: apt-get install strace")
    if subprocess.run([*STRACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace is not allowed to trace here")
    return Traced(tmp_path)


def test_enrolling_running_and_identifying_speak_to_nobody(
    tmp_path: Path, traced: Traced, portrait: Image
) -> None:
    photo, film = tmp_path / "a.jpg", tmp_path / "a.avi"
    cv2.imwrite(str(photo), portrait)
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (256, 300))
    for _ in range(10):
        writer.write(portrait)
    writer.release()
    traced.recog("enroll", "--name", "Grace Hopper", "--images", photo)
    traced.recog("run", "--source", film, "--out", tmp_path / "out.mp4", linger=True)
    traced.recog("identify", photo)
    assert traced.left_behind() == {".local", ".local/share"}


def test_training_speaks_to_nobody(tmp_path: Path, traced: Traced, portrait: Image) -> None:
    pytest.importorskip("torch", reason="needs torch: install recog[train]")
    root = _people(tmp_path / "lfw", portrait)
    small = [
        "--set",
        "model.widths=[8,8,8,8]",
        "--set",
        "model.blocks=[0,1,1,1]",
        "--set",
        "model.embedding=8",
    ]
    quick = ["--set", "train.batch=8", "--set", "train.threads=1", "--epochs", "1", "--device", "cpu"]
    traced.recog("train", "--root", root, "--out", tmp_path / "run", *small, *quick, linger=True)
    assert traced.left_behind() <= {".cache", ".cache/recog"}


def test_evaluating_a_detector_speaks_to_nobody(tmp_path: Path, traced: Traced, portrait: Image) -> None:
    images = tmp_path / "wild" / "images"
    images.mkdir(parents=True)
    rows = ["image,width,height,x1,y1,x2,y2,kind"]
    for number in (5, 10):
        cv2.imwrite(str(images / f"{number:05}.jpg"), portrait)
        rows.append(f"{number:05}.jpg,256,300,80,40,170,160,bare")
    (tmp_path / "wild" / "boxes.csv").write_text("\n".join(rows) + "\n")
    out = ["--out", tmp_path / "out", "--size", 320]
    traced.recog("detector", "evaluate", "--wild", tmp_path / "wild", *out, linger=True, before=BRIEFLY)
    assert traced.left_behind() <= {".cache", ".cache/recog"}


def _people(root: Path, portrait: Image) -> Path:
    """An LFW of twelve people to learn from and three to choose by, who all look like one."""
    every = [f"Person_{i:03d}" for i in range(200)]
    fit, validation = split_people(every)
    held_out, shades = fit[10:12], np.random.default_rng(0)
    people = [*fit[:10], *validation[:3], *held_out]
    for name in people:
        folder = root / "lfw-deepfunneled" / name
        folder.mkdir(parents=True)
        for number in (1, 2, 3):
            tint = portrait * shades.uniform(0.6, 1.0, 3)
            picture = cv2.resize(tint.astype(np.uint8)[20:220, 30:230], (250, 250))
            cv2.imwrite(str(folder / f"{name}_{number:04d}.jpg"), picture)
    halves = [name for name in people if name not in held_out], held_out
    folds = [line for half in halves for line in (str(len(half)), *(f"{name}\t3" for name in half))]
    (root / "people.txt").write_text("\n".join(["2", *folds]) + "\n")
    for part, chosen in zip(("Train", "Test"), halves, strict=True):
        lines = [str(len(chosen)), *(f"{name}\t3" for name in chosen)]
        (root / f"peopleDev{part}.txt").write_text("\n".join(lines) + "\n")
    return root
