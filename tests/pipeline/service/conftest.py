"""A service on a real server, over real HTTP; its models are those of the world of squares."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from pipeline.api import Recog
from pipeline.service.access import Access, Bind, Role
from pipeline.service.app import make_app
from pipeline.service.service import Options, Service
from pipeline.service.store import Store, store_path


class Running:
    """A service that answers at `url`.

    `admin`, `viewer` and `stranger` are clients with a token of that role, and without one. `end` ends it
    before the test does.
    """

    def __init__(
        self, app: FastAPI, service: Service, access: Access, url: str, end: Callable[[], None]
    ) -> None:
        self.app, self.service, self.access, self.url, self.end = app, service, access, url, end
        made = f"of {url} at {time.monotonic()}"  # a token's name is taken once
        self.tokens = {role: access.create_token(f"the {role} {made}", role).text for role in Role}
        self.admin, self.viewer = (
            self.client(authorization=f"Bearer {self.tokens[role]}") for role in (Role.ADMIN, Role.VIEWER)
        )
        self.stranger = self.client()

    def client(self, **headers: str) -> httpx.Client:
        made = httpx.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False, verify=False)
        self._clients = [*getattr(self, "_clients", []), made]
        return made

    def close(self) -> None:
        for each in self._clients:
            each.close()


@pytest.fixture
def serve(tmp_path: Path, detector: Any, embedder: Any) -> Iterator[Callable[..., Running]]:
    """Starts a service on the gallery `people.db` in the test's folder; it ends with the test."""
    ends: list[Callable[[], None]] = []

    def start(
        gallery: Path = tmp_path / "people.db",
        settings: Any = None,
        port: int = 0,
        bind: Bind | None = None,
        **options: Any,
    ) -> Running:
        service = Service(Recog.open(gallery, settings), Store(store_path(gallery)), Options(**options))
        access = Access(service.store, bind or Bind())
        app = make_app(service, access)
        config = uvicorn.Config(
            app, "127.0.0.1", port, log_config=None, access_log=False, ws="websockets-sansio"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, name="test server")
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]

        def end() -> None:
            if end not in ends:
                return
            ends.remove(end)
            running.close()
            service.halt()
            server.should_exit = True
            thread.join()
            service.close()
            service.recog.close()

        running = Running(app, service, access, f"http://127.0.0.1:{port}/", end)
        ends.append(end)
        return running

    yield start
    for end in reversed(ends.copy()):
        end()


@pytest.fixture
def running(serve: Callable[..., Running]) -> Running:
    """A service with nobody enrolled."""
    return serve()


@pytest.fixture
def png(world: Any, tmp_path: Path) -> Callable[..., tuple[str, bytes]]:
    """A photograph as a file of a form: of faces of these colours, beside each other."""

    def make(name: str, *colours: tuple[int, int, int], side: int = 80) -> tuple[str, bytes]:
        path = world.picture(tmp_path / f"{name}.png", *colours, side=side)
        return f"{name}.png", Path(path).read_bytes()

    return make
