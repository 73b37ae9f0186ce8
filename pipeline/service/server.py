"""uvicorn, told to end as every command of recog does: on a signal, in good order, with its exit code."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from pipeline.errors import ServiceError
from siamese.interrupt import stop_requested

GRACE = 1  # seconds that answers in progress are waited for at the end
MOST_SAID = 64 << 10  # bytes of a WebSocket message of a client


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to an address; port 0 for any that is free.

    Raises:
        ServiceError: there is no such address here, it is in use, or this user may not listen there.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
        except OSError:
            made.close()
            raise
    except OSError as error:
        raise ServiceError(
            f"cannot listen on {host}, port {port}: {error.strerror}; another --port may be free"
        ) from error
    return made


class _Server(uvicorn.Server):
    """A server that leaves signals to `stop_requested`."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._tell()


def serve_app(
    app: FastAPI,
    listener: socket.socket,
    halt: Callable[[], None],
    started: Callable[[], None],
    certificate: Path | None = None,
    key: Path | None = None,
) -> int:
    """Answer requests until a signal; returns the exit code, which names the signal.

    Args:
        halt: has everything that waits end soon; called when the signal comes.
        started: called once requests are answered.

    Raises:
        ServiceError: the certificate cannot be used, or the service did not start.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=MOST_SAID,
        ws_per_message_deflate=False,  # JPEGs do not get smaller
        lifespan="on",
        access_log=False,  # addresses of requests may hold keys
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # it takes the first address, which callers write themselves: see `Forwarded`
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ServiceError(f"--tls-cert {certificate}, --tls-key {key}: {error}") from error
    server = _Server(config, started)

    def end() -> None:
        # Answers that are cut off at the end are no failures.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        server.should_exit = True
        halt()

    with stop_requested(end) as asked:
        server.run(sockets=[listener])
    if not server.started and not asked.is_set():
        raise ServiceError("the service did not start; what is above says why")
    return asked.exit_code or 0
