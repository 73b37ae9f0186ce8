"""Is a film that does not say how long it is over in a moment? Its packets tell, before any is decoded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any

import av.error
from av.packet import Packet

MOMENT = 1.0  # seconds that are read ahead
_MOST = 2000  # packets of them, at most: a thousand pictures a second and their sound


def look_ahead(
    packets: Iterator[Packet[Any]], stream: int, step: float
) -> tuple[int | None, Iterator[Packet[Any]]]:
    """How many pictures there are, and all packets again.

    Args:
        stream: the number of the video among the streams.
        step: seconds from one picture to the next, where packets do not say when they are shown.

    Returns:
        The count, None for a film that lasts longer than a moment or cannot be read to its end; and the
        packets, with the error that reading ahead met in its place.
    """
    ahead: list[Packet[Any]] = []
    found, earliest, latest = 0, math.inf, -math.inf
    try:
        for packet in packets:
            ahead.append(packet)
            if packet.stream.index == stream and packet.size and not packet.is_discard:
                found += 1
                if packet.pts is not None and packet.time_base is not None:
                    seconds = float(packet.pts * packet.time_base)
                    earliest, latest = min(earliest, seconds), max(latest, seconds)
            lasts = latest - earliest if latest > earliest else found * step
            if lasts >= MOMENT or len(ahead) >= _MOST:
                return None, chain(ahead, packets)
    except av.error.FFmpegError as error:
        return None, _and_then(ahead, error)
    return found or None, iter(ahead)


def _and_then(ahead: list[Packet[Any]], error: av.error.FFmpegError) -> Iterator[Packet[Any]]:
    yield from ahead
    raise error
