"""What a user can get wrong: one line that says what and what to do, exit code 1, and nothing lost."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.types import NewTemplate
from pipeline import build
from pipeline.detection.yolo import DEFAULT as DETECTOR
from siamese.runtime import DEFAULT as MODEL

Case = Callable[[Path, Any], list[object]]


def gallery(folder: Path, embedder: Any) -> Path:
    """A gallery with one person."""
    with build.gallery(folder / "gallery.db", embedder, create=True) as people:
        people.add("Rosa", [NewTemplate(np.zeros(8, np.float32), None, 1.0, "test", "1")])
    return folder / "gallery.db"


def huge_png(path: Path) -> Path:
    """20,000 pixels wide and high, and few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    packed = zlib.compressobj(1)
    rows = b"".join(packed.compress(bytes(2501 * 1000)) for _ in range(20)) + packed.flush()
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def put(path: Path, content: bytes = b"") -> Path:
    path.write_bytes(content)
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    """A file that lost its end."""
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def overwritten(path: Path) -> Path:
    """A file of which only the beginning is what it was."""
    return put(path, path.read_bytes()[:4096] + b"\xa5" * 40_000)


def linked(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path


def folder(path: Path, *files: str) -> Path:
    path.mkdir()
    for file in files:
        (path / file).write_bytes(b"")
    return path


def tampered(model: Path, tmp: Path) -> Path:
    """A copy of shipped weights beside their checksums, with one bit flipped."""
    shutil.copy(model.parent / "SHA256SUMS", tmp)
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    return put(tmp / model.name, bytes(data))


SOURCES: dict[str, tuple[Case, str]] = {
    "a file that does not exist": (lambda t, w: ["--source", t / "no.mp4"], "does not exist"),
    "a path through a file": (lambda t, w: ["--source", put(t / "a") / "b.mp4"], "cannot read"),
    "a link to itself": (lambda t, w: ["--source", linked(t / "a.mp4", t / "a.mp4")], "cannot read"),
    "a text named .mp4": (lambda t, w: ["--source", put(t / "a.mp4", b"hello\n" * 99)], "not a video"),
    "a video of 0 bytes": (lambda t, w: ["--source", put(t / "a.mp4")], "0 bytes"),
    "a picture of 0 bytes": (lambda t, w: ["--source", put(t / "a.jpg")], "0 bytes"),
    "a text named .jpg": (lambda t, w: ["--source", put(t / "a.jpg", b"hello")], "not a picture"),
    "a picture of 20,000 pixels": (lambda t, w: ["--source", huge_png(t / "a.png")], "20000 x 20000"),
    "an mp4 without its index": (
        lambda t, w: ["--source", cut(w.film(t / "a.mp4", w.RED))],
        "not a video or picture that can be read, or it is damaged",
    ),
    "a camera that is not there": (lambda t, w: ["--source", "97"], "camera 97 cannot be opened"),
    "an unknown kind of address": (lambda t, w: ["--source", "gopher://a/b"], "not an address"),
    "a server that is not there": (
        lambda t, w: ["--source", "http://127.0.0.1:9/a.mp4"], "cannot be opened; check the address",
    ),
    "a folder without pictures": (lambda t, w: ["--source", folder(t / "f", "a.txt")], "no pictures"),
    "a folder of broken pictures": (
        lambda t, w: ["--source", folder(t / "f", "a.jpg", "b.png"), "--overwrite"],
        "none of the 2 pictures can be read",
    ),
    "a pipe": (lambda t, w: ["--source", os.devnull], "neither a file nor a folder"),
}  # fmt: skip

OUTPUTS: dict[str, tuple[Case, str]] = {
    "a folder that does not exist": (lambda t, w: ["--out", t / "no" / "a.mp4"], "does not exist"),
    "a folder that is a file": (lambda t, w: ["--out", put(t / "a") / "b.mp4"], "cannot write"),
    "a folder": (lambda t, w: ["--out", folder(t / "a.mp4")], "is a folder"),
    "an unknown suffix": (lambda t, w: ["--out", t / "a.doc"], "cannot write .doc"),
    "a picture for a film": (lambda t, w: ["--out", t / "a.png"], "single picture"),
    "the input": (lambda t, w: ["--out", t / "film.mp4"], "is the input itself"),
    "a link to the input": (
        lambda t, w: ["--out", linked(t / "b.mp4", t / "film.mp4")], "is the input itself",
    ),
    "events without a folder": (lambda t, w: ["--events", t / "no" / "e.jsonl"], "does not exist"),
    "events into a folder": (lambda t, w: ["--events", folder(t / "e")], "cannot write"),
    "events into the input": (lambda t, w: ["--events", t / "film.mp4"], "holds no events"),
    "a window without a screen": (lambda t, w: ["--show"], "no screen"),
}  # fmt: skip
if os.path.isdir("/proc/self"):
    OUTPUTS["a folder nobody can write to"] = (lambda t, w: ["--out", "/proc/a.mp4"], "cannot write")
    OUTPUTS["events nobody can write to"] = (lambda t, w: ["--events", "/proc/e.jsonl"], "cannot write")

SETTINGS: dict[str, tuple[Case, str]] = {
    "an unknown key": (lambda t, w: ["--set", "det.sise=320"], "did you mean det.size?"),
    "an unknown section": (lambda t, w: ["--set", "detect.size=320"], "there is no setting detect"),
    "no value": (lambda t, w: ["--set", "det.size"], "write it as section.key=value"),
    "a word for a number": (lambda t, w: ["--set", "det.size=large"], "det.size"),
    "a number out of range": (lambda t, w: ["--set", "det.confidence=7"], "det.confidence"),
    "no such file": (lambda t, w: ["--config", t / "no.toml"], "cannot be read"),
    "a damaged file": (lambda t, w: ["--config", put(t / "a.toml", b"[det\nsize=")], "not valid TOML"),
    "bytes that are no text": (lambda t, w: ["--config", put(t / "a.toml", b"\xff\xfe")], "not valid TOML"),
    "an unknown key in a file": (
        lambda t, w: ["--config", put(t / "a.toml", b"[det]\nsice = 3")], "did you mean det.size?",
    ),
    "a value for a section": (lambda t, w: ["--config", put(t / "a.toml", b"det = 3")], "det"),
}  # fmt: skip


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a folder but what SQLite keeps beside an open gallery."""
    found = (path for path in root.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm")))
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def refused(ended: Any, words: str) -> None:
    """One line that begins `recog: `, and exit code 1."""
    assert ended.code == 1
    assert ended.err.startswith("recog: ")
    assert ended.err.count("\n") == 1
    assert ended.err.endswith("\n")
    assert words in ended.err
    assert "Traceback" not in ended.out


@pytest.mark.parametrize(("case", "words"), SOURCES.values(), ids=SOURCES)
def test_a_source_that_cannot_be_read(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, case: Case, words: str
) -> None:
    precious = put(tmp_path / "out.mp4", b"precious")
    given = case(tmp_path, world)
    before = contents(tmp_path)
    refused(recog("run", *given, "--out", precious, "--gallery", gallery(tmp_path, embedder)), words)
    after = contents(tmp_path)
    after.pop("gallery.db")
    assert after.pop("gallery.db-written", b"") == b""  # a run holds it while it may write
    assert after == before


@pytest.mark.parametrize(("case", "words"), OUTPUTS.values(), ids=OUTPUTS)
def test_an_output_that_cannot_be_written(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, case: Case, words: str
) -> None:
    film = world.film(tmp_path / "film.mp4", world.RED, count=3)
    given = case(tmp_path, world)
    before = contents(tmp_path)
    refused(recog("run", "--source", film, *given), words)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("case", "words"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_do_not_exist(
    tmp_path: Path, world: Any, recog: Any, case: Case, words: str
) -> None:  # fmt: skip
    film = world.film(tmp_path / "film.mp4", world.RED, count=3)
    refused(recog("run", "--source", film, *case(tmp_path, world)), words)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda t: t / "no.db", "there is no gallery at"),
        (lambda t: folder(t / "folder"), "is a folder"),
        (lambda t: put(t / "a.db", b"no database at all" * 100), "is not a gallery"),
        (lambda t: put(t / "a.db"), "a.db"),
        (lambda t: cut(t / "gallery.db", 0.5), "damaged"),
        (lambda t: overwritten(t / "gallery.db"), "damaged"),
    ],
    ids=["missing", "a folder", "a text", "empty", "cut short", "overwritten"],
)
@pytest.mark.parametrize("command", ["run", "enroll", "gallery"])
def test_a_gallery_that_cannot_be_used(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any,
    make: Callable[[Path], Path], words: str, command: str,
) -> None:  # fmt: skip
    gallery(tmp_path, embedder)
    photo = world.picture(tmp_path / "a.png", world.RED)
    path = make(tmp_path)
    arguments = {
        "run": ["run", "--source", photo],
        "enroll": ["enroll", "--name", "Greta", "--images", photo],
        "gallery": ["gallery", "list"],
    }
    before = contents(tmp_path)
    ended = recog(*arguments[command], "--gallery", path)
    if command == "enroll" and words.startswith("there is no gallery"):
        assert ended.code == 0  # that makes one
        return
    refused(ended, words)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", ["run", "enroll"])
def test_a_gallery_of_another_model(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, command: str
) -> None:
    path = gallery(tmp_path, embedder)
    before = path.read_bytes()
    embedder.digest = "2" * 64
    photo = world.picture(tmp_path / "a.png", world.RED)
    arguments = {"run": ["run", "--source", photo], "enroll": ["enroll", "-n", "Greta", "-i", photo]}
    refused(recog(*arguments[command], "--gallery", path), "was made with the model colours 1111")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "name",
    ["a/b", "a\\b", "..", "../../etc/passwd", "a\nb", "a\tb", "\x1b[31mred", "a\u202eb", " ", "x" * 81],
)
def test_a_name_that_nobody_can_have(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, name: str
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    refused(recog("enroll", "--name", name, "--images", photo), "a name ")
    assert detector.frames == 0
    assert list(tmp_path.iterdir()) == [photo]
    path = gallery(tmp_path, embedder)
    refused(recog("gallery", "remove", name, "--gallery", path), "a name ")


@pytest.mark.parametrize(
    ("option", "make", "words"),
    [
        ("--model", lambda t: tampered(MODEL, t), "wrong checksum"),
        ("--detector", lambda t: tampered(DETECTOR, t), "wrong checksum"),
        ("--model", lambda t: t / "no.onnx", "no such model file"),
        ("--detector", lambda t: t / "no.onnx", "no such model file"),
        ("--model", lambda t: put(t / "a.onnx", b"nonsense"), "not an ONNX model"),
        ("--detector", lambda t: put(t / "a.onnx", b"nonsense"), "not an ONNX model"),
        ("--detector", lambda t: MODEL, "not a YOLO model"),
        ("--model", lambda t: DETECTOR, "not an embedder"),
    ],
)
def test_weights_that_cannot_be_used(
    tmp_path: Path, world: Any, recog: Any, option: str, make: Callable[[Path], Path], words: str
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    model = make(tmp_path)
    refused(recog("run", "--source", photo, option, model, "--out", tmp_path / "out.png"), words)
    refused(recog("enroll", "--name", "Rosa", "--images", photo, option, model), words)
    assert not (tmp_path / "out.png").exists()
    assert not build.GALLERY.exists()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (lambda t, w: t / "no.jpg", "the only photo"),
        (lambda t, w: folder(t / "f"), "no photographs in this folder"),
        (lambda t, w: folder(t / "f", "a.jpg", "b.jpg"), "none of the 2 photos"),
        (lambda t, w: huge_png(t / "a.png"), "the only photo"),
        (lambda t, w: w.picture(t / "a.png"), "the only photo"),
    ],
    ids=["missing", "an empty folder", "broken", "of 20,000 pixels", "without a face"],
)
def test_photos_that_cannot_be_enrolled(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, case: Any, words: str
) -> None:
    photo = case(tmp_path, world)
    before = contents(tmp_path)
    refused(recog("enroll", "--name", "Rosa", "--images", photo), words)
    assert contents(tmp_path) == before


def test_a_gallery_in_a_place_that_cannot_be(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    photo = world.picture(tmp_path / "a.png", world.RED)
    place = put(tmp_path / "file", b"precious") / "gallery.db"
    refused(recog("enroll", "--name", "Rosa", "--images", photo, "--gallery", place), "cannot be used")
    assert (tmp_path / "file").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", ["camera", "film"])
def test_in_a_process_of_its_own_nothing_but_that_line_reaches_stderr(
    tmp_path: Path, world: Any, kind: str
) -> None:
    source = "97" if kind == "camera" else str(cut(world.film(tmp_path / "a.mp4", world.RED)))
    done = subprocess.run(
        [sys.executable, "-c", "from pipeline.cli import main; main()", "run", "--source", source],
        capture_output=True, text=True, check=False, env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("recog: ")
    assert done.stderr.count("\n") == 1
