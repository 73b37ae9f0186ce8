"""The command line. Bodies live in `pipeline/commands/`; what is heavy is imported inside their functions."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.commands import (
    bench,
    calibrate,
    data,
    demo,
    detector,
    enroll,
    evaluate,
    explain,
    gallery,
    identify,
    models,
    network,
    run,
    tape,
    verify,
)
from siamese import libraries


class _Interruptible(TyperGroup):
    """Ctrl-C ends every command alike, whatever the version of Typer makes of it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="recog",
    cls=_Interruptible,
    help="Recognise the people you enrolled in live and recorded video; strangers stay unknown.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("enroll")(enroll.enroll)
app.command("run")(run.run)
app.command("replay")(tape.replay)
app.command("search")(tape.search)
app.command("explain")(explain.explain)
app.command("verify")(verify.verify)
app.command("identify")(identify.identify)
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(gallery.app, name="gallery")
app.command("bench")(bench.bench)
app.command("train")(network.train)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(network.export)
app.add_typer(data.app, name="data")
app.command("collect")(data.collect)
app.add_typer(detector.app, name="detector")
app.add_typer(models.app, name="models")


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
    if hasattr(sys.stdout, "reconfigure"):  # a file name that is not UTF-8 can be told, if not shown
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if not _is_the_users(error):
            raise
        print(f"recog: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)


def _is_the_users(error: Exception) -> bool:
    # Imported only now: a command that succeeds need not know any of them.
    from gallery.errors import GalleryError
    from pipeline.errors import PipelineError
    from siamese.errors import SiameseError

    return isinstance(error, PipelineError | SiameseError | GalleryError)
