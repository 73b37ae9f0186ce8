"""Where annotated frames go: a video file or a picture.

Both write to a hidden temporary file beside the target and put it in place only when it is whole, so that a
run that fails never destroys what was there before.

Kept (put in place, playable): a finished run, one ended by Ctrl-C, by the source failing (SourceError), or by
the disk running low while there is still room to finish the file. On any other error the temporary file is
removed and the target left as it was.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from pipeline.errors import SinkError, SourceError
from pipeline.photos import is_photo, list_photos
from pipeline.quiet import quiet_opencv
from pipeline.sheet import letterbox
from pipeline.types import Image

# Codecs that every build of OpenCV carries; H.264 would need a library of another licence.
VIDEO_CODECS = {".avi": "MJPG", ".m4v": "mp4v", ".mkv": "XVID", ".mov": "mp4v", ".mp4": "mp4v"}
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})
DEFAULT_FPS = 25.0
LOW_DISK_BYTES = 64 << 20  # enough to finish a file whose index is written last
_FRAMES_PER_CHECK = 32
# With frames of a few pixels, OpenCV 5.0's MJPG writer writes beyond its buffers and brings the process down.
_MIN_SIDE = 16


def check_output(out: str | Path, source: str | None = None) -> None:
    """Refuse, before any work, an output that could not be written or would overwrite its own input.

    Args:
        out: the video or picture to be written.
        source: what the user gave `open_source`.

    Raises:
        SinkError: in one line, what is wrong and what would do.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in VIDEO_CODECS and suffix not in IMAGE_SUFFIXES:
        known = ", ".join(sorted(VIDEO_CODECS)) + " for a video, " + ", ".join(sorted(IMAGE_SUFFIXES))
        raise SinkError(
            f"{out}: cannot write {suffix or 'a file without a suffix'}; use {known} for a picture"
        )
    _check_place(out)
    inputs = _input_files(source)
    if out.exists() and any(out.samefile(each) for each in inputs):  # through links as well
        raise SinkError(f"{out} is the input itself; choose another output")
    one_photo = len(inputs) == 1 and inputs[0] == Path(source or "") and is_photo(inputs[0])
    if suffix in IMAGE_SUFFIXES and source is not None and not one_photo:
        raise SinkError(f"{out}: {suffix} holds a single picture; use .mp4 for a video, folder or camera")


def open_sink(path: str | Path | None, fps: float | None = None) -> VideoSink | ImageSink:
    """The sink that suits `path`: a picture by its suffix, else a video. None is a sink that does nothing."""
    if path is not None and Path(path).suffix.lower() in IMAGE_SUFFIXES:
        return ImageSink(path)
    return VideoSink(path, fps)


class _FileSink:
    """A target file, the temporary file that will become it, and the decision which of the two stays."""

    def __init__(self, path: str | Path | None) -> None:
        self.frames = 0  # written so far
        self._shown = str(path)
        self._path: Path | None = None
        self._temporary: Path | None = None
        self._keep_despite_error = False
        if path is not None:
            check_output(path)
            self._path = Path(
                path
            ).resolve()  # so that a symbolic link stays, and what it points to is replaced

    def close(self) -> None:
        """Finish the file and put it in place. Nothing is put in place if nothing was written."""
        raise NotImplementedError

    def discard(self) -> None:
        """Remove the temporary file; the target stays as it was."""
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None

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
        """Create an empty file `.name-xxxx.part.suffix` beside the target, with the target's permissions."""
        assert self._path is not None
        target = self._path
        temporary = target.with_name(f".{target.stem[:100]}-{secrets.token_hex(4)}.part{target.suffix}")
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            self._temporary = temporary
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
        self._temporary = None

    def _refused(self) -> SinkError:
        """The error for a write that failed without a reason given."""
        assert self._path is not None
        free = shutil.disk_usage(self._path.parent).free
        reason = f"disk full, or a quota or file size limit reached ({free / 2**20:.0f} MiB free)"
        return SinkError(f"cannot write {self._shown}: {reason}; nothing was kept")


class VideoSink(_FileSink):
    """Writes frames to a video file; the first decides its size, others are fitted into it whole.

    Args:
        path: `.mp4`, `.m4v`, `.mov`, `.mkv` or `.avi`; None makes every method do nothing.
        fps: frames a second; 25 where the source has no rate.
    """

    def __init__(self, path: str | Path | None, fps: float | None = None) -> None:
        super().__init__(path)
        # MPEG-4 counts time in 1/65535ths at best; NaN, too, fails this comparison.
        self._fps = round(fps, 2) if fps is not None and 0.1 <= fps <= 600 else DEFAULT_FPS
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def write(self, image: Image) -> None:
        """Append a frame, `(height, width, 3)` uint8 BGR.

        Raises:
            SinkError: it cannot be written, or the disk is nearly full.
        """
        if self._path is None:
            return
        if self._writer is None:
            self._open(image)
        assert self._writer is not None
        width, height = self._size
        if (image.shape[1] // 2 * 2, image.shape[0] // 2 * 2) == self._size:
            image = image[:height, :width]  # an odd last row or column has no place in these codecs
        else:
            image = letterbox(image, self._size)
        try:
            written = self._writer.write(image)  # None from OpenCV 4, which cannot tell
        except cv2.error as error:
            raise self._refused() from error
        if written is False:
            raise self._refused()
        self.frames += 1
        if self.frames % _FRAMES_PER_CHECK == 0:
            self._check_room()

    def close(self) -> None:
        """Finish the file, make sure that it can be played, and put it in place.

        Raises:
            SinkError: what was written cannot be read back; it is removed.
        """
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        if not self._is_whole():
            error = self._refused()
            self.discard()
            raise error
        self._put_in_place()

    def discard(self) -> None:
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        super().discard()

    def _open(self, image: Image) -> None:
        quiet_opencv()
        assert self._path is not None
        temporary = self._make_temporary()
        self._size = (max(_MIN_SIDE, image.shape[1] // 2 * 2), max(_MIN_SIDE, image.shape[0] // 2 * 2))
        codec = cv2.VideoWriter.fourcc(*VIDEO_CODECS[self._path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(temporary), codec, self._fps, self._size)
        if not self._writer.isOpened():
            self.discard()
            width, height = self._size
            raise SinkError(
                f"cannot write {self._shown}: this OpenCV cannot make a {self._path.suffix} video of "
                f"{width} x {height} pixels; try .avi"
            )

    def _is_whole(self) -> bool:
        """Whether the file opens again, promises the frames that were written, and shows the first."""
        capture = cv2.VideoCapture(str(self._temporary))
        try:
            if not capture.isOpened() or not capture.read()[0]:
                return False
            # Matroska knows its duration, not its frames: the count is reckoned and may be off by a few.
            return abs(capture.get(cv2.CAP_PROP_FRAME_COUNT) - self.frames) <= 1 + self.frames // 1000
        finally:
            capture.release()

    def _check_room(self) -> None:
        assert self._path is not None
        free = shutil.disk_usage(self._path.parent).free
        if free < LOW_DISK_BYTES:
            self._keep_despite_error = True
            raise SinkError(
                f"disk full: only {free / 2**20:.0f} MiB left where {self._shown} is written; "
                f"the first {self.frames} frames are kept"
            )


class ImageSink(_FileSink):
    """Writes one picture; the suffix of `path` decides its format."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)

    def write(self, image: Image) -> None:
        """Write the picture, `(height, width, 3)` uint8 BGR. Raises SinkError if it cannot be, or twice."""
        assert self._path is not None
        if self.frames:
            raise SinkError(f"{self._shown} holds a single picture; use .mp4 for more")
        try:
            ok, data = cv2.imencode(self._path.suffix.lower(), image)
        except cv2.error as error:
            raise SinkError(f"cannot write {self._shown}: the picture does not fit the format") from error
        if not ok:
            raise SinkError(f"cannot write {self._shown}: the picture does not fit the format")
        temporary = self._make_temporary()
        try:
            temporary.write_bytes(data.tobytes())
        except OSError as error:
            self.discard()
            raise SinkError(f"cannot write {self._shown}: {error.strerror}") from error
        self.frames = 1

    def close(self) -> None:
        """Put the picture in place."""
        if self._temporary is not None:
            self._put_in_place()


def _check_place(out: Path) -> None:
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


def _input_files(source: str | None) -> list[Path]:
    """The files that `source` would read; none for cameras and addresses."""
    if source is None or "://" in source:
        return []
    path = Path(source)
    if path.is_dir():
        return list_photos(path)
    return [path] if path.is_file() else []
