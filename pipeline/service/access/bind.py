"""Where the service listens, and by which names it may be called.

A page of somebody else's can make a browser call any address (DNS rebinding: its own name resolves to
127.0.0.1). What it cannot do is forge the Host and Origin headers, so those are checked. An address in
numbers cannot be rebound; of names, only known ones are answered.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Bind:
    """Where the service listens.

    Attributes:
        host, port: what it is bound to.
        tls: whether it speaks TLS itself.
        behind_proxy: whether a reverse proxy stands before it, which speaks TLS and tells who calls.
        names: further host names by which it may be called.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    tls: bool = False
    behind_proxy: bool = False
    names: tuple[str, ...] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can call."""
        if self.host == "localhost":
            return True
        address = _address(self.host)
        return address is not None and address.is_loopback

    def url(self, key: str | None = None) -> str:
        """The page's address as a browser on this machine takes it, with a one-time key."""
        scheme = "https" if self.tls else "http"
        address = _address(self.host)
        host = "127.0.0.1" if address is not None and address.is_unspecified else self.host
        shown = f"[{host}]" if ":" in host else host
        return f"{scheme}://{shown}:{self.port}/" + (f"?key={key}" if key else "")

    def answers_to(self, host: str | None) -> bool:
        """Whether a Host header names this service."""
        name = _name(host or "")
        if name is None:
            return False
        if _address(name) is not None or name == "localhost" or name.endswith(".localhost"):
            return True
        own = socket.gethostname().casefold()
        known = {own, f"{own}.local", self.host.casefold(), *(each.casefold() for each in self.names)}
        return name in known

    def is_own(self, origin: str, host: str, scheme: str) -> bool:
        """Whether an Origin header is that of a page which this service itself has served.

        Args:
            host: the Host header.
            scheme: of the request. Behind a proxy it is not compared: not every proxy tells it.
        """
        try:
            parts = urlsplit(origin)
            port = parts.port or _PORTS.get(parts.scheme)
            own = urlsplit(f"//{host}")
            expected = own.port or _PORTS[parts.scheme if self.behind_proxy else scheme]
        except (ValueError, KeyError):
            return False
        if parts.scheme not in _PORTS or (parts.scheme != scheme and not self.behind_proxy):
            return False
        return (parts.hostname, port) == (own.hostname, expected)


def _name(host: str) -> str | None:
    """The name in a Host header, in lower case; None where there is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises for what is no number
    except ValueError:
        return None
    if parts.username is not None or parts.path or parts.query or parts.fragment or not parts.hostname:
        return None
    return parts.hostname.removesuffix(".")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
