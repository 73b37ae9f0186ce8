"""The command line. Bodies live in `pipeline/commands/`, and only that of the command given is imported."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, MutableMapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from siamese import libraries
from siamese.interrupt import unwound

# Each command: its module in `pipeline/commands/`, the function or Typer application in it, and the first
# sentence of its help, which is repeated here because reading it there would mean to import it.
COMMANDS = {
    "demo": (
        "demo",
        "demo",
        "Make a short film, enroll one person, recognise: one is named, the others stay unknown.",
    ),
    "enroll": ("enroll", "enroll", "Enroll people: detect, align, embed, check, store."),
    "run": ("run", "run", "Recognise the enrolled people in a video; everybody else stays unknown."),
    "archive": (
        "archive",
        "archive",
        "Make a tape and events of every film below a folder, on all processors or on a Ray cluster.",
    ),
    "fleet": ("fleet", "app", "Watch cameras on many machines, with Ray."),
    "serve": ("serve", "app", "Watch cameras and films in a browser, name people, correct, over HTTP."),
    "replay": (
        "tape",
        "replay",
        "Decide again who was seen, with other settings or another gallery; no video is needed.",
    ),
    "search": (
        "tape",
        "search",
        "Was this person here before? The tracks of a tape, nearest first, with calibrated scores.",
    ),
    "explain": (
        "explain",
        "explain",
        "Show why somebody was or was not recognised: looks, nearest people, scores, threshold.",
    ),
    "verify": (
        "verify",
        "verify",
        "Compare two photos, or a photo with somebody enrolled: the same person or not, "
        "and how sure that is.",
    ),
    "auth": (
        "auth",
        "app",
        "Let one person in by the face: a live head that answers a random challenge, and is that person in "
        "every frame.",
    ),
    "identify": (
        "identify",
        "identify",
        'Say who is in a photo: for each face, from the left, the likeliest people enrolled, and "unknown".',
    ),
    "calibrate": ("calibrate", "app", "Set the gallery's threshold, with a guarantee."),
    "forget": (
        "forget",
        "forget",
        "Erase a person from gallery, tapes, events, snapshots and the service, for good, with a receipt.",
    ),
    "gallery": ("gallery", "app", "See, correct and look after who is enrolled."),
    "bench": (
        "bench",
        "bench",
        "Measure a run: frames a second, time by stage, dropped frames, delay, memory.",
    ),
    "doctor": (
        "doctor",
        "doctor",
        "Check models, devices, gallery, cameras, codecs, clock and disk; exit code 1 if one is to mend.",
    ),
    "train": (
        "network",
        "train",
        "Fit the Siamese network on LFW. Ctrl-C saves; --resume goes on exactly.",
    ),
    "evaluate": (
        "evaluate",
        "evaluate",
        "Accuracy, ROC, one-shot and open-set identification, on people whom the model has not seen.",
    ),
    "export": (
        "network",
        "export",
        "Write a trained network as one ONNX file, calibrated on people it did not learn from.",
    ),
    "data": ("data", "app", "Bring and prepare the data that the network is trained on."),
    "collect": (
        "data",
        "collect",
        "Gather your own anchors and positives: a saves an anchor, p a positive, q ends.",
    ),
    "detector": ("detector", "app", "Train, evaluate and export the face detector."),
    "models": ("models", "app", "List, describe, verify and fetch models."),
}
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})  # no room behind standard output
SIGPIPE = 13  # by which the shell names what ends so; not every system has the signal
# What the extras bring and the base install lacks.
TRAINING = frozenset(
    {"matplotlib", "onnx", "scipy", "sklearn", "tensorboard", "torch", "torchvision", "ultralytics"}
)
SERVING = frozenset(
    {
        "anyio",
        "fastapi",
        "multipart",
        "prometheus_client",
        "python_multipart",
        "starlette",
        "uvicorn",
        "websockets",
    }
)


EXTRAS = {  # what brings them, and what for
    **dict.fromkeys(TRAINING, ("training", "train")),
    **dict.fromkeys(SERVING, ("the service", "serve")),
    "paho": ("MQTT", "mqtt"),
    "ray": ("Ray", "ray"),
}


class _Commands(MutableMapping[str, Any]):
    """The commands by name, each imported when it is first asked for."""

    def __init__(self) -> None:
        self._set: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self._set[name] if name in self._set else _command(name)

    def __setitem__(self, name: str, command: Any) -> None:
        self._set[name] = command

    def __delitem__(self, name: str) -> None:
        del self._set[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


@cache
def _command(name: str) -> Any:
    """One of the commands. Made once a process: whoever calls `main` often would wait for it each time."""
    from pipeline.commands.guard import guarded

    module, attribute, _ = COMMANDS[name]
    body = getattr(import_module(f"pipeline.commands.{module}"), attribute)
    around = typer.Typer(rich_markup_mode=None)
    if isinstance(body, typer.Typer):
        around.add_typer(body, name=name, cls=_Group)
    else:
        around.command(name)(body)
    return guarded(typer.main.get_group(around).commands[name])


class _Group(TyperGroup):
    """Shows the first paragraph of each command whole, where Typer would cut it short."""

    def summaries(self) -> list[tuple[str, str]]:
        return [
            (name, " ".join((command.help or "").split("\n\n")[0].split()))
            for name, command in self.commands.items()
        ]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        if rows := self.summaries():
            with formatter.section("Commands"):
                formatter.write_dl(rows)


class _Recog(_Group):
    """Lists its commands without importing them; Ctrl-C ends each alike, whatever Typer makes of it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()

    def summaries(self) -> list[tuple[str, str]]:
        return [(name, summary) for name, (_, _, summary) in COMMANDS.items()]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None


# Help in plain text: drawing it with Rich takes longer than everything else together, and shows less of it.
app = typer.Typer(
    name="recog",
    cls=_Recog,
    help="Recognise the people you enrolled in live and recorded video; strangers stay unknown.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"recog {version('recog')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; what the user caused ends in one line and exit code 1, a bug in its traceback."""
    libraries.restrain()  # also of what other libraries and programs started by us import
    if sys.stdout is None:  # closed by whoever started us: what is printed goes nowhere
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (until the end)
    if hasattr(sys.stdout, "reconfigure"):  # a file name that is not UTF-8 can be told, if not shown
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            with unwound():
                app(prog_name="recog")
        finally:
            sys.stdout.flush()  # now, while what goes wrong with it can still be told
    except BrokenPipeError:
        _nothing_more()  # `recog ... | head`: whoever read has seen enough
        sys.exit(128 + SIGPIPE)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        what, extra = EXTRAS[package]
        print(
            f"recog: this needs {package}, which comes with {what}: in a checkout uv sync --inexact "
            f"--extra {extra}, elsewhere pip install 'recog[{extra}]'",
            file=sys.stderr,
        )
        sys.exit(1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
            _nothing_more()
            print(f"recog: cannot write to standard output: {error.strerror}", file=sys.stderr)
            sys.exit(1)
        if not _is_the_users(error):
            raise
        print(f"recog: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)


def _nothing_more() -> None:
    """Let the interpreter end without another try to write to standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_the_users(error: Exception) -> bool:
    # Imported only now: a command that succeeds need not know any of them.
    from gallery.errors import GalleryError
    from pipeline.errors import PipelineError
    from siamese.errors import SiameseError

    return isinstance(error, PipelineError | SiameseError | GalleryError)
