"""Files that are whole from the first moment on, or not there at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import DetectorError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` when that is done.

    Raises:
        DetectorError: it cannot be written.
    """
    part = path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise DetectorError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        part.unlink(missing_ok=True)
