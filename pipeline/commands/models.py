"""`recog models`: which there are, what they say of themselves, whether they are whole, and fetching more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands import models_adopt
from pipeline.commands.fetching import bring
from pipeline.commands.options import AsJson, Yes

if TYPE_CHECKING:
    from pipeline.models.local import Local

app = typer.Typer(help="List, describe, verify and fetch models.", no_args_is_help=True)

NameOrFile = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A name of `recog models list`, or a file.")
]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """The models that ship with recog, those that were adopted, and those that can be pulled."""
    from pipeline.commands.shared import print_json
    from pipeline.models import local

    rows = [
        *(_row(model, "shipped") for model in local.shipped()),
        *(_row(model, "adopted") for model in local.adopted()),
        *(_row(model, "pulled") for model in local.pullable()),
    ]
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "kind", "size", "licence", "state")
    for row in rows:
        size = f"{row['bytes'] / 1e6:.1f} MB"
        table.add_row(
            *(Text(cell) for cell in (row["name"], row["kind"], size, row["licence"], row["state"]))
        )
    Console().print(table)
    print(f"pulled and adopted models are kept in {local.folder()}")


@app.command("show")
def show(model: NameOrFile, as_json: AsJson = False) -> None:
    """What is written inside a model file: architecture, input, figures, training data, licence."""
    from pipeline.commands.shared import print_json
    from pipeline.models import describe
    from pipeline.models.local import identify, resolve
    from siamese.shipped import sha256

    path = resolve(model)
    header = describe.read(path)
    found = describe.facts(header)
    entry = identify(path)
    if entry is not None:  # most models of others say little or nothing of themselves
        found |= {"kind": entry.kind, "licence": entry.licence, "use": entry.use, "source": entry.urls[0]}
    found = {"file": str(path), "bytes": path.stat().st_size, "sha256": sha256(path)} | found
    if as_json:
        print_json(found)
        return
    for about, said in found.items():
        if isinstance(said, dict):
            print(f"{about}:")
            for key, value in said.items():
                print(f"    {key}: {_text(value)}")
        else:
            print(f"{about}: {_text(said)}")


@app.command("verify")
def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FILE]...", help="Which models; all that are here if empty."),
    ] = None,
) -> None:
    """Compare the checksums of models with those they should have; exit code 1 where one differs."""
    from pipeline.models import local
    from siamese.errors import ModelError
    from siamese.shipped import sha256

    if models:
        chosen = [_local(model) for model in models]
    else:
        pulled = (model for model in local.pullable() if model.path.exists())
        chosen = [*local.shipped(), *local.adopted(), *pulled]
    wrong, unknown = [], []
    for model in chosen:
        complaint = model.complaint()
        if complaint is not None and model.expected is None and model.path.is_file():
            complaint = f"no checksum is known of it; its own is {sha256(model.path)}"
            unknown.append(model.name)
        elif complaint is not None:
            wrong.append(model.name)
        print(f"{model.name}: {complaint or 'OK'}")
    if unknown and not wrong:
        raise ModelError(f"not verified: {', '.join(unknown)}; ask whoever made it for its SHA-256")
    if wrong:
        raise ModelError(
            f"not as they should be: {', '.join(wrong)}; pull them again, or install recog again"
        )


@app.command("pull")
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of `recog models list`.")],
    yes: Yes = False,
) -> None:
    """Download a model, after showing its address, size, licence and checksum and asking.

    Nothing else in recog downloads a model, ever, but `recog models adopt` of a name of the catalogue.
    """
    from pipeline.models import local
    from pipeline.models.catalogue import entry as entry_of
    from pipeline.models.pull import pull as fetch

    if any(model.name == name for model in local.shipped()):
        print(f"{name} ships with recog; there is nothing to pull")
        return
    entry, folder = entry_of(name), local.folder()
    if (folder / entry.file).exists():
        print(f"{fetch(entry, folder)}: already there, verified")
        return
    path = bring(entry, folder, yes)
    print(f"{path}: verified\nuse: {entry.use}")


app.command("adopt")(models_adopt.adopt)


def _row(model: Local, origin: str) -> dict[str, Any]:
    """One line of the list.

    Args:
        origin: how a model that is here came here.
    """
    from pipeline.models import describe
    from siamese.errors import ModelError

    entry, complaint = model.entry, model.complaint()
    here = model.path.exists()
    row: dict[str, Any] = {"name": model.name, "file": str(model.path) if here else None}
    if entry is not None:
        row |= {"kind": entry.kind, "bytes": entry.size, "licence": entry.licence}
    else:
        row |= {"kind": "unknown", "bytes": model.path.stat().st_size, "licence": describe.UNSTATED}
        try:
            header = describe.read(model.path)
            row |= {"kind": describe.kind(header), "licence": describe.licence(header)}
        except ModelError as error:  # told in the line of this model; the others are listed all the same
            complaint = complaint or str(error)
    state = f"{origin}, {complaint or 'verified'}" if here else f"not {origin}"
    return row | {"present": here, "verified": here and complaint is None, "state": state}


def _local(model: str) -> Local:
    """The model of a name, or the file with whatever checksum is known of it.

    Raises:
        ModelError: neither a name nor a file.
    """
    from pipeline.models.local import Local, identify, known, resolve
    from siamese.errors import ModelError
    from siamese.shipped import listed

    found = known(model)
    if found is not None:
        return found
    path = resolve(model)
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    entry = identify(path)
    return Local(model, path, listed(path) or (entry.sha256 if entry else None), entry)


def _text(said: Any) -> str:
    """A fact in one line. What a model began with is said by one step: each has had its own before it."""
    if isinstance(said, dict):
        return ", ".join(f"{key} {_text(value)}" for key, value in said.items() if key != "began with")
    if isinstance(said, list):
        return ", ".join(_text(value) for value in said)
    return str(said)
