"""Workers on a Ray cluster, an actor for each. The one place that knows Ray, which is imported only here.

Ray keeps its logs and sockets in /tmp/ray on each machine. Tasks and what comes of them travel through it:
paths, settings and counts; films and results stay in the folders that all machines share.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
import signal
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.api import ERRORS
from pipeline.errors import PipelineError
from pipeline.fleet.crew import Died
from pipeline.fleet.jobs import Outcome, Recipe, Task
from pipeline.fleet.worker import Worker
from siamese import libraries
from siamese.interrupt import SIGNALS

_PORT = re.compile(r"(?P<client>ray://)?\[?(?P<host>[^/\[\]]+?)\]?(:(?P<port>\d{1,5}))?/?")
_CLIENT_PORT = 10001  # of ray://HOST
_ANSWER = 5.0  # seconds in which a machine has to take a connection
_START = "begin one with: ray start --head --disable-usage-stats"
_GONE = "its machine is gone, or cannot be reached"
_STARTS = 3  # in a row that may fail


def connect(address: str) -> Any:
    """Ray, connected to a cluster that is running.

    Args:
        address: `auto` for the cluster that this machine is part of, `ray://HOST:10001`, or `HOST:6379` on a
            machine that is part of it.

    Raises:
        PipelineError: there is none, or it is of another version.
        ModuleNotFoundError: Ray is not installed.
    """
    libraries.restrain()  # before it is imported: it would report its use
    if address.startswith("ray://") and _has_token():  # without ray:// Ray does so by itself
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    import ray

    _answers(address)
    with warnings.catch_warnings(), _signals_kept(), _one_try(address):
        warnings.simplefilter("ignore")  # what they say of a cluster that does not answer, the error says
        _init(ray, address)
    return ray


def _init(ray: Any, address: str) -> None:
    try:
        ray.init(
            address,
            namespace="recog",
            log_to_driver=False,
            logging_level=logging.ERROR,
            ignore_reinit_error=True,
        )
    except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
        line = " ".join(str(error).split())[:200]
        if "version" in line.lower():  # of Ray or Python; both are in the line
            raise PipelineError(f"--ray {address}: {line}; have the same on all machines") from error
        if "any running Ray instance" in line:
            raise PipelineError(f"--ray {address}: no cluster runs on this machine; {_START}") from error
        raise PipelineError(
            f"--ray {address}: no cluster answers there, or it asks for a token that is not here ({line}); "
            f"{_START}"
        ) from error


def _has_token() -> bool:
    named = any(os.environ.get(each) for each in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or (Path.home() / ".ray" / "auth_token").exists()  # where `ray start` makes one


def _answers(address: str) -> None:
    """Whether somebody takes connections there. Ray itself asks for minutes, and says so in many lines."""
    named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    found = _PORT.fullmatch(named)
    if found is None or not (found["client"] or found["port"]):
        return  # a word that Ray knows, or refuses
    try:
        socket.create_connection((found["host"], int(found["port"] or _CLIENT_PORT)), _ANSWER).close()
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PipelineError(f"--ray {named}: no cluster answers there ({why}); {_START}") from error


@contextmanager
def _one_try(address: str) -> Iterator[None]:
    """Of a cluster that /tmp/ray still names but is gone: a try takes 40 seconds, and there would be 20."""
    name = "RAY_gcs_server_port_wait_time_s"  # which a cluster that is begun here would wait for, too
    if address == "local" or name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


@contextmanager
def _signals_kept() -> Iterator[None]:
    """What is done at Ctrl-C and SIGTERM stays what it was: Ray would print a stack and end the process."""
    here = threading.current_thread() is threading.main_thread()  # signals belong to it
    before = {each: signal.getsignal(each) for each in SIGNALS} if here else {}
    try:
        yield
    finally:
        for each, handler in before.items():
            if handler is not None:
                signal.signal(each, handler)


class _Actor:
    """A worker, as the cluster runs it."""

    def __init__(self, recipe: Recipe) -> None:
        libraries.restrain()
        self._recipe = recipe

    def begin(self, asking: str) -> None:
        """Open models and gallery.

        Args:
            asking: the version of recog on the machine that asks for the work.

        Raises:
            PipelineError: there is another one here.
            PipelineError, SiameseError, GalleryError: as `Worker`.
        """
        here = importlib.metadata.version("recog")
        if here != asking:
            raise PipelineError(f"its machine has recog {here}, this one {asking}; have the same on all")
        self._worker = Worker(self._recipe)

    def do(self, task: Task) -> Outcome:
        """See `Worker.do`."""
        return self._worker.do(task)


class Actors:
    """As many workers as the cluster has room for, also on machines that join later. To be closed.

    A worker that is lost, with its machine or alone, is replaced where there is room.
    """

    def __init__(self, recipe: Recipe, address: str, most: int | None) -> None:
        """
        Args:
            address: as `connect` takes it.
            most: how many at once; None for as many as there is room for.

        Raises:
            PipelineError: the cluster does not answer, or has no room for one.
        """
        self._ray = connect(address)
        self._most, self._processors = most, recipe.settings.runtime.threads
        # Whoever asks for the work knows what is done: nothing is tried again behind its back.
        options = {"num_cpus": self._processors, "max_restarts": 0, "max_task_retries": 0}
        self._kind = self._ray.remote(**options)(_Actor)
        self._recipe = self._ray.put(recipe)
        self._coming: dict[Any, Any] = {}  # actors that are not ready yet, by what will say so
        self._idle: list[Any] = []
        self._stillborn = 0  # workers in a row that ended while they were starting, on machines that stay
        self._busy: dict[Any, tuple[Any, Task]] = {}
        if not self._room():
            self.close()
            raise PipelineError(
                f"--ray {address}: no machine of the cluster has {self._processors} processors"
            )
        self._grow()

    def free(self) -> int:
        return len(self._idle)

    def give(self, task: Task) -> None:
        actor = self._idle.pop()
        self._busy[actor.do.remote(task)] = actor, task

    def wait(self, seconds: float) -> list[tuple[Task, Outcome | Died]]:
        self._grow()
        waiting = [*self._coming, *self._busy]
        if not waiting:  # all machines are lost: others may come
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=seconds if not self._busy else 0)
        if not ready:
            ready, _ = self._ray.wait(waiting, num_returns=1, timeout=seconds)
        found: list[tuple[Task, Outcome | Died]] = []
        for each in ready:
            if each in self._coming:
                self._welcome(each)
            else:
                actor, task = self._busy.pop(each)
                try:
                    found.append((task, self._ray.get(each)))
                    self._idle.append(actor)
                except self._ray.exceptions.RayError as error:
                    self._ray.kill(actor)  # it may only be out of reach: what it still does is done again
                    found.append((task, Died(reason(error))))
        return found

    def close(self) -> None:
        """End the workers, whatever they are doing, and leave the cluster."""
        for actor in [*self._idle, *self._coming.values(), *(actor for actor, _ in self._busy.values())]:
            self._ray.kill(actor)
        self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _room(self) -> int:
        """How many workers the machines that are there have room for."""
        there = [node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]]
        room = sum(int(processors // self._processors) for processors in there)
        return room if self._most is None else min(room, self._most)

    def _grow(self) -> None:
        """Have as many workers as there is room for."""
        for _ in range(self._room() - len(self._coming) - len(self._idle) - len(self._busy)):
            actor = self._kind.remote(self._recipe)
            self._coming[actor.begin.remote(importlib.metadata.version("recog"))] = actor

    def _welcome(self, said: Any) -> None:
        actor = self._coming.pop(said)
        try:
            self._ray.get(said)
        except self._ray.exceptions.RayTaskError as error:  # what it raised there; its text is the traceback
            if isinstance(error.cause, ERRORS):
                raise PipelineError(f"a worker cannot begin: {error.cause}") from error
            raise
        except self._ray.exceptions.RayError as error:
            self._ray.kill(actor)  # it may only be out of reach, and would keep its processors
            why = reason(error)
            self._stillborn += why != _GONE
            if self._stillborn >= _STARTS:
                raise PipelineError(f"workers end while they are starting ({why})") from error
            return
        self._stillborn = 0
        self._idle.append(actor)


def reason(error: Exception) -> str:
    """Why an actor does not answer, in one line."""
    text = str(error).lower()
    if "Unavailable" in type(error).__name__ or ("node" in text and "died" in text):
        return _GONE
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
