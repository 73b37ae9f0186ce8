"""What the operator has decided when the service was started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """How the service was started.

    Attributes:
        sources: as `--source` takes them; held to none of the limits below.
        folders: below which films and photographs may be used by clients.
        hosts: `host` or `host:port` on this machine whose streams clients may have watched all the same.
        host, port: where it listens.
        tls: whether it speaks TLS itself.
        fleet: where `recog fleet` writes how its cameras are.
        behind_proxy: something else brings TLS, and says who the client is.
        webhook: the address that events are posted to.
    """

    sources: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    hosts: frozenset[str] = frozenset()
    host: str = "127.0.0.1"
    port: int = 8000
    tls: bool = False
    behind_proxy: bool = False
    webhook: str | None = None
    fleet: Path | None = None
