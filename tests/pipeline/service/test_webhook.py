"""A service posts what is seen in every source to one address, and counts what became of it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SinkError
from pipeline.outputs.ledger import Ledger


class Receiver:
    """A web server that refuses events of strangers, as one may."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.heard.append(event)
                self.send_response(403 if event["event"] == "unknown" else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://ann:s3cret@127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_events_of_every_source_are_posted_and_counted_by_result(
    serve: Callable[..., Any],
    until: Callable[..., Any],
    receiver: Receiver,
    world: Any,
    recog: Any,
    tmp_path: Path,
) -> None:
    gallery = tmp_path / "people.db"
    photo = world.picture(tmp_path / "red.png", world.RED)
    assert recog("enroll", "--name", "Red", "--images", photo, "--gallery", gallery).code == 0
    film = world.film(tmp_path / "street.avi", world.RED, world.BLUE, count=20)
    running = serve(gallery, sources=(str(film),), webhook=receiver.url)
    kinds = ["entered", "entered", "left", "left", "recognised", "unknown"]
    until(lambda: sorted(each["event"] for each in receiver.heard) == kinds)
    assert {each.get("name") for each in receiver.heard if each["event"] == "recognised"} == {"Red"}
    metrics = until(
        lambda: 'result="delivered"} 5.0' in (text := running.viewer.get("api/v1/metrics").text) and text
    )
    assert 'recog_webhook_events_total{result="rejected"} 1.0' in metrics
    assert 'recog_webhook_events_total{result="dropped"} 0.0' in metrics
    (noted,) = (each.where for each in Ledger(gallery).entries() if each.kind == "webhook")
    assert noted.startswith("http://127.0.0.1:")
    assert "s3cret" not in metrics + noted


def test_an_address_that_is_none_is_refused_at_the_start(serve: Callable[..., Any]) -> None:
    with pytest.raises(SinkError, match="http://"):
        serve(webhook="ftp://example.org/")
