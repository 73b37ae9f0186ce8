"""Events reach a receiver that fails and recovers, in order; the stream never waits, losses are counted."""

import base64
import itertools
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.errors import SinkError
from pipeline.outputs.events import Event
from pipeline.outputs.webhook import Webhook, check_url


def event(frame: int) -> Event:
    return Event("entered", frame / 10, frame, "street.mp4", 1, (1, 2, 3, 4), id=f"run-{frame}")


class Receiver:
    """A real web server that answers with `code` and keeps what it was sent."""

    def __init__(self) -> None:
        self.code = 204
        self.delay = 0.0
        self.asked = 0
        self.times: list[float] = []  # at which it was asked
        self.frames: list[int] = []
        self.headers: dict[str, str] = {}
        self.path = ""
        self.bodies: list[dict[str, object]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                receiver.times.append(time.monotonic())
                receiver.headers = dict(self.headers)
                receiver.path = self.path
                receiver.bodies.append(json.loads(body))
                time.sleep(receiver.delay)
                if receiver.code == 204:
                    receiver.frames.append(json.loads(body)["frame"])
                self.send_response(receiver.code)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._handler = Handler
        self.start(0)

    def start(self, port: int) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler)
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True)
        self._thread.start()
        self.place = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.place}/events"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def wait_until(condition: object) -> None:
    end = time.monotonic() + 20
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_events_arrive_in_order_as_json(receiver: Receiver) -> None:
    with Webhook(receiver.url) as webhook:
        webhook.send([event(i) for i in range(5)])
        webhook.send([event(5)])
        assert webhook.close() is None
    assert receiver.frames == list(range(6))
    assert receiver.headers["Content-Type"] == "application/json"
    assert webhook.delivered == 6


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_receiver_that_fails_gets_everything_once_it_recovers(receiver: Receiver, code: int) -> None:
    lines: list[str] = []
    receiver.code = code
    with Webhook(receiver.url, lines.append, first_pause=0.02) as webhook:
        webhook.send([event(0), event(1)])
        wait_until(lambda: receiver.asked >= 3)
        assert receiver.frames == []
        receiver.code = 204
        webhook.send([event(2)])
        wait_until(lambda: webhook.delivered == 3)
    assert receiver.frames == [0, 1, 2]
    assert lines == [
        f"webhook {receiver.url} cannot be reached (HTTP {code}); trying again",
        f"webhook {receiver.url} takes events again",
    ]


def test_a_receiver_that_is_not_there_yet_gets_everything_once_it_is(receiver: Receiver) -> None:
    port = int(receiver.place.split(":")[1])
    receiver.stop()
    lines: list[str] = []
    with Webhook(receiver.url, lines.append, first_pause=0.02) as webhook:
        webhook.send([event(0), event(1)])
        wait_until(lambda: lines)
        receiver.start(port)
        wait_until(lambda: webhook.delivered == 2)
    assert receiver.frames == [0, 1]
    assert "Connection refused" in lines[0]


def test_each_pause_is_twice_the_one_before(receiver: Receiver) -> None:
    receiver.code = 500
    with Webhook(receiver.url, first_pause=0.05, linger=0.0) as webhook:
        webhook.send([event(0)])
        wait_until(lambda: len(receiver.times) >= 5)
    pauses = [later - earlier for earlier, later in itertools.pairwise(receiver.times)]
    # A busy machine makes them longer, nothing makes them shorter.
    assert all(pause >= 0.05 * 2**number for number, pause in enumerate(pauses)), pauses


def test_a_full_queue_drops_the_oldest_counts_them_and_never_blocks(receiver: Receiver) -> None:
    receiver.code = 500
    webhook = Webhook(receiver.url, capacity=4, first_pause=0.02, linger=5.0)
    webhook.send([event(0)])
    wait_until(lambda: receiver.asked)
    webhook.send([event(i) for i in range(1, 1001)])  # nothing is delivered: who waited would wait for ever
    receiver.code = 204
    told = webhook.close()
    assert receiver.frames[-4:] == [997, 998, 999, 1000]
    assert webhook.delivered + webhook.dropped == 1001
    assert told == (
        f"webhook {receiver.url}: of the events, {webhook.delivered} delivered, "
        f"{webhook.dropped} dropped, 0 rejected"
    )


def test_what_cannot_be_delivered_does_not_hold_up_the_end(receiver: Receiver) -> None:
    receiver.code = 500
    webhook = Webhook(receiver.url, first_pause=30.0, linger=0.2)
    webhook.send([event(0), event(1)])
    wait_until(lambda: receiver.asked)
    started = time.monotonic()
    assert "2 dropped" in str(webhook.close())
    assert time.monotonic() - started < 20, "it waited for the next try"


@pytest.mark.parametrize("code", [301, 307, 400, 401, 404])
def test_what_the_receiver_refuses_is_not_sent_again(receiver: Receiver, code: int) -> None:
    receiver.code = code
    lines: list[str] = []
    with Webhook(receiver.url, lines.append) as webhook:
        webhook.send([event(0)])
        assert "0 delivered, 0 dropped, 1 rejected" in str(webhook.close())
    assert receiver.asked == 1
    assert f"HTTP {code}" in lines[0]


def test_a_login_is_sent_and_never_shown(receiver: Receiver) -> None:
    receiver.code = 401
    lines: list[str] = []
    with Webhook(f"http://ann:p%40ss@{receiver.place}/x?key=hidden", lines.append) as webhook:
        webhook.send([event(0)])
        told = str(webhook.close())
    assert base64.b64decode(receiver.headers["Authorization"].removeprefix("Basic ")) == b"ann:p@ss"
    shown = f"http://***@{receiver.place}/x?***"
    assert shown in told
    assert not any(
        secret in text for text in [*lines, told] for secret in ("ann", "p%40ss", "p@ss", "hidden")
    )


@pytest.mark.parametrize(
    "url", ["", "host/x", "ftp://host/x", "http://", "http://host:99999/", "http://a b/"]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(SinkError, match="--webhook"):
        check_url(url)


def test_without_an_address_nothing_happens() -> None:
    with Webhook(None) as webhook:
        webhook.send([event(0)])
        assert webhook.close() is None
    assert webhook.dropped == 0


def test_an_address_with_letters_beyond_ascii_is_delivered_to(receiver: Receiver) -> None:
    """Such an address used to end the thread, and nothing was sent and nothing said."""
    with Webhook(f"http://{receiver.place}/tür/gesichter?wo=büro&x=%C3%A4") as webhook:
        webhook.send([event(0), event(1)])
        assert webhook.close() is None
    assert receiver.frames == [0, 1]
    assert receiver.path == "/t%C3%BCr/gesichter?wo=b%C3%BCro&x=%C3%A4"


def test_a_host_beyond_ascii_is_looked_up_by_its_ascii_name() -> None:
    assert check_url("http://bücher.example:8080/x")[0] == "http://xn--bcher-kva.example:8080/x"


@pytest.mark.parametrize(
    "url", ["http://bü..cher/", f"http://{'ü' * 80}.example/", "http://host/\x07", "http://ho\udce9st/"]
)
def test_an_address_that_cannot_be_encoded_is_refused_before_the_run(url: str) -> None:
    with pytest.raises(SinkError, match="--webhook"):
        Webhook(url)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_when_the_thread_ends_by_a_defect_everything_that_was_not_sent_is_counted_and_said(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(Webhook, "_post", lambda self, body: 1 / 0)
    webhook = Webhook(receiver.url, lines.append)
    webhook.send([event(0), event(1)])
    wait_until(lambda: lines)
    webhook.send([event(2)])
    assert webhook.close() == f"webhook {receiver.url}: of the events, 0 delivered, 3 dropped, 0 rejected"
    assert lines == [f"webhook {receiver.url}: stopped by an error in recog; no more events are sent"]


def test_what_is_dropped_is_said_when_it_begins_and_counted_when_deliveries_work_again(
    receiver: Receiver,
) -> None:
    lines: list[str] = []
    receiver.code = 500
    with Webhook(receiver.url, lines.append, capacity=2, first_pause=0.02) as webhook:
        webhook.send([event(i) for i in range(5)])
        wait_until(lambda: any("cannot be reached" in line for line in lines))
        receiver.code = 204
        wait_until(lambda: any("takes" in line for line in lines))
    dropped = webhook.dropped
    assert dropped >= 2
    assert f"webhook {receiver.url}: 2 events wait, the oldest are dropped from now on" in lines
    assert lines[-1] == f"webhook {receiver.url} takes events again; {dropped} were dropped meanwhile"


def test_an_event_that_hangs_at_the_end_counts_as_lost(receiver: Receiver) -> None:
    receiver.delay = 30.0
    webhook = Webhook(receiver.url, linger=0.1)
    webhook.send([event(0)])
    wait_until(lambda: receiver.asked)
    webhook._thread.join = lambda timeout: None  # as if the wait were over
    assert "0 delivered, 1 dropped" in str(webhook.close())


def test_what_is_sent_carries_the_version_of_its_fields(receiver: Receiver) -> None:
    with Webhook(receiver.url) as webhook:
        webhook.send([event(0)])
    assert receiver.bodies[0]["schema"] == 1
