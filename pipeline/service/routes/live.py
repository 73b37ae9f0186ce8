"""Pictures as they come: a WebSocket for pages, MJPEG and single pictures for other programs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response, WebSocket
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from pipeline.service.board import Board, Shown, Size
from pipeline.service.deps import AccessDep, CallerDep, ServiceDep, viewer
from pipeline.service.problems import Problem
from pipeline.service.routes.sources import source_of
from pipeline.service.viewer import CHECKED, Viewer

router = APIRouter(tags=["live"], dependencies=[viewer])
JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "A JPEG."}}
_PRIVATE = {"cache-control": "private, no-store"}
Boxes = Annotated[bool, Query(description="With boxes and names drawn.")]


@router.websocket("/live")
async def live(socket: WebSocket, service: ServiceDep, access: AccessDep, caller: CallerDep) -> None:
    """Pictures, events and states of sources for a page; docs/api-http.md has the messages."""
    told = await run_in_threadpool(lambda: [service.cameras.told(each) for each in service.cameras.all()])
    first: dict[str, object] = {"type": "sources", "items": told}
    await Viewer(socket, service.board, first, lambda: access.holds(caller)).run()


@router.get(
    "/sources/{source}/snapshot.jpg", operation_id="snapshot", response_class=Response, responses=JPEG
)
async def snapshot(source: str, service: ServiceDep, boxes: Boxes = False) -> Response:
    """The newest picture of a source."""
    found = await run_in_threadpool(source_of, service, source)
    shown = service.board.newest(found.id)
    if shown is None:
        raise Problem(409, "no_picture", f"{found.name} gives no picture at present; see its state")
    data = await service.board.jpeg(shown, "boxes" if boxes else "whole")
    return Response(data, media_type="image/jpeg", headers=_PRIVATE)


@router.get(
    "/sources/{source}/stream.mjpeg",
    operation_id="stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"multipart/x-mixed-replace": {}}, "description": "JPEGs without end."}},
)
async def stream(
    source: str, service: ServiceDep, access: AccessDep, caller: CallerDep, boxes: Boxes = False
) -> StreamingResponse:
    """The pictures of a source as they come, as MJPEG; a slow reader skips some."""
    found = await run_in_threadpool(source_of, service, source)
    return StreamingResponse(
        _parts(service.board, found.id, "boxes" if boxes else "whole", lambda: access.holds(caller)),
        media_type="multipart/x-mixed-replace; boundary=frame",
        headers=_PRIVATE,
    )


async def _parts(board: Board, source: str, size: Size, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
    """JPEGs as they come, for as long as the caller may see them."""
    reader = board.reader()
    sent: Shown | None = None
    checked = time.monotonic()
    try:
        while not board.closed:
            if time.monotonic() - checked > CHECKED:
                checked = time.monotonic()
                if not await run_in_threadpool(allowed):
                    return
            reader.messages.clear()
            shown = board.newest(source)
            if shown is not None and shown is not sent:
                sent = shown
                data = await board.jpeg(shown, size)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                yield head.encode() + data + b"\r\n"
            await reader.wait()
    finally:
        board.leave(reader)
