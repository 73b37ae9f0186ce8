"""`recog gallery encrypt` and `decrypt`: the gallery at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.commands.options import GalleryFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def encrypt(gallery: GalleryFile = None) -> None:
    """Encrypt the gallery's file where it is; from then on every command needs the key.

    The key is a file that RECOG_KEY_FILE names, or a passphrase that you are asked for. Without it, what is
    in the gallery is lost. Backups made from now on are encrypted, too; older ones, tapes, events and
    pictures are not.
    """
    from gallery import sealed

    path = _there(gallery)
    _change(path, sealed.seal)
    print(f"encrypted: {path}; keep the key where the gallery is not: without it nobody can read it")
    beside = ", ".join(each.name for each in _in_plain(path))
    print(f"not encrypted: tapes, events, snapshots, films{f'; beside it: {beside}' if beside else ''}")


def _in_plain(gallery: Path) -> list[Path]:
    """What is kept of people beside a gallery, and not encrypted with it."""
    from pipeline.authentication.tries import tries_path
    from pipeline.service.store import store_path, tape_path

    kept = (store_path(gallery), tape_path(gallery), tries_path(gallery))
    return [each for each in kept if each.exists()]


def decrypt(gallery: GalleryFile = None) -> None:
    """Write the gallery as a plain file in its place."""
    from gallery import sealed

    path = _there(gallery)
    _change(path, sealed.unseal)
    print(f"decrypted: {path}; readable by its owner only, as every gallery")


def _there(gallery: Path | None) -> Path:
    from gallery import Gallery, GalleryError
    from gallery.address import is_server
    from pipeline.build import gallery_path

    path = gallery_path(gallery)
    if is_server(path):
        raise GalleryError(
            f"the gallery {path} is on a server, and encrypting its disk is that server's business; "
            "the way to it is encrypted by ?sslmode=verify-full"
        )
    with Gallery.open(path, None, None) as opened:  # refuses what is no gallery
        opened.must_write()
    return path.resolve()


def _change(path: Path, change: Callable[[Path], None]) -> None:
    from gallery.database import drop_shortlist
    from gallery.failures import explained

    with explained(path):
        drop_shortlist(path)
        change(path)
