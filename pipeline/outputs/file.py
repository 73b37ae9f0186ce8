"""A file that is put in place only when it is whole.

It is written as a hidden temporary file beside the target, so that a run that fails never destroys what was
there before.

Kept (put in place): a finished run, one ended by Ctrl-C, by the source failing (SourceError), or by the disk
running low while there is still room to finish the file; of a video also one that another output ended. On
any other error the temporary file is removed and the target left as it was. A process that is killed leaves
the temporary file behind: see `leftovers`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.errors import SinkError, SourceError
from pipeline.locks import held


class OutputFile:
    """A target file, the temporary file that will become it, and the decision which of the two stays."""

    def __init__(self, path: str | Path | None) -> None:
        self.frames = 0  # written so far
        self.placed = False  # it has become the target
        self._shown = str(path)
        self._path: Path | None = None
        self._temporary: Path | None = None
        self._lock: int | None = None  # an open descriptor of the temporary file, locked while it is written
        self._keep_despite_error = False
        if path is not None:
            check_place(Path(path))
            # Resolved, so that a symbolic link stays, and what it points to is replaced.
            self._path = Path(path).resolve()

    def close(self) -> None:
        """Finish the file and put it in place. Nothing is put in place if nothing was written."""
        raise NotImplementedError

    def discard(self) -> None:
        """Remove the temporary file; the target stays as it was."""
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None
        self._unlock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        kept = error is None or isinstance(error, (KeyboardInterrupt, SourceError))
        if kept or self._keep_despite_error:
            self.close()
        else:
            self.discard()

    def _make_temporary(self) -> Path:
        """Create an empty file `.name-xxxx.part.suffix` beside the target.

        It shows people, so it is for its owner alone; a target that is there keeps its permissions.
        """
        assert self._path is not None
        target = self._path
        temporary = target.with_name(f".{target.stem[:100]}-{secrets.token_hex(4)}.part{target.suffix}")
        try:
            self._lock = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            self._temporary = temporary
            held(self._lock)  # so that others can tell it from one that was left behind
            if target.exists():
                shutil.copymode(target, temporary)
        except OSError as error:
            self.discard()
            raise SinkError(f"cannot write {self._shown}: {error.strerror}") from error
        return temporary

    def _put_in_place(self) -> None:
        assert self._path is not None
        assert self._temporary is not None
        try:
            os.replace(self._temporary, self._path)
        except OSError as error:
            self.discard()
            raise SinkError(f"cannot write {self._shown}: {error.strerror}") from error
        self._temporary, self.placed = None, True
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _refused(self, reason: str) -> SinkError:
        """The error for a write that failed."""
        return SinkError(f"cannot write {self._shown}: {reason}; nothing was kept")

    def _free(self) -> str:
        """How much room there is where the file is written, in words."""
        assert self._path is not None
        return f"{shutil.disk_usage(self._path.parent).free / 2**20:.0f} MiB free"


def check_place(out: Path) -> None:
    """Refuse a path at which no file could be put in place.

    Raises:
        SinkError: in one line, what is wrong.
    """
    try:
        if out.is_dir():
            raise SinkError(f"{out} is a folder; give a file inside it")
        if out.exists() and not stat.S_ISREG(out.stat().st_mode):
            raise SinkError(f"{out} is not an ordinary file")
        if not out.parent.is_dir():
            raise SinkError(f"cannot write {out}: the folder {out.parent} does not exist; make it first")
        # The folder decides (the target is replaced, not written into); a read-only target is respected too.
        if not os.access(out.resolve().parent, os.W_OK | os.X_OK):
            raise SinkError(f"cannot write {out}: no permission to write in {out.parent}")
        if out.exists() and not os.access(out, os.W_OK):
            raise SinkError(f"cannot write {out}: it is read-only")
    except (OSError, ValueError) as error:  # names too long, or with null characters
        raise SinkError(f"cannot write {out}: {getattr(error, 'strerror', None) or error}") from error
