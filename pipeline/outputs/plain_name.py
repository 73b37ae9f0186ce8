"""Names of files for OpenCV, which ends in a segmentation fault at one that is not UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def plain_name(path: Path) -> Iterator[str]:
    """A name by which OpenCV can open a file that is there; it need not last longer than opening takes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:  # of a surrogate, as Python writes a byte that is no UTF-8
        with TemporaryDirectory() as folder:
            link = Path(folder) / f"link{path.suffix}"
            link.symlink_to(path.absolute())
            yield str(link)
    else:
        yield str(path)
