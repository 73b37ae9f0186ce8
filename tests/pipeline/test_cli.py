"""The command line itself: help, versions, exit codes, and what it must not import."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from pipeline import cli

HEAVY = {"cv2", "faiss", "numpy", "onnxruntime", "pydantic", "scipy", "torch", "ultralytics"}


def commands(command: Any, *path: str) -> Iterator[list[str]]:
    """The words of the program itself, every group and every command."""
    yield list(path)
    for name, inside in getattr(command, "commands", {}).items():
        yield from commands(inside, *path, name)


ALL = list(commands(typer.main.get_command(cli.app)))


@pytest.mark.parametrize("words", ALL, ids=["-".join(["recog", *words]) for words in ALL])
def test_every_command_has_help(recog: Any, words: list[str]) -> None:
    ended = recog(*words, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert f"Usage: recog {' '.join(words)}".strip() in ended.out
    assert recog(*words, "-h") == ended


def test_it_tells_its_version(recog: Any) -> None:
    ended = recog("--version")
    assert (ended.code, ended.out) == (0, f"recog {importlib.metadata.version('recog')}\n")


@pytest.mark.parametrize(
    "words",
    [
        ["walk"],
        ["--colour"],
        ["run"],
        ["run", "--source"],
        ["run", "--source", "0", "--fast"],
        ["enroll", "--images", "a.jpg"],
        ["enroll", "--name", "Alice"],
        ["gallery", "remove"],
        ["gallery", "burn"],
        ["collect", "--limit", "0"],
        ["collect", "--every", "soon"],
        ["train", "--epochs", "0"],
        ["detector", "export"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2_and_nothing_on_stdout(recog: Any, words: list[str]) -> None:
    ended = recog(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "Error" in ended.err


def imported_by(*words: str) -> set[str]:
    """The modules that a command line has imported when it ends."""
    script = f"""if True:
        import sys
        from pipeline import cli
        sys.argv = ["recog", *{words!r}]
        try:
            cli.main()
        except SystemExit as ended:
            assert ended.code == 0
        print("imported:", *sorted(sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("imported:")[2].split())


def test_the_list_of_commands_imports_none_of_them() -> None:
    imported = imported_by("--help")
    ours = {name for name in imported if name.partition(".")[0] in {"pipeline", "siamese", "gallery"}}
    assert ours == {"pipeline", "pipeline.cli", "siamese", "siamese.interrupt", "siamese.libraries"}
    assert not imported & {*HEAVY, "rich"}


def test_a_commands_help_imports_it_alone_and_nothing_heavy() -> None:
    imported = imported_by("run", "--help")
    others = {f"pipeline.commands.{module}" for module, *_ in cli.COMMANDS.values()}
    assert imported & others == {"pipeline.commands.run"}
    assert not imported & {*HEAVY, "rich"} - {"pydantic"}  # with which Typer reads its own options


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_list_of_commands_says_what_their_help_begins_with(name: str) -> None:
    command = typer.main.get_command(cli.app).commands[name]  # type: ignore[attr-defined]
    assert cli.COMMANDS[name][2] == " ".join(command.help.split("\n\n")[0].split())


@pytest.mark.parametrize("words", [(), ("detector",)], ids=["recog", "recog-detector"])
def test_what_a_command_does_is_listed_whole(recog: Any, words: tuple[str, ...]) -> None:
    shown = recog(*words, "--help").out
    assert "..." not in shown.partition("Commands:")[2]
    group = typer.main.get_command(cli.app)
    for word in words:
        group = group.commands[word]  # type: ignore[attr-defined]
    for name in group.commands:  # type: ignore[attr-defined]
        assert f"\n  {name} " in shown


def test_without_what_training_brings_it_says_in_one_line_what_to_install(tmp_path: Path) -> None:
    # A process of its own: in this one, another test may have imported torch's users already.
    script = f"""if True:
        import sys
        sys.modules["torch"] = None
        sys.argv = ["recog", "export", "--checkpoint", {str(tmp_path / "best.pt")!r}]
        from pipeline import cli
        cli.main()
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("recog: ")
    assert "torch" in done.stderr
    assert "uv sync --inexact --extra train" in done.stderr


def test_a_module_of_ours_that_is_missing_is_a_bug(recog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pipeline.config", None)
    monkeypatch.setattr(sys, "argv", ["recog", "run", "--source", "0"])
    with pytest.raises(ModuleNotFoundError):
        cli.main()


def test_control_c_anywhere_is_exit_code_130_and_no_traceback(
    recog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.config.load", interrupted)
    ended = recog("run", "--source", "0")
    assert (ended.code, ended.out, ended.err) == (130, "", "interrupted\n")


def test_a_bug_is_not_disguised_as_the_users_mistake(recog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pipeline.config.load", broken)
    monkeypatch.setattr(sys, "argv", ["recog", "run", "--source", "0"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_the_gallery_is_listed_and_pruned(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    for name, colour in (("Åsa [bold] :x:", world.RED), ("Bo", world.GREEN)):
        photo = world.picture(tmp_path / "photo.png", colour)
        assert recog("enroll", "--name", name, "--images", photo).code == 0
    ended = recog("gallery", "list", "--json")
    listed = json.loads(ended.out)
    assert [(each["name"], each["photos"]) for each in listed] == [("Bo", 1), ("Åsa [bold] :x:", 1)]
    shown = recog("gallery", "list")
    assert (shown.code, shown.err) == (0, "")
    assert "Åsa [bold] :x:" in shown.out
    told = json.loads(recog("gallery", "remove", "Bo", "--json").out)
    assert (told["name"], told["photos"], told["erased"]) == ("Bo", 1, True)
    ended = recog("gallery", "remove", "Åsa")
    assert ended.code == 1
    assert "did you mean Åsa [bold] :x:?" in ended.err
    assert "removed with 1 photo" in recog("gallery", "remove", "Åsa [bold] :x:").out
    assert recog("gallery", "list").out == "nobody is enrolled\n"
    assert json.loads(recog("gallery", "list", "--json").out) == []


def test_pictures_are_collected_from_a_film_without_a_screen(tmp_path: Path, world: Any, recog: Any) -> None:
    film = world.film(tmp_path / "film.avi", world.RED, count=40, fps=20)
    arguments = ["collect", "--source", film, "--every", "0.5", "--no-show", "--out", tmp_path / "data"]
    ended = recog(*arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {"anchor": 2, "positive": 2}
    assert len(list((tmp_path / "data" / "anchor").glob("*.jpg"))) == 2
    ended = recog(*arguments, "--limit", "1")
    assert "1 anchors and 1 positives saved" in ended.out


def test_collecting_without_a_screen_says_how_to(tmp_path: Path, world: Any, recog: Any) -> None:
    film = world.film(tmp_path / "film.avi", world.RED)
    for option in ([], ["--no-show"]):
        ended = recog("collect", "--source", film, "--out", tmp_path / "data", *option)
        assert ended.code == 1
        assert ended.err.startswith("recog: ")
        assert "every" in ended.err
        assert ended.err.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_no_room_behind_standard_output_is_one_line() -> None:
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "models", "list"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot write to standard output: No space left" in done.stderr


def test_a_pipe_whose_reader_has_gone_ends_without_a_word() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "models", "list"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode in (1, 141)
    assert done.stderr == ""


def test_what_the_service_imports_beyond_the_base_install_is_known_to_come_with_its_extra() -> None:
    root = Path(__file__).parents[2]
    base = {
        re.split(r"[^\w-]", each)[0].lower().replace("_", "-")
        for each in tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    brought = {
        package
        for package, names in importlib.metadata.packages_distributions().items()
        if {name.lower().replace("_", "-") for name in names} & base
    }
    imported = set[str]()
    for path in (root / "pipeline" / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.partition(".")[0])
    ours = {"pipeline", "gallery", "siamese"}
    assert imported - set(sys.stdlib_module_names) - ours - brought <= cli.SERVING
