"""Where outputs may go: never over what the user gave, and over an earlier output only where that is meant.

Every command asks `check_outputs`, the same function, before it begins to work.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import unquote

from pipeline.errors import SinkError
from pipeline.outputs.file import check_place
from pipeline.paths import expanded


class Use(Enum):
    """What a command does with a file or folder that it is given."""

    READ = "read"
    NEW = "written anew"  # needs --overwrite where there is one
    GROWS = "appended to"  # such as events and tapes, which check that the file is of their kind
    FOLDER = "receives files"
    CHECKED = "checked by the command itself"  # with `check_outputs`, as it knows more of it


@dataclass(frozen=True, slots=True)
class Leaves:
    """Beside `Use.FOLDER`: the files that a command leaves there in the place of earlier ones."""

    names: tuple[
        str, ...
    ]  # patterns, as `Path.glob` takes them; none: what is there stays or is gone on with


@dataclass(frozen=True, slots=True)
class Output:
    """A place that a command writes to."""

    path: Path
    use: Use = Use.NEW
    leaves: tuple[str, ...] = ()  # patterns of the files that a command leaves in a folder


def check_outputs(outputs: Sequence[Output], inputs: Iterable[str | Path], overwrite: bool = False) -> None:
    """Refuse, before any work, outputs that would spoil an input, each other, or an earlier file.

    Args:
        inputs: files and folders that are read, also as `--source` takes them; cameras and addresses are
            passed over.
        overwrite: files that are there already may be replaced; an input never is.

    Raises:
        SinkError: in one line, what is wrong and what would do.
    """
    read = [path for each in inputs for path in paths_of(each)]
    taken: dict[str, Path] = {}
    for output in outputs:
        path = expanded(output.path)
        _check_against(path, output.use, read)
        if output.use is not Use.FOLDER:
            other = taken.setdefault(_key(path), path)
            if other is not path:
                raise SinkError(f"{path}: two outputs would go there; choose another file for one of them")
        if output.use is Use.FOLDER:
            check_folder(path)
            if not overwrite and (earlier := _earlier(path, output.leaves)):
                raise SinkError(
                    f"{earlier} exists; choose another folder, or replace what is there with --overwrite"
                )
        if output.use is Use.NEW:
            check_place(path)
            if not overwrite and path.exists():
                raise SinkError(f"{path} exists; choose another name, or replace it with --overwrite")


def _earlier(folder: Path, names: Iterable[str]) -> Path | None:
    """The first file in a folder that would be replaced."""
    try:
        found = (path for name in names for path in sorted(folder.glob(name)) if path.is_file())
        return next(found, None)
    except OSError:
        return None  # what cannot be listed is refused elsewhere


def check_folder(folder: Path) -> None:
    """Refuse, before any work, a folder that files could not be put into; nothing is made yet.

    Raises:
        SinkError: it is no folder, cannot be made, or may not be written to.
    """
    try:
        there = folder
        while not os.path.lexists(there) and there != there.parent:
            there = there.parent
        if not there.is_dir():
            raise SinkError(f"{folder}: cannot be written, as {there} is no folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise SinkError(f"{folder}: cannot be written, there is no permission to write in {there}")
    except (OSError, ValueError) as error:  # names too long, or with null characters
        why = getattr(error, "strerror", None) or error
        raise SinkError(f"{folder}: cannot be written ({why})") from error


def output_file(name: str) -> Path:
    """A file that a program is to write, for `argparse`: its folder is made, and it can be written.

    So that what takes minutes to measure is not lost in the end for want of a folder.

    Raises:
        argparse.ArgumentTypeError: it cannot be written.
    """
    from argparse import ArgumentTypeError

    path = expanded(name)
    try:
        check_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        check_place(path)
    except (SinkError, OSError) as error:
        raise ArgumentTypeError(str(error)) from error
    return path


def output_folder(name: str) -> Path:
    """A folder that a program is to write into, for `argparse`: it is made. Raises as `output_file` does."""
    output_file(os.path.join(name, "file"))
    return expanded(name)


def paths_of(spec: str | Path) -> list[Path]:
    """The files or folders that an input may mean; none for a camera, an address or standard input."""
    if isinstance(spec, Path):
        return [path for path in {spec, expanded(spec)} if path.exists()]
    text = spec
    if found := re.match(r"file:(?://(?:localhost(?=/))?)?", spec, re.IGNORECASE):
        text = spec[found.end() :]
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", spec):
        return []
    meant = {Path(spec), Path(text), Path(unquote(text)), expanded(text), expanded(unquote(text))}
    return [path for path in meant if _exists(path)]


def _check_against(path: Path, use: Use, read: Sequence[Path]) -> None:
    for each in read:
        try:
            if path.exists() and path.samefile(each) and (use is not Use.FOLDER or each.is_file()):
                raise SinkError(f"{path} is the input itself; choose another output")
            inside = use is Use.NEW and path.exists() and each.is_dir()
            if inside and path.resolve().is_relative_to(each.resolve()):
                raise SinkError(f"{path} is the input itself, in {each}; choose another output")
        except (OSError, ValueError) as error:
            raise SinkError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


def _key(path: Path) -> str:
    """Equal for two names that some file system takes for one."""
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # names too long, or with null characters
        return False
