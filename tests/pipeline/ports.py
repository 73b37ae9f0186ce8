"""Ports for servers that go away and come back."""

from __future__ import annotations

import contextlib
import random
import socket


def free_port() -> int:
    """A port of 127.0.0.1 that is free, and stays so while its server is away.

    It lies below those that systems give to connections: one of these may be taken before the server is back,
    even by a client that tries to reach it, and so reaches itself.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with contextlib.closing(socket.socket()) as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("of a hundred ports none was free")
