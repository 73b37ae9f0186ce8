"""Interlaced pictures made whole, by FFmpeg's filter `bwdif`: a picture for each that comes in."""

from __future__ import annotations

from collections.abc import Iterator

import av.error
import av.filter
from av.video.frame import VideoFrame

_FILTER = ("bwdif", "mode=send_frame:deint=interlaced")  # progressive frames between them pass untouched


class Deinterlacer:
    """Give it every frame in order. It holds one back, because it looks at the one behind."""

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._kind: tuple[int, int, str] | None = None

    def take(self, frame: VideoFrame) -> list[VideoFrame]:
        """Take a frame in; the frames that are due."""
        kind, due = (frame.width, frame.height, frame.format.name), []
        if kind != self._kind:  # the first frame, or the stream has changed its size
            due = self.rest()
            self._graph, self._kind = _graph(frame), kind
        assert self._graph is not None
        self._graph.vpush(frame)
        return [*due, *self._pulled()]

    def rest(self) -> list[VideoFrame]:
        """What is held back, now that nothing more of its kind will come."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        rest = list(self._pulled())
        self._graph = self._kind = None
        return rest

    def _pulled(self) -> Iterator[VideoFrame]:
        assert self._graph is not None
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def _graph(frame: VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    made = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    graph.link_nodes(made, graph.add(*_FILTER), graph.add("buffersink")).configure()
    return graph
