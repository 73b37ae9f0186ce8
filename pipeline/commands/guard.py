"""Every command checks where it will write before it begins to work, and takes no empty name.

What a parameter is used for stands beside it in its annotation:
`Annotated[Path | None, typer.Option(...), Use.NEW]`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pipeline.outputs.places import Leaves, Output, Use, check_outputs
from pipeline.paths import expanded


def guarded(command: Any) -> Any:
    """A Typer command or group whose every callback checks its outputs first; it is changed in place."""
    for each in getattr(command, "commands", {}).values():
        guarded(each)
    if command.callback is not None:
        marked = places(command.callback)
        for each in command.params:
            if each.name in marked:
                each.process_value = _never_empty(each)
        command.callback = _checking(command.callback)
    return command


@dataclass(frozen=True, slots=True)
class Place:
    """A parameter of a command that is a file, a folder, or a source."""

    use: Use
    is_path: bool  # else text, such as what --source takes
    leaves: tuple[str, ...] | None = None  # for a folder, what is replaced in it; None: it is not said


def places(callback: Callable[..., Any]) -> dict[str, Place]:
    """The parameters of a command that are marked with their use."""
    found = {}
    for name, hint in get_type_hints(callback, include_extras=True).items():
        marks = [each for each in get_args(hint) if isinstance(each, Use)]
        if get_origin(hint) is Annotated and marks:
            left = [each.names for each in get_args(hint) if isinstance(each, Leaves)]
            found[name] = Place(marks[0], holds_paths(hint), left[0] if left else None)
    return found


def holds_paths(hint: Any) -> bool:
    """Whether a parameter of this type is given paths: `Path`, `Path | None`, `list[Path]`, ..."""
    return hint is Path or any(holds_paths(each) for each in get_args(hint))


def _never_empty(parameter: Any) -> Callable[[Any, Any], Any]:
    """How a parameter takes its value: not an empty one, which as a path is the current folder."""
    process = parameter.process_value

    def refuse_empty(context: Any, value: Any) -> Any:
        if _holds_empty(value):
            import typer

            raise typer.BadParameter(
                "the name is empty; check the variable of the shell that it comes from", context, parameter
            )
        return process(context, value)

    return refuse_empty


def _holds_empty(value: Any) -> bool:
    several = isinstance(value, list | tuple)
    return any(_holds_empty(each) for each in value) if several else isinstance(value, str) and not value


def _checking(callback: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(callback)
    def check_and_call(**values: Any) -> Any:
        inputs: list[str | Path] = []
        outputs: list[Output] = []
        for name, place in places(callback).items():
            given = values.get(name)
            several = isinstance(given, list | tuple)
            each = [] if given is None else list(given) if several else [given]
            if place.is_path:  # Typer makes paths of them only after this
                each = [expanded(one) for one in each]
                values[name] = given if given is None else each if several else each[0]
            if place.use is Use.READ:
                inputs += each
            elif place.use is not Use.CHECKED:
                outputs += [Output(one, place.use, place.leaves or ()) for one in each]
        # What goes on with an earlier run writes over it because that is asked for.
        check_outputs(outputs, inputs, bool(values.get("overwrite") or values.get("resume")))
        return callback(**values)

    return check_and_call
