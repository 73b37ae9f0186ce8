"""Tests' servers come back where they were."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.pipeline.ports import free_port

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.skipif(not RANGE.exists(), reason="only Linux says which ports it gives to connections")
def test_a_free_port_is_none_that_a_connection_may_be_given_meanwhile() -> None:
    lowest, highest = map(int, RANGE.read_text().split())
    port = free_port()
    assert not lowest <= port <= highest
    with socket.create_server(("127.0.0.1", port)):
        assert free_port() != port
