"""What stands behind a gallery's place: a file of SQLite or a server, and what searches it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gallery import database
from gallery.address import is_server
from gallery.errors import GalleryError, MissingError
from gallery.kept import KeptShortlist
from gallery.large import Index, LargeIndex
from gallery.records import Records
from gallery.store import Store


def opened(path: Path, erase: bool = True) -> Records:
    """The gallery at a place.

    Args:
        erase: make up for an erasure that an earlier removal could not do, which may take a while.

    Raises:
        MissingError: there is none.
        GalleryError: it cannot be used.
        sqlite3.Error, OSError: the file cannot be used.
    """
    if is_server(path):
        from gallery.server.store import ServerStore

        return ServerStore(path)
    if path.is_dir():
        raise GalleryError(f"{path} is a folder; name a file with --gallery")
    if not path.exists():
        raise MissingError(f"there is no gallery at {path}")
    return Store(path, erase)


def present(path: Path) -> bool:
    """Whether there is a gallery, of whatever model: a file is there, or a server says so.

    Raises GalleryError where the server cannot be asked.
    """
    if not is_server(path):
        return path.exists()
    try:
        opened(path).close()
    except MissingError:
        return False
    return True


def create(path: Path, fingerprint: str, dimension: int) -> None:
    """Make an empty gallery; one that another process makes meanwhile stays. Raises as `opened`."""
    if is_server(path):
        from gallery.server.store import create as create_on_server

        create_on_server(path, fingerprint, dimension)
    else:
        database.create(path, fingerprint, dimension)


def index(path: Path, made_with: tuple[str, int], store: Callable[[], Records], live: bool) -> Index:
    """What searches the gallery at a place.

    Args:
        made_with: fingerprint and dimension of its embeddings.
        store: what is open now.
        live: of a large gallery on a server, those known lately answer while the server is not heard of.
    """
    if is_server(path):
        from gallery.server.index import ServerIndex
        from gallery.server.store import ServerStore

        def on_server() -> ServerStore:
            now = store()
            assert isinstance(now, ServerStore)
            return now

        return ServerIndex(made_with, on_server, live)
    return LargeIndex(made_with[1], KeptShortlist(path, made_with))
