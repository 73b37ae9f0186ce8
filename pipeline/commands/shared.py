"""What several commands do alike: settings from options, progress, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

    from pipeline.config import Settings


def left_to_subcommand(context: typer.Context) -> bool:
    """Whether a command that works by itself, too, was called for one of its subcommands, which does it all.

    Raises:
        typer.BadParameter: options stand before the subcommand's name, where it does not see them.
    """
    if context.invoked_subcommand is None:
        return False
    for each in context.command.params:
        source = context.get_parameter_source(each.name or "")
        if source is not None and source.name == "COMMANDLINE":
            import typer

            raise typer.BadParameter(
                f"`{context.invoked_subcommand}` does not see what stands before it; give it after that",
                param_hint=max(each.opts, key=len),
            )
    return True


def settings_from(
    config: Path | None,
    assignments: Sequence[str] | None,
    detector: Path | None = None,
    model: Path | None = None,
) -> Settings:
    """Defaults, file, `--set`, and at last the explicit flags."""
    from pipeline.config import load

    settings = load(config, assignments or ())
    if detector is not None:
        settings = settings.model_copy(update={"det": settings.det.model_copy(update={"model": detector})})
    if model is not None:
        settings = settings.model_copy(update={"emb": settings.emb.model_copy(update={"model": model})})
    return settings


def with_blur(settings: Settings, blur: Sequence[str] | None, style: str | None) -> Settings:
    """The settings with what `--blur` and `--blur-style` say.

    Raises:
        typer.BadParameter: they cannot be.
    """
    import typer

    from pipeline.errors import ConfigError
    from pipeline.identity.covered import rule_of

    try:
        if style is not None and not (blur or settings.blur.who):
            raise typer.BadParameter(
                "it says how faces are covered, and nobody's would be; say whose: --blur all",
                param_hint="--blur-style",
            )
        if blur or style is not None:
            settings = settings.covering(blur or settings.blur.who, style)
        rule_of(settings.blur.who)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    return settings


def with_mqtt(settings: Settings, url: str | None) -> Settings:
    """The settings with the broker that `--mqtt` names."""
    if url is None:
        return settings
    return settings.model_copy(update={"mqtt": settings.mqtt.model_copy(update={"url": url})})


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout, as wide as the terminal; nothing in it is taken for markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")  # a path that is cut short says nothing
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    Console().print(table)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
