"""`recog serve token`: who else may call the service, also while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import AsJson, GalleryFile

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pipeline.service.access import Access
    from pipeline.service.store import Store

app = typer.Typer(help="Who may call the service: tokens for programs and people.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is called, as `list` shows it.")],
    role: Annotated[str, typer.Option(help="viewer looks, admin also changes.")] = "viewer",
    gallery: GalleryFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a token. It is shown this once, and kept as a digest only."""
    from dataclasses import asdict

    from pipeline.commands.shared import print_json
    from pipeline.errors import ConfigError
    from pipeline.service import audit
    from pipeline.service.access import Role

    if role not in list(Role):
        raise ConfigError(f"--role {role}: there are {' and '.join(Role)}")
    with _opened(gallery) as store:
        made = _access(store).create_token(name, Role(role))
        details = {"token": made.token.id, "role": role}
        audit.record(store, "the command line", "command", "create_token", details)
    if as_json:
        print_json(asdict(made.token) | {"token": made.text})
    else:
        print(made.text)


@app.command("list")
def list_tokens(gallery: GalleryFile = None, as_json: AsJson = False) -> None:
    """Every token that is not revoked; never the tokens themselves."""
    from dataclasses import asdict

    from pipeline.commands.shared import print_json, print_table

    with _opened(gallery) as store:
        tokens = _access(store).tokens()
    if as_json:
        print_json([asdict(token) for token in tokens])
    elif tokens:
        rows = [(each.name, each.role.value, each.made, each.used or "never") for each in tokens]
        print_table(("name", "role", "made", "used"), rows)
    else:
        print("there are no tokens")


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="What it is called.")], gallery: GalleryFile = None
) -> None:
    """Take a token back, with every log-in that was made with it."""
    from pipeline.errors import ConfigError
    from pipeline.service import audit

    with _opened(gallery) as store:
        access = _access(store)
        token = next((each.id for each in access.tokens() if name in (each.name, each.id)), None)
        if token is None or not access.revoke_token(token):
            raise ConfigError(f"there is no token named {name}; see which there are: recog serve token list")
        audit.record(store, "the command line", "command", "revoke_token", {"token": token})
    print(f"{name}: revoked")


def _opened(gallery: Path | None) -> AbstractContextManager[Store]:
    from contextlib import closing

    from pipeline.build import gallery_path
    from pipeline.service.store import Store, store_path

    path = gallery_path(gallery)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return closing(Store(store_path(path), alone=False))


def _access(store: Store) -> Access:
    from pipeline.service.access import Access, Bind

    return Access(store, Bind())
