"""Video files and pipes, opened with PyAV by their descriptor.

FFmpeg never sees a name: none can be taken for an address, a pattern of numbers or a hint at what is in the
file, and one that is not UTF-8 is as good as any other.
"""

from __future__ import annotations

from collections.abc import Callable

import av
import av.error
from av.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available

from pipeline.errors import SourceError
from pipeline.sources.decoder import Decoder
from pipeline.sources.matroska import last_cluster

# A playlist or a script may name other files; nothing on the network is asked because of what a file says.
_PROTOCOLS = "fd,file,crypto,data"


def open_file(
    file: int, name: str, failure: str, hardware: str, report: Callable[[str], None], threads: int = 0
) -> Decoder:
    """A decoder of what is read from a descriptor, which may be closed afterwards.

    Args:
        hardware: what should decode, by FFmpeg's name; the CPU if empty, or where the hardware cannot.
        report: called with one line where the CPU takes the place of the hardware.
        threads: that decode at most; 0 for as many as there are processors.

    Raises:
        SourceError: there is no video in it; the text is `failure`.
    """
    wanted = _accelerator(hardware) if hardware else None
    if hardware and wanted is None:
        report(f"{name}: there is no {hardware} that can decode it here; the CPU does")
    try:
        decoder = _decoder(file, wanted, threads)
    except (av.error.FFmpegError, OSError, SourceError) as error:
        raise SourceError(failure) from error
    if wanted is not None and not decoder.uses_hardware:
        report(f"{name}: {hardware} cannot decode this kind of video; the CPU does")
    return decoder


def _accelerator(hardware: str) -> HWAccel | None:
    """What decodes by hardware; None where this machine has none of that name.

    It is tried before the film is opened: what an attempt has read of a pipe cannot be read again.
    """
    if hardware not in hwdevices_available():  # PyAV would take any device instead of one it does not know
        return None
    try:
        HWAccel(hardware, allow_software_fallback=True).create(Codec("h264", "r"))
    except NotImplementedError:
        pass  # another kind of video, perhaps: the decoder says so itself
    except (av.error.FFmpegError, OSError, RuntimeError, ValueError):
        return None
    return HWAccel(hardware, allow_software_fallback=True)


def _decoder(file: int, hardware: HWAccel | None, threads: int) -> Decoder:
    container = opened(file, hardware)
    last = last_cluster(file) if "matroska" in container.format.name else None
    return Decoder(container, last=last, threads=threads)


def opened(file: int, hardware: HWAccel | None = None) -> av.container.InputContainer:
    """The container that a descriptor gives, which may be closed afterwards. Raises FFmpeg's errors."""
    options = {"fd": str(file), "protocol_whitelist": _PROTOCOLS}
    return av.open("fd:", options=options, metadata_errors="replace", hwaccel=hardware)
