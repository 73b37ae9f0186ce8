"""Where annotated frames go: a video file or a picture, put in place when it is whole (see `output_file`)."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

import cv2

from pipeline.drawing.sheet import letterbox
from pipeline.errors import SinkError
from pipeline.outputs.encoders import VIDEO_SUFFIXES, fits_motion_jpeg, open_encoder
from pipeline.outputs.encoding import Encoder, EncodingError
from pipeline.outputs.file import OutputFile, check_place
from pipeline.outputs.places import Output, check_outputs, paths_of
from pipeline.outputs.plain_name import plain_name
from pipeline.sources.images import is_photo
from pipeline.sources.quiet import quiet_opencv
from pipeline.types import Image

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
    if suffix not in VIDEO_SUFFIXES and suffix not in IMAGE_SUFFIXES:
        known = ", ".join(sorted(VIDEO_SUFFIXES)) + " for a video, " + ", ".join(sorted(IMAGE_SUFFIXES))
        raise SinkError(
            f"{out}: cannot write {suffix or 'a file without a suffix'}; use {known} for a picture"
        )
    check_place(out)
    read = [] if source is None else paths_of(source)
    check_outputs([Output(out)], read, overwrite=True)
    one_photo = any(each.is_file() and is_photo(each) for each in read)
    if suffix in IMAGE_SUFFIXES and source is not None and not one_photo:
        raise SinkError(f"{out}: {suffix} holds a single picture; use .mp4 for a video, folder or camera")


def open_sink(
    path: str | Path | None,
    fps: float | None = None,
    sound: Path | None = None,
    begins: float | None = None,
) -> VideoSink | ImageSink:
    """The sink that suits `path`: a picture by its suffix, else a video. None is a sink that does nothing."""
    if path is not None and Path(path).suffix.lower() in IMAGE_SUFFIXES:
        return ImageSink(path)
    return VideoSink(path, fps, sound, begins)


class VideoSink(OutputFile):
    """Writes frames to a video file; the first decides its size, others are fitted into it whole.

    Args:
        path: `.mp4`, `.m4v`, `.mov`, `.mkv` or `.avi`; None makes every method do nothing.
        fps: frames a second; 25 where the source has no rate.
        sound: a film whose sound goes along with the frames, where the encoder can do that.
        begins: what the film's own clock shows at second 0; its first picture's if None.
    """

    def __init__(
        self,
        path: str | Path | None,
        fps: float | None = None,
        sound: Path | None = None,
        begins: float | None = None,
    ) -> None:
        if path is not None:
            check_output(path)
        super().__init__(path)
        # MPEG-4 counts time in 1/65535ths at best; NaN, too, fails this comparison.
        self._fps = round(fps, 2) if fps is not None and 0.1 <= fps <= 600 else DEFAULT_FPS
        self._sound, self._begins = sound, begins
        self._encoder: Encoder | None = None
        self._broken = False  # what was encoded cannot be written
        self._size = (0, 0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Hours of a camera are not lost because a snapshot or an event beside them cannot be written.
        if isinstance(error, SinkError) and not self._broken:
            self._keep_despite_error = True
        super().__exit__(kind, error, trace)

    def write(self, image: Image, seconds: float | None = None) -> None:
        """Append a frame, `(height, width, 3)` uint8 BGR.

        Args:
            seconds: when it is to be shown, on the source's clock; the file begins with its first frame. By
                default frames follow each other at the nominal rate.

        Raises:
            SinkError: it cannot be written, or the disk is nearly full.
        """
        if self._path is None:
            return
        if self._encoder is None:
            self._encoder = self._open(image)
        width, height = self._size
        if (image.shape[1] // 2 * 2, image.shape[0] // 2 * 2) == self._size:
            image = image[:height, :width]  # an odd last row or column has no place in these codecs
        else:
            image = letterbox(image, self._size)
        try:
            self._encoder.write(image, self.frames / self._fps if seconds is None else seconds)
        except EncodingError as error:
            self._broken = True
            raise self._failed(error) from error
        self.frames += 1
        if self.frames % _FRAMES_PER_CHECK == 0:
            self._check_room()

    @property
    def lost(self) -> str | None:
        """What of the sound was left out so far, in a line; None if nothing was."""
        lost = None if self._encoder is None else self._encoder.lost
        return None if lost is None else f"{self._shown}: {lost}"

    def close(self) -> None:
        """Finish the file, make sure that it can be played, and put it in place.

        Raises:
            SinkError: it cannot be finished, or what was written cannot be read back; it is removed.
        """
        if self._encoder is None:
            return
        encoder, self._encoder = self._encoder, None
        try:
            encoder.close()
            if not self._is_whole(encoder.promised):
                raise EncodingError(f"what was written cannot be played; is the disk full? ({self._free()})")
        except EncodingError as error:
            failed = self._failed(error)
            self.discard()
            raise failed from error
        self._put_in_place()

    def discard(self) -> None:
        if self._encoder is not None:
            encoder, self._encoder = self._encoder, None
            encoder.abandon()
        super().discard()

    def _open(self, image: Image) -> Encoder:
        quiet_opencv()
        assert self._path is not None
        temporary = self._make_temporary()
        self._size = (max(_MIN_SIDE, image.shape[1] // 2 * 2), max(_MIN_SIDE, image.shape[0] // 2 * 2))
        try:
            return open_encoder(temporary, self._fps, self._size, self._sound, self._begins)
        except EncodingError as error:
            self.discard()
            if error.full:
                raise self._failed(error) from error
            width, height = self._size
            avi = self._path.suffix.lower() != ".avi" and fits_motion_jpeg(self._size)
            raise SinkError(
                f"cannot write {self._shown}: no {self._path.suffix} video of {width} x {height} pixels can "
                f"be made here; use smaller pictures{', or .avi' if avi else ''}"
            ) from error

    def _failed(self, error: EncodingError) -> SinkError:
        full = f"disk full, or a quota or file size limit reached ({self._free()})"
        return self._refused(full if error.full else str(error))

    def _is_whole(self, promised: int | None) -> bool:
        """Whether the file opens again, shows its first frame, and has as many as it was given.

        Args:
            promised: how many that is; None if the encoder would have said what was lost.
        """
        assert self._temporary is not None
        with plain_name(self._temporary) as name:
            capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened() or not capture.read()[0]:
                return False
            if promised is None:
                return True
            # Matroska knows its duration, not its frames: the count is reckoned and may be off by a few.
            return abs(capture.get(cv2.CAP_PROP_FRAME_COUNT) - promised) <= 1 + promised // 1000
        finally:
            capture.release()

    def _check_room(self) -> None:
        assert self._path is not None
        free = shutil.disk_usage(self._path.parent).free
        if free < LOW_DISK_BYTES:
            self._keep_despite_error = True
            raise SinkError(
                f"disk full: only {free / 2**20:.0f} MiB left where {self._shown} is written; "
                f"the first {'frame is' if self.frames == 1 else f'{self.frames:,} frames are'} kept"
            )


class ImageSink(OutputFile):
    """Writes one picture; the suffix of `path` decides its format.

    Args:
        private: only the owner may read it, whatever was there before.
    """

    def __init__(self, path: str | Path, private: bool = False) -> None:
        check_output(path)
        super().__init__(path)
        self._private, self.lost = private, None  # a picture has no sound

    def write(self, image: Image, seconds: float | None = None) -> None:
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
            if self._private:
                temporary.chmod(0o600)
            temporary.write_bytes(data.tobytes())
        except OSError as error:
            self.discard()
            raise SinkError(f"cannot write {self._shown}: {error.strerror}") from error
        self.frames = 1

    def close(self) -> None:
        """Put the picture in place."""
        if self._temporary is not None:
            self._put_in_place()
