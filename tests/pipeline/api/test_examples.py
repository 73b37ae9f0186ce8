"""Every example in docs/api.md is run, in order, in one folder, with shipped models and real photographs."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
EXAMPLES = re.findall(
    r"## ([^\n]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", (ROOT / "docs/api.md").read_text(), re.S
)
PHOTOGRAPHS = ROOT / "pipeline" / "photographs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples read: a portrait, a picture of two people, and a short film of it."""
    made = tmp_path_factory.mktemp("examples")
    hopper, collins = (
        cv2.resize(cv2.imread(str(PHOTOGRAPHS / name)), (400, 480))
        for name in ("grace-hopper.jpg", "eileen-collins.jpg")
    )
    group = np.hstack([cv2.resize(hopper, None, fx=1.1, fy=1.1), cv2.copyMakeBorder(collins, 0, 48, 0, 0, 0)])
    group = np.ascontiguousarray(group[:, : group.shape[1] // 2 * 2])
    cv2.imwrite(str(made / "hopper.jpg"), hopper)
    cv2.imwrite(str(made / "group.jpg"), group)
    film = cv2.VideoWriter(
        str(made / "film.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (group.shape[1], group.shape[0])
    )
    for _ in range(40):
        film.write(group)
    film.release()
    return made


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6
    assert all(len(code.strip().splitlines()) <= 10 for _, code in EXAMPLES)


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_the_example_runs(
    title: str, code: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    exec(compile(code, f"docs/api.md, {title}", "exec"), {})
    out = capsys.readouterr().out
    expected = {
        "Enroll and identify": "Grace Hopper State.NAMED",
        "Arrays": "['Grace Hopper']",
        "Are these the same person?": "same person",
        "Follow a camera, a film, a stream": "read to the end",
        "Keep what was seen, and ask why": "decided again now: Grace Hopper",
        "Let one person in": "False the ",
        "Settings and errors": "missing.jpg",
        "Learn from a stream": "None",
        "Everything else": "rename",
    }
    assert expected[title] in out
