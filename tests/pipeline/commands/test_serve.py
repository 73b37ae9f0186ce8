"""`recog serve` as a process: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.service.store import store_path

RECOG = [sys.executable, "-c", "from pipeline.cli import main; main()", "serve"]


class Served:
    """A running `recog serve`."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [*RECOG, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        self.url, _, self.key = self.said.split()[-1].partition("?key=") if self.said else ("", "", "")

    def client(self) -> httpx.Client:
        """Somebody who has logged in by the key that was printed."""
        client = httpx.Client(
            base_url=self.url, trust_env=False, timeout=20, headers={"origin": self.url[:-1]}
        )
        assert client.post("api/v1/login", json={"key": self.key}).status_code == 200
        return client

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code, which must come soon."""
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def served() -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*arguments: object) -> Served:
        started.append(Served(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def test_sigterm_ends_it_in_good_order_with_its_code_and_a_restart_goes_on(
    served: Callable[..., Served], minute: Path, tmp_path: Path, until: Callable[..., Any]
) -> None:
    gallery = tmp_path / "people.db"
    first = served("-g", gallery, "--source", minute, "--port", 0)
    with closing(first.client()) as client:
        source = client.get("api/v1/sources").json()["items"][0]["id"]
        until(lambda: client.get(f"api/v1/sources/{source}").json()["state"] == "running", 60)
        with client.stream("GET", f"api/v1/sources/{source}/stream.mjpeg") as stream:
            parts = stream.iter_raw()  # kept: where it is dropped, the stream is closed
            next(parts)  # somebody watches while it is to end
            code = first.end()
    assert code == 143
    with sqlite3.connect(store_path(gallery)) as kept:
        assert kept.execute("SELECT wanted FROM sources").fetchall() == [("running",)]
        assert kept.execute("SELECT count(*) FROM events WHERE present").fetchone() == (0,)
    kept.close()
    assert not list(tmp_path.glob("*-wal"))  # all of it is in the files
    again = served("-g", gallery, "--port", 0)
    assert "?key=" not in again.said  # whoever has logged in is known
    assert again.end(signal.SIGINT) == 130


def test_it_refuses_in_one_line(served: Callable[..., Served], recog: Any, tmp_path: Path) -> None:
    gallery = tmp_path / "people.db"
    running = served("-g", gallery, "--port", 0)
    recog("serve", "-g", gallery, "--port", 0).refused("another recog serve has")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        recog("serve", "-g", tmp_path / "b.db", "--port", port).refused(
            f"cannot listen on 127.0.0.1, port {port}"
        )
    other = tmp_path / "c.db"
    recog("serve", "-g", other, "--folder", tmp_path / "none", "--port", 0).refused("there is no such folder")
    for missing in (tmp_path / "none.mp4", "none.mp4"):
        recog("serve", "-g", other, "--source", missing, "--port", 0).refused("does not exist; give a file")
    assert recog("serve", "-g", other, "--source", "", "--port", 0).code == 2
    recog("serve", "-g", other, "--host", "0.0.0.0", "--port", 0).refused(
        "can be reached from other machines"
    )
    recog("serve", "-g", other, "--host", "no.such.host.invalid", "--port", 0).refused("cannot listen on")
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    tls = ("--tls-cert", broken, "--tls-key", broken)
    recog("serve", "-g", other, "--port", 0, *tls).refused("--tls-cert")
    assert recog("serve", "-g", other, "--tls-cert", broken).code == 2
    assert running.end() == 143


def test_options_before_a_subcommand_are_refused_not_dropped(recog: Any, tmp_path: Path) -> None:
    gallery = tmp_path / "people.db"
    for command in (("serve", "token", "list"), ("calibrate", "cohort"), ("auth", "test")):
        refused = recog(command[0], "-g", gallery, *command[1:])
        assert refused.code == 2
        assert "--gallery" in refused.err
        assert command[1] in refused.err
    assert list(tmp_path.iterdir()) == []
    assert recog("serve", "token", "list", "-g", gallery).out == "there are no tokens\n"


def test_the_key_that_is_printed_logs_in_once_and_no_log_tells_it(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    running = served("-g", tmp_path / "people.db", "--port", 0)
    with httpx.Client(base_url=running.url, trust_env=False) as client:
        assert client.get("", params={"key": running.key}).status_code == 303
        assert client.get("api/v1/me").json()["role"] == "admin"
    with httpx.Client(base_url=running.url, trust_env=False) as client:
        assert client.get("", params={"key": running.key}).status_code == 401
    running.process.send_signal(signal.SIGTERM)
    out, err = running.process.communicate(timeout=30)
    assert running.key not in out + err
