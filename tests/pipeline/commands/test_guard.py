"""No command writes over what it was given, and none can forget to check: their declarations are walked."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import typer
from typer.main import get_command

from gallery import Gallery
from gallery.types import NewTemplate
from pipeline import build
from pipeline.cli import app
from pipeline.commands.guard import guarded, holds_paths, places
from pipeline.outputs.places import Use


def commands() -> dict[str, Any]:
    """Every command of the command line by its name, groups that do something of themselves included."""
    found: dict[str, Any] = {}

    def walk(command: Any, name: str) -> None:
        if command.callback is not None and name:
            found[name] = command
        for each, below in getattr(command, "commands", {}).items():
            walk(below, f"{name} {each}".strip())

    walk(get_command(app), "")
    return found


COMMANDS = commands()
WRITING = {
    name: {each for each, place in places(command.callback).items() if place.use is Use.NEW}
    for name, command in COMMANDS.items()
}
WRITING = {name: outputs for name, outputs in WRITING.items() if outputs}


def hints(command: Any) -> dict[str, Any]:
    from typing import get_type_hints

    return get_type_hints(command.callback, include_extras=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_file_or_folder_says_what_it_is_used_for(name: str) -> None:
    marked = places(COMMANDS[name].callback)
    unmarked = [
        each for each, hint in hints(COMMANDS[name]).items() if holds_paths(hint) and each not in marked
    ]
    assert unmarked == [], "mark them: Annotated[Path, typer.Option(...), Use.READ], or as what it writes"


@pytest.mark.parametrize("name", WRITING)
def test_whoever_writes_a_file_has_the_option_to_replace_one(name: str) -> None:
    assert "overwrite" in {each.name for each in COMMANDS[name].params}


FOLDERS = [
    (name, each)
    for name, command in COMMANDS.items()
    for each, place in places(command.callback).items()
    if place.use is Use.FOLDER
]
REPLACING = [
    (name, each, leaf)
    for name, each in FOLDERS
    for leaf in places(COMMANDS[name].callback)[each].leaves or ()
]


@pytest.mark.parametrize(("name", "folder"), FOLDERS)
def test_every_folder_that_receives_files_says_which_of_them_are_replaced(name: str, folder: str) -> None:
    leaves = places(COMMANDS[name].callback)[folder].leaves
    assert leaves is not None, "mark it: Leaves(('figures.json',)), or Leaves(()) where nothing is replaced"
    assert not leaves or "overwrite" in {each.name for each in COMMANDS[name].params}


@pytest.mark.parametrize(("name", "folder", "leaf"), REPLACING)
def test_no_file_in_a_folder_is_replaced_unless_that_is_meant(
    name: str, folder: str, leaf: str, tmp_path: Path, recog: Any
) -> None:
    earlier = tmp_path / leaf.replace("*", "earlier")
    earlier.parent.mkdir(exist_ok=True)
    earlier.write_bytes(b"precious")
    recog(*name.split(), *arguments(COMMANDS[name], {folder: tmp_path})).refused("--overwrite")
    assert earlier.read_bytes() == b"precious"


def test_the_walk_finds_the_folders_that_are_known_to_be_written_to() -> None:
    assert {name for name, *_ in REPLACING} >= {"train", "evaluate", "detector train", "detector evaluate"}


def test_the_walk_finds_the_commands_that_are_known_to_write() -> None:
    assert {"bench", "calibrate", "enroll", "explain", "gallery show", "verify"} <= set(WRITING)
    run = places(COMMANDS["run"].callback)
    assert {each for each, place in run.items() if place.use is Use.CHECKED} >= {"out", "events", "tape"}


def arguments(command: Any, given: dict[str, Path]) -> list[str]:
    """A command line with these values, and something for whatever else has to be there."""
    line: list[str] = []
    for each in command.params:
        value = given.get(each.name)
        if value is None and each.required:
            value = Path("something")
        if value is None:
            continue
        count = max(1, each.nargs)
        line += [] if each.param_type_name == "argument" else [each.opts[0]]
        line += [str(value)] * count
    return line


PLACES = [(name, each) for name, command in COMMANDS.items() for each in places(command.callback)]


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_an_empty_name_is_wrong_usage_and_never_the_current_folder(
    name: str, place: str, recog: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = [each if each != "." else "" for each in arguments(COMMANDS[name], {place: Path()})]
    ended = recog(*name.split(), *line)
    assert (ended.code, "the name is empty" in ended.err) == (2, True), ended.err


PAIRS = [
    (name, output, each)
    for name, outputs in WRITING.items()
    for output, each in itertools.product(
        sorted(outputs), [k for k, place in places(COMMANDS[name].callback).items() if place.use is Use.READ]
    )
]


@pytest.mark.parametrize(("name", "output", "read"), PAIRS)
def test_no_output_replaces_an_input_of_the_same_command(
    name: str, output: str, read: str, tmp_path: Path, recog: Any
) -> None:
    """Written in another way, through a symbolic link, and with --overwrite: refused, and left as it was."""
    precious = tmp_path / "precious.png"
    precious.write_bytes(b"precious")
    (tmp_path / "link.png").symlink_to(precious)
    line = arguments(COMMANDS[name], {output: tmp_path / "link.png", read: precious})
    recog(*name.split(), *line, "--overwrite").refused("is the input itself")
    assert precious.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("name", "output"), [(n, o) for n, outputs in WRITING.items() for o in sorted(outputs)]
)
def test_no_output_replaces_an_earlier_file_unless_that_is_meant(
    name: str, output: str, tmp_path: Path, recog: Any
) -> None:
    earlier = tmp_path / "earlier.png"
    earlier.write_bytes(b"precious")
    recog(*name.split(), *arguments(COMMANDS[name], {output: earlier})).refused("--overwrite")
    assert earlier.read_bytes() == b"precious"


def test_a_new_command_cannot_forget_it() -> None:
    """What it writes is checked before its body is entered."""
    entered: list[Path] = []
    made = typer.Typer()

    @made.command()
    def copy(
        source: Annotated[Path, typer.Argument(), Use.READ], out: Annotated[Path, typer.Argument(), Use.NEW]
    ) -> None:
        entered.append(out)

    from pipeline.errors import SinkError

    with pytest.raises(SinkError, match="is the input itself"):
        guarded(get_command(made))([__file__, __file__], standalone_mode=False)
    assert entered == []


@pytest.fixture
def fakes(detector: object, embedder: object) -> None:
    """Both of them."""


Try = Callable[[Path], list[object]]


@pytest.mark.parametrize(
    "line",
    [
        lambda here: ["run", "--source", f"file://{here}/clip.mp4", "--out", here / "clip.mp4"],
        lambda here: ["run", "--source", here / "clip.mp4", "--out", here / "link.mp4"],
        lambda here: ["run", "--source", here / "clip.mp4", "--out", here / "other.mp4"],
        lambda here: ["run", "--source", here, "--out", here / "clip.mp4", "--overwrite"],
        lambda here: ["run", "-s", here / "clip.mp4", "-s", here / "other.mp4", "--out", here],
        lambda here: [
            "run",
            "-s",
            here / "other.mp4",
            "-o",
            here / "n.mp4",
            "-e",
            here / "n.mp4",
        ],
        lambda here: ["gallery", "export", here / "1.png"],
        lambda here: ["gallery", "backup", here / "1.png"],
        lambda here: ["export", "--checkpoint", here / "1.png", "--out", here / "1.png", "--overwrite"],
        lambda here: ["bench", "-s", here / "clip.mp4", "--report", here / "clip.mp4"],
        lambda here: ["enroll", "--name", "a", here / "1.png", "--sheet", here / "1.png"],
        lambda here: ["verify", here / "1.png", here / "2.png", "--picture", here / "1.png"],
    ],
)
def test_what_people_have_lost_files_by_is_refused_in_one_line(
    line: Try, tmp_path: Path, world: Any, recog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.film(tmp_path / "clip.mp4", world.RED, count=3)
    shutil.copy(tmp_path / "clip.mp4", tmp_path / "other.mp4")
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    for name in ("1.png", "2.png"):
        world.picture(tmp_path / name, world.RED)
    with Gallery.open(build.GALLERY, "colours", 8, create=True) as made:
        made.add("alice", [NewTemplate(np.zeros(8, np.float32), None, 1.0, "a.jpg", "0" * 64, "1" * 16)])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    ended = recog(*line(tmp_path))
    assert (ended.code, ended.err.count("\n")) == (1, 1), ended.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_the_sheet_of_a_person_does_not_replace_a_picture_that_has_their_name(
    tmp_path: Path,
    world: Any,
    recog: Any,
    detector: object,
    embedder: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    photo = world.picture(tmp_path / "alice.png", world.RED)
    before = photo.read_bytes()
    assert recog("enroll", "--name", "alice", photo).code == 0
    recog("gallery", "show", "alice").refused("alice.png exists")
    assert photo.read_bytes() == before
    assert recog("gallery", "show", "alice", "--overwrite").code == 0


def test_a_tilde_is_the_home_folder_and_a_name_that_begins_with_one_is_a_name(
    tmp_path: Path,
    world: Any,
    recog: Any,
    detector: object,
    embedder: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    world.film(tmp_path / "clip.mp4", world.RED, count=3)
    (tmp_path / "clip.mp4").rename(tmp_path / "~backup.mp4")
    assert recog("run", "--source", "~backup.mp4", "--out=~/out.mp4").code == 0
    assert (tmp_path / "out.mp4").is_file()
