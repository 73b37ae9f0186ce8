"""`recog gallery export` and `import`: people in one file, encrypted if you like."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import AsJson, Assignments, ConfigFile, EmbedderFile, GalleryFile, Overwrite
from pipeline.outputs.places import Use
from pipeline.words import counted, counted_people

if TYPE_CHECKING:
    from gallery import Gallery
    from pipeline.config import Settings

VARIABLE = "RECOG_PASSPHRASE"

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help=f"Read the passphrase from the first line; else from {VARIABLE}, else you are asked.",
    ),
    Use.READ,
]


def export(
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; its mode is 0600."), Use.CHECKED
    ],
    overwrite: Overwrite = False,
    name: Annotated[
        list[str] | None, typer.Option("--name", "-n", help="Only this person; may be repeated.")
    ] = None,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt with a passphrase (scrypt, AES-256-GCM).")
    ] = False,
    crops: Annotated[bool, typer.Option("--crops/--no-crops", help="With the kept crops.")] = True,
    passphrase_file: PassphraseFile = None,
    gallery: GalleryFile = None,
) -> None:
    """Write people into one file that `import` reads. docs/gallery.md describes it."""
    from gallery import Gallery
    from gallery.exchange import export_bytes
    from pipeline.build import gallery_path
    from pipeline.errors import SinkError
    from pipeline.outputs.ledger import Ledger
    from pipeline.outputs.places import Output, check_outputs
    from pipeline.outputs.private import private_file

    path = gallery_path(gallery)
    if out.exists() and path.exists() and out.samefile(path):
        raise SinkError(f"{out} is the gallery itself; choose another file")
    check_outputs([Output(out)], [path], overwrite)
    secret = passphrase(passphrase_file, twice=True) if encrypt or passphrase_file else None
    with Gallery.open(path, None, None) as opened:
        content = export_bytes(opened, name, crops, secret)
    with private_file(out) as file:
        file.write(content)
    Ledger(path).note("export", out)
    guarded = "encrypted" if secret is not None else "not encrypted: keep it to yourself"
    print(f"written: {out}, {len(content) / 1e6:.1f} MB, {guarded}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote."), Use.READ],
    passphrase_file: PassphraseFile = None,
    gallery: GalleryFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Take people from an exported file into the gallery; people of one name become one.

    A calibration that the gallery outgrows by it is made again, if the model in use made the gallery.
    """
    from gallery import Gallery, GalleryError
    from gallery.exchange import is_encrypted, read_export
    from gallery.opening import present
    from pipeline.build import gallery_path
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.identity.consent import Consent, write_all

    path, settings = gallery_path(gallery), settings_from(config, assignments, model=model)
    if present(path):
        with Gallery.open(path, None, None) as now:
            now.must_write()  # said before the work
    secret = passphrase(passphrase_file, twice=False) if is_encrypted(file) else None
    found = read_export(file, secret)
    if present(path):
        with Gallery.open(path, None, None) as now:
            if (now.fingerprint, now.dimension) != (found.fingerprint, found.dimension):
                raise GalleryError(
                    f"{file} was made with the model {found.fingerprint}, the gallery {path} with "
                    f"{now.fingerprint}; import it into a new file with --gallery, bring that over with: "
                    "recog gallery migrate, then export and import again"
                )
    with Gallery.open(path, found.fingerprint, found.dimension, create=True) as opened:
        added = opened.add_people(found.people, "import", found.denied)
        if found.consents:
            write_all(opened, {name: Consent(**each) for name, each in found.consents.items()})
        calibrated = _keep_guarantee(opened, settings)
    if as_json:
        print_json(
            {"people": len(found.people), "stored": added.stored, "duplicates": added.duplicates,
             "calibrated": calibrated or None}
        )  # fmt: skip
        return
    again = f"; {added.duplicates} were there already" if added.duplicates else ""
    photos, people = counted(added.stored, "photo"), counted_people(len(found.people))
    print(f"{path}: {photos} of {people} imported{again}")
    if calibrated:
        print(calibrated)


def _keep_guarantee(gallery: Gallery, settings: Settings) -> str:
    """What became of the gallery's calibration, in a line."""
    from pipeline import build
    from pipeline.enrolment.vetting import copy_distance
    from pipeline.identity.calibrate import renew
    from pipeline.identity.guarantee import lapsed

    if not (why := lapsed(gallery)):
        return ""
    embedder = build.embedder(settings)
    if build.fingerprint(embedder) != gallery.fingerprint:
        return why
    return renew(gallery, build.cohort(settings, embedder), copy_distance(embedder.calibration))


def passphrase(file: Path | None, twice: bool) -> str:
    """The passphrase from a file, the environment or the terminal; never from the command line.

    Raises:
        SourceError: the file cannot be read, or there is nobody to ask, or it is empty.
    """
    from pipeline.errors import SourceError

    if file is not None:
        try:
            found = file.read_text().partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{file}: the passphrase cannot be read ({error})") from error
    elif VARIABLE in os.environ:
        found = os.environ[VARIABLE]
    elif sys.stdin.isatty():
        found = str(typer.prompt("passphrase", hide_input=True, confirmation_prompt=twice, err=True))
    else:
        raise SourceError(f"a passphrase is needed: give --passphrase-file, or set {VARIABLE}")
    if not found:
        raise SourceError("the passphrase is empty; choose a long one")
    return found
