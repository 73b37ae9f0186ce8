"""Arrays on disk that grow by rows, so that long work which was interrupted goes on where it was."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class GrowingRows:
    """An `.npy` file that is written a few rows at a time; until it is whole it is called `NAME.part`.

    What was written before is kept, up to the last whole row. Opened with another shape or type it begins
    again.
    """

    def __init__(
        self, path: Path, count: int, shape: tuple[int, ...], dtype: npt.DTypeLike, mode: int = 0o666
    ) -> None:
        """
        Args:
            path: the file that appears once all rows are there; its folder exists.
            count: rows in the end.
            shape: of one row.
            mode: of the file, less the umask.

        Raises:
            OSError: the file cannot be written.
        """
        self.path, self.count, self._dtype = path, count, np.dtype(dtype)
        self._part = path.with_name(f"{path.name}.part")
        self._row = int(np.prod(shape, dtype=np.int64)) * self._dtype.itemsize  # bytes
        header = _header(self._dtype, (count, *shape))
        self._first = len(header)
        self._file = open(os.open(self._part, os.O_RDWR | os.O_CREAT, mode), "r+b", buffering=0)  # noqa: SIM115
        try:
            if self._file.read(len(header)) != header:
                self._file.truncate(0)
                self._file.seek(0)
                _write(self._file, header)
            size = os.fstat(self._file.fileno()).st_size
            self.done = min(count, (size - self._first) // self._row)
            self.keep(self.done)
        except BaseException:
            self._file.close()
            raise

    def keep(self, rows: int) -> None:
        """Forget all but the first `rows` rows."""
        self.done = rows
        self._file.truncate(self._first + rows * self._row)
        self._file.seek(0, os.SEEK_END)

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows (m, *shape). Raises OSError: no room; what was there before stays."""
        _write(self._file, np.ascontiguousarray(rows, self._dtype).tobytes())
        self.done += len(rows)

    def finish(self) -> None:
        """Give the whole file its name."""
        if self.done != self.count:
            raise ValueError(f"{self.done} of {self.count} rows were written")
        self.close()
        os.replace(self._part, self.path)

    def close(self) -> None:
        """Leave what there is for next time."""
        self._file.close()


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    made = BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(made, described)
    return made.getvalue()


def _write(file: Any, content: bytes) -> None:
    """Write all of it: a file that is not buffered may take a part at a time."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
