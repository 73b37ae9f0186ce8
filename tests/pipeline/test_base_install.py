"""What people install who only run and enroll: the wheel and its base dependencies, and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.outputs.demo_film import FOLDER

ROOT = Path(__file__).parents[2]
OFFLINE = (
    "error sending request",
    "failed to fetch",
    "dns error",
    "connection refused",
    "timed out",
    "offline",
)


def uv(*arguments: object) -> str:
    """Run uv; skip where it is missing or cannot reach a package index."""
    program = shutil.which("uv")
    if program is None:
        pytest.skip("uv is not on PATH; with it, this test installs the wheel into a clean environment")
    left_out = {"VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT"}
    clean = {name: value for name, value in os.environ.items() if name not in left_out}
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, env=clean, cwd=ROOT
    )
    if done.returncode and any(sign in done.stderr.lower() for sign in OFFLINE):
        pytest.skip(f"no package index can be reached: {done.stderr.splitlines()[-1].strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_of_training_is_installed_unless_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    base, train = (
        {re.split(r"[^\w-]", each)[0] for each in listed}
        for listed in (
            project["project"]["dependencies"],
            project["project"]["optional-dependencies"]["train"],
        )
    )
    assert not base & train
    assert project["tool"]["uv"]["default-groups"] == []
    # Where one of these is missing, the command line says what to install.
    assert {"sklearn" if each == "scikit-learn" else each for each in train} == cli.TRAINING


@pytest.mark.network
def test_the_wheel_alone_is_small_helps_enrolls_runs_and_shows_the_demo(tmp_path: Path, world: Any) -> None:
    uv("build", "--wheel", "--out-dir", tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    for folder in ("pipeline/weights", "siamese/weights"):
        files = {Path(name).name for name in inside if name.startswith(f"{folder}/")}
        assert "SHA256SUMS" in files
        assert any(name.endswith(".onnx") for name in files)
    assert not [name for name in inside if name.startswith(("tests/", "benchmarks/"))]

    pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"].get("uv", {})
    versions = tmp_path / "constraints.txt"
    versions.write_text("\n".join(pinned.get("constraint-dependencies", [])))
    environment = tmp_path / "environment"
    uv("venv", environment)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    uv("pip", "install", "--python", python, "--constraint", versions, wheel)
    listed = uv("pip", "list", "--python", python, "--format", "freeze").lower()
    installed = {line.partition("==")[0] for line in listed.splitlines()}
    assert "recog" in installed
    assert not installed & {
        "torch",
        "torchvision",
        "ultralytics",
        "matplotlib",
        "scikit-learn",
        "scipy",
        "tensorboard",
    }

    def recog(*arguments: object) -> subprocess.CompletedProcess[str]:
        home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PATH": os.environ["PATH"]}
        command = [str(scripts / "recog"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=home, cwd=tmp_path)

    shown = recog("--help")
    assert shown.returncode == 0, shown.stderr
    assert "enroll" in shown.stdout

    photo = tmp_path / "grace_hopper.jpg"
    shutil.copy(FOLDER / "grace-hopper.jpg", photo)
    # How sure the detector must be is high, so that the test does not hang on what else it might see.
    enrolled = recog("enroll", "--name", "Grace", "--images", photo, "--set", "det.confidence=0.6")
    assert enrolled.returncode == 0, enrolled.stdout + enrolled.stderr
    assert f"{photo}: accepted" in enrolled.stdout

    film, out = world.film(tmp_path / "film.avi", world.RED, count=5), tmp_path / "out.mp4"
    ran = recog("run", "--source", film, "--out", out, "--events", tmp_path / "events.jsonl")
    assert ran.returncode == 0, ran.stderr
    assert "5 frames" in ran.stdout
    assert out.stat().st_size > 0

    shown = recog("demo", "--out", tmp_path / "demo")
    assert shown.returncode == 0, shown.stderr
    told = [json.loads(line) for line in (tmp_path / "demo" / "events.jsonl").read_text().splitlines()]
    assert {each["name"] for each in told if each["event"] == "recognised"} == {"Grace Hopper"}
    assert [each for each in told if each["event"] == "unknown"]

    # What README promises of the first command.
    taken = sum(path.lstat().st_size for path in environment.rglob("*") if not path.is_symlink())
    assert taken < 600_000_000
