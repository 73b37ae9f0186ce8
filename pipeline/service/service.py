"""The service as a whole: what the routes are given, and what is started and stopped together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.api import Recog
from pipeline.service.names import EVERY, Names
from pipeline.service.store import Store, tape_path


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator has decided when the service was started."""

    sources: tuple[str, ...] = ()  # as `--source` takes them; any that recog opens
    folders: tuple[Path, ...] = ()  # below which films and photographs may be added by clients
    hosts: frozenset[str] = (
        frozenset()
    )  # of this machine, or `host:port`, that clients may have watched all the same
    host: str = "127.0.0.1"  # where it listens
    port: int = 8000
    tls: bool = False  # whether it speaks TLS itself
    behind_proxy: bool = False  # something else brings TLS, and says who the client is


class Service:
    """Everything behind the routes.

    Attributes:
        recog: models, settings and gallery.
        store: what the service remembers.
        tape: the file that every source writes its looks to.
        options: what the operator has decided.
        names: who is enrolled.
    """

    def __init__(self, recog: Recog, store: Store, options: Options) -> None:
        self.recog, self.store, self.options = recog, store, options
        self.tape = tape_path(recog.path)
        self.names = Names(recog, self._people_changed)
        self.stopping = threading.Event()
        self._watch: threading.Thread | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What works beside the requests, for as long as the application runs."""
        await asyncio.to_thread(self.start)
        try:
            yield
        finally:
            self.halt()
            await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """Begin to watch the gallery and the sources."""
        self.names.refresh()
        self._watch = threading.Thread(target=self._follow_gallery, name="recog gallery", daemon=True)
        self._watch.start()

    def halt(self) -> None:
        """Have everything that waits end soon; from any thread, and may be called again."""
        self.stopping.set()

    def stop(self) -> None:
        """End all that `start` began, with everything stored."""
        self.halt()
        if self._watch is not None:
            self._watch.join()
            self._watch = None

    def close(self) -> None:
        """Let another service have the gallery. May be called again."""
        self.store.close()

    def address(self) -> str:
        """Where the page is, for a browser on this machine."""
        host = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        return f"{'https' if self.options.tls else 'http'}://{host}:{self.options.port}/"

    def people_changed(self) -> None:
        """To be called after every change of the gallery: names and pages follow at once."""
        self.names.refresh()

    def _people_changed(self) -> None:
        """Somebody, here or in another process, has changed the gallery."""

    def _follow_gallery(self) -> None:
        while not self.stopping.wait(EVERY):
            self.names.refresh()
