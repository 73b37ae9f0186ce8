"""What can be read and written: codecs of films, and the sources that were named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.config import Settings
from pipeline.doctor.finding import Finding, looked_at

DECODERS = ("h264", "hevc", "vp9", "av1", "mjpeg")  # of nearly all films, streams and cameras


def codecs(settings: Settings) -> Iterator[Finding]:
    """Whether common films can be read, and such be written that browsers play."""
    import av
    from av.codec.hwaccel import hwdevices_available

    from pipeline.outputs.encoders import has_h264

    missing = [each for each in DECODERS if each not in av.codecs_available]
    if missing:
        todo = "install PyAV from PyPI, whose wheels read all of them"
        yield Finding("codecs", "note", f"{', '.join(missing)} cannot be read", todo)
    else:
        yield Finding("codecs", "ok", f"{', '.join(DECODERS)} can be read")
    if has_h264():
        yield Finding("codecs", "ok", "H.264 can be written")
    else:
        todo = "install PyAV from PyPI; until then videos are MPEG-4, which browsers do not play"
        yield Finding("codecs", "note", "H.264 cannot be written", todo)
    wanted, there = settings.runtime.decoder, hwdevices_available()
    if wanted and wanted not in there:
        todo = f"there are: {', '.join(there) or 'none'}; leave runtime.decoder empty for the CPU"
        yield Finding(
            "codecs", "note", f"runtime.decoder={wanted} is not in this PyAV, so the CPU decodes", todo
        )


def sources(specs: Iterable[str], settings: Settings) -> Iterator[Finding]:
    """Whether a picture comes from each of these, as `--source` takes them."""
    for spec in specs:
        yield from looked_at("source", lambda spec=spec: _source(spec, settings))  # type: ignore[misc]


def _source(spec: str, settings: Settings) -> Iterator[Finding]:
    from pipeline.sources.open import open_source

    lines: list[str] = []
    patient = settings.stream.model_copy(update={"patience": 0.0})  # one that is lost now is a finding
    with open_source(spec, stream=patient, hardware=settings.runtime.decoder, report=lines.append) as source:
        frame = next(iter(source), None)
        if frame is None:
            yield Finding("source", "mend", source.complaint or f"{source.name} gives no picture")
            return
        height, width = frame.image.shape[:2]
        rate = f", {source.fps:.1f} frames a second" if source.fps else ""
        yield Finding("source", "ok", f"{source.name} gives pictures of {width} x {height}{rate}")
    for line in lines:
        yield Finding("source", "note", line)
