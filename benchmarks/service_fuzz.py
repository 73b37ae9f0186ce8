"""Send the service what its own description allows, and what it does not: no answer may be in the 500s.

    uv run --extra serve python benchmarks/service_fuzz.py --requests 5000

schemathesis, run by uvx in a version of its own, reads the OpenAPI description and makes requests of it:
examples, boundary values, random valid and invalid ones for every operation. They go to a real service over
HTTP, with two people and, with `--film`, a film that is being watched and events of it. Every answer is
counted by operation and status. A 503 `busy` with `Retry-After` is documented, and right where too many
pictures are being looked at: those are counted apart, and are no failures.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.api import Recog
from pipeline.outputs.places import output_file
from pipeline.service.access import Access, Bind, Role
from pipeline.service.access.patience import Limit
from pipeline.service.app import make_app
from pipeline.service.service import Options, Service
from pipeline.service.store import Store, store_path

SCHEMATHESIS = "schemathesis==4.32.5"
# What would end the fuzzer's own log-in, and what never ends: runs of their own, last.
LAST = ("stream", "log_out", "revoke_token")
PHOTOGRAPHS = Path(__file__).parents[1] / "pipeline" / "photographs"


class Counted:
    """Middleware: every answer, by route and status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.answers: Counter[tuple[str, int]] = Counter()
        self.busy: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        waits = False

        async def sending(message: Message) -> None:
            nonlocal waits
            route = f"{scope['method']} {getattr(scope.get('route'), 'path', None) or '(no route)'}"
            if message["type"] == "http.response.start":
                self.answers[route, message["status"]] += 1
                waits = message["status"] == 503 and b"retry-after" in dict(message["headers"])
            elif waits and json.loads(message["body"])["code"] == "busy":
                self.busy[route] += 1
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


def main() -> None:
    """Run it, and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=5000, help="at least so many in all")
    parser.add_argument("--film", type=Path, help="a film to watch meanwhile; none for no source")
    parser.add_argument("--workers", type=int, default=2, help="requests at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=output_file, help="where to write the counts, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Recog.open(Path(folder) / "people.db") as recog:
        recog.enroll("Grace Hopper", [PHOTOGRAPHS / "grace-hopper.jpg"])
        recog.enroll("Eileen Collins", [PHOTOGRAPHS / "eileen-collins.jpg"])
        sources = () if options.film is None else (str(options.film.resolve()),)
        with closing(Store(store_path(recog.path))) as store:
            service = Service(recog, store, Options(sources=sources, folders=(PHOTOGRAPHS.resolve(),)))
            access = Access(store, Bind())
            access.calls = access.strangers = Limit(rate=1e9, burst=1e9)  # how often is not what is tried
            app = Counted(make_app(service, access))
            token = access.create_token("fuzzer", Role.ADMIN).text
            listener = socket.create_server(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="websockets-sansio"))
            thread = threading.Thread(target=server.run, args=([listener],))
            thread.start()
            try:
                while not server.started:
                    time.sleep(0.05)
                begun = time.monotonic()
                _fuzz(["--workers", str(options.workers)], url, token, options.seed, options.requests, app)
                took = time.monotonic() - begun
            finally:
                server.should_exit = True
                thread.join()
    total = sum(app.answers.values())
    statuses: Counter[int] = Counter()
    routes: dict[str, dict[str, int]] = {}
    for (route, status), count in sorted(app.answers.items()):
        statuses[status] += count
        routes.setdefault(route, {})[str(status)] = count
    failed = {
        route: found
        for route, found in routes.items()
        if sum(count for status, count in found.items() if int(status) >= 500) > app.busy[route]
    }
    told: dict[str, Any] = {
        "command": " ".join(["benchmarks/service_fuzz.py", *sys.argv[1:]]),
        "schemathesis": SCHEMATHESIS,
        "requests": total,
        "seconds": round(took, 1),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "busy": app.busy.total(),
        "in the 500s": sum(each for status, each in statuses.items() if status >= 500) - app.busy.total(),
        "routes": routes,
    }
    if options.out is not None:
        options.out.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps({key: value for key, value in told.items() if key != "routes"}, indent=1))
    if failed:
        print(json.dumps(failed, indent=1))
        sys.exit(1)


def _fuzz(how: list[str], url: str, token: str, seed: int, least: int, app: Counted) -> None:
    """Run after run, each with another seed, until enough was asked; what ends the log-in comes last."""
    each = max(5, least // 200)
    while sum(app.answers.values()) < least:
        _run(
            url,
            token,
            seed,
            each,
            [*how, "--request-timeout=30", *(f"--exclude-operation-id={name}" for name in LAST)],
        )
        seed += 1
    for name in LAST:
        _run(url, token, seed, 20, ["--request-timeout=1", f"--include-operation-id={name}"])


def _run(url: str, token: str, seed: int, each: int, which: list[str]) -> None:
    subprocess.run(
        [
            "uvx", SCHEMATHESIS, "run", f"{url}/api/v1/openapi.json",
            f"--header=Authorization: Bearer {token}",
            "--checks=not_a_server_error", "--phases=examples,coverage,fuzzing", "--no-shrink",
            "--continue-on-failure", f"--max-examples={each}", f"--seed={seed}",
            "--suppress-health-check=all", "--warnings=off", *which,
        ],
        cwd=tempfile.gettempdir(),  # where it leaves notes of its own
        check=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
