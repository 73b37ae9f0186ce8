"""The shortlist of a large gallery in a file beside it, so that not every process builds it again.

It holds embeddings, so it is readable by its owner only, and it is deleted whenever somebody is erased from
the gallery: it never outlives whom it holds. Where anything is wrong with it, it is built again.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np

from gallery.database import drop_shortlist, shortlist_file
from gallery.errors import GalleryError
from gallery.index import InvertedFile
from gallery.sealed import is_sealed
from gallery.store import Store

_DIGEST = 32  # bytes of the digest at the end of the file, behind what FAISS reads


class KeptShortlist:
    """The shortlist beside one gallery file, for one model. Any thread may use it."""

    def __init__(self, path: Path, made_with: tuple[str, int]) -> None:
        """`path` is of the gallery, `made_with` fingerprint and dimension of its embeddings."""
        self._gallery, self._made_with = path, made_with

    def read(self) -> InvertedFile | None:
        """The kept one, mapped into memory; None where there is none, or a damaged or another model's."""
        path = shortlist_file(self._gallery)
        if is_sealed(self._gallery):  # a shortlist holds embeddings as they are
            return None
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END) - _DIGEST
                if size < 0:
                    return None
                file.seek(size)
                written = file.read()
            return InvertedFile.mapped(path) if written == self._digest(path, size) else None
        except (OSError, ValueError):
            return None

    def write(self, made: InvertedFile) -> None:
        """Keep one, unless somebody in it was removed meanwhile, or the folder or the disk forbids it."""
        if is_sealed(self._gallery):
            return
        path, held = shortlist_file(self._gallery), made.ids()
        temporary: Path | None = None
        try:
            drop_shortlist(self._gallery)  # it was of no use, and what a killed process left never is
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
            os.close(handle)
            temporary = Path(name)
            made.write(temporary)
            with temporary.open("r+b") as file:
                digest = self._digest(temporary, file.seek(0, os.SEEK_END))
                file.write(digest)
                file.flush()
                os.fsync(file.fileno())
            # Put in place while nobody else writes: a removal deletes the file after its own turn, so
            # whoever is removed is either missing from the gallery by now, or still to be deleted here.
            with closing(Store(self._gallery, erase=False)) as store, store.writing():
                if store.made_with() == self._made_with and np.isin(held, store.owners()[0]).all():
                    temporary.replace(path)
        except (OSError, RuntimeError, sqlite3.Error, GalleryError):  # of the disk, FAISS, the gallery
            return  # the next process builds its own
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)

    def _digest(self, path: Path, size: int) -> bytes:
        """Of the first `size` bytes of a file, and of the model."""
        made = hashlib.sha256(repr(self._made_with).encode())
        with path.open("rb") as file:
            while size > 0 and (part := file.read(min(size, 1 << 20))):
                made.update(part)
                size -= len(part)
        return made.digest()
