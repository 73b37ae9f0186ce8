"""Which sound fits into which kind of film, as it is.

That a container has a name for a codec is not enough: MP4 describes some sound by what its first packets
hold, and the index of a film in fragments may be written before them. So what the lists allow is tried, in
memory, with the first packets there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from io import BytesIO
from typing import Any

import av
import av.error
from av.audio.stream import AudioStream
from av.codec import Codec, CodecContext
from av.packet import Packet

# A fragment each second (in microseconds), written out at once and not when a buffer is full.
_FRAGMENTS = {"frag_duration": "1000000", "flush_packets": "1"}
_MP4 = (
    # The index is written before anything else, so the file plays however little of it there is.
    {"movflags": "frag_keyframe+empty_moov", **_FRAGMENTS},
    # The index comes with the first fragment that has sound; AC-3 and the AAC of broadcasts need that.
    {"movflags": "frag_keyframe", **_FRAGMENTS},
)
WAYS: Mapping[str, Sequence[dict[str, str]]] = {"mp4": _MP4, "mov": _MP4, "matroska": ({},)}
# What players expect in these; Matroska has a place for whatever its writer knows.
_SOUNDS = {
    "mp4": frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"}),
    "mov": frozenset({"aac", "ac3", "alac", "eac3", "mp3", "pcm_s16le", "pcm_s24le"}),
}


def way(kind: str, audio: AudioStream, begin: Sequence[Packet[AudioStream]]) -> dict[str, str] | None:
    """The options with which a film is to be written so that it carries this sound; None if it cannot.

    Args:
        kind: FFmpeg's name of the container, one of `WAYS`.
        begin: the first packets of the sound; empty where it begins late, or never.
    """
    if not _listed(kind, audio):
        return None
    # An index that waited for sound that is late would keep the whole film until then in memory.
    ways = WAYS[kind] if begin else WAYS[kind][:1]
    return next((options for options in ways if _takes(kind, options, audio, begin)), None)


def why_not(kind: str, audio: AudioStream, begin: Sequence[Packet[AudioStream]]) -> str:
    """What to say of sound for which there is no `way`, and what would take it."""
    codec = _codec(audio)
    name = "of an unknown kind" if codec is None else codec.canonical_name
    late = "begins too late to have a" if not begin and _listed(kind, audio) else "has no"
    takes = kind != "matroska" and way("matroska", audio, begin) is not None
    return f"its sound ({name}) {late} place in this kind of file{'; .mkv takes it' if takes else ''}"


def _listed(kind: str, audio: AudioStream) -> bool:
    codec = _codec(audio)
    if codec is None:
        return False
    return codec.canonical_name in _SOUNDS[kind] if kind in _SOUNDS else codec.name in _written_as(kind)


def _codec(audio: AudioStream) -> Codec | None:
    context: CodecContext | None = audio.codec_context  # against PyAV's own types, there may be none
    return None if context is None else context.codec


@cache
def _written_as(kind: str) -> frozenset[str]:
    """FFmpeg's names of all codecs that its writer of this container has a place for."""
    with av.open(BytesIO(), "w", format=kind) as container:
        return frozenset(container.supported_codecs)


def _takes(
    kind: str, options: dict[str, str], audio: AudioStream, begin: Sequence[Packet[AudioStream]]
) -> bool:
    """Whether a film of this kind that has these packets can be written."""
    try:
        with av.open(BytesIO(), "w", format=kind, options=options) as container:
            track = container.add_stream_from_template(audio)
            container.start_encoding()
            for packet in begin:
                container.mux(_copy(packet, begin[0], track))
    except av.error.FFmpegError:
        return False
    return True


def _copy(packet: Packet[AudioStream], first: Packet[AudioStream], track: AudioStream) -> Packet[Any]:
    """The packet in a track whose clock begins with the first packet; writing changes what it is given."""
    copy: Packet[Any] = Packet(bytes(packet))
    copy.time_base = Fraction(packet.time_base)
    copy.pts = copy.dts = _ticks(packet) - _ticks(first)
    copy.duration = packet.duration
    copy.stream = track
    for data in packet.iter_sidedata():
        copy.set_sidedata(data)
    return copy


def _ticks(packet: Packet[AudioStream]) -> int:
    ticks = packet.dts if packet.pts is None else packet.pts
    assert ticks is not None
    return ticks
