"""Events posted to a web address, without ever holding up the stream.

Each event is one POST with a JSON body. What cannot be delivered is tried again with growing pauses while the
run goes on, in order; meanwhile later events wait in a queue that holds `CAPACITY`, of which the oldest are
dropped and counted. A receiver may therefore see an event twice (its `id` tells). Nothing is lost in silence:
what is dropped is told when that begins, when deliveries work again, and at the end.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from pipeline.errors import SinkError
from pipeline.outputs.events import Event
from pipeline.sources.streams import shown_address

CAPACITY = 256  # events that wait at most
TIMEOUT = 5.0  # seconds for one attempt
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts; doubled each time
_RESERVED = "%/:?#[]@!$&'()*+,;=-._~"  # stands in an address for itself
LINGER = 5.0  # seconds after the run in which what still waits may be delivered


class _Rejected(Exception):  # noqa: N818
    """The receiver does not want this event, and will not want it later."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None  # a POST that is redirected becomes a GET, which delivers nothing


class Webhook:
    """Delivers events from a thread of its own.

    Args:
        url: `http://` or `https://`; a login in it (`https://ann:password@host/`) is sent as HTTP Basic and
            never shown. None makes every method do nothing.
        report: called, in the thread, with one line when deliveries begin to fail and when they work again.

    Attributes:
        delivered, dropped, rejected: how many events were accepted; were never delivered; were refused for
            good by the receiver (a 3xx or 4xx answer).
    """

    def __init__(
        self,
        url: str | None,
        report: Callable[[str], None] = lambda line: None,
        *,
        capacity: int = CAPACITY,
        first_pause: float = FIRST_PAUSE,
        linger: float = LINGER,
    ) -> None:
        """Start the thread. Nothing is sent yet; SinkError if `url` is no web address."""
        self.delivered = self.dropped = self.rejected = 0
        self._report, self._capacity = report, capacity
        self._first_pause, self._linger = first_pause, linger
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._deadline: float | None = None  # set by `close`
        self._failing = False
        self._broken = False
        self._told_of = 0  # how many dropped events the user knows of
        self._in_flight = False
        self._thread: threading.Thread | None = None
        if url is not None:
            self._url, self._headers = check_url(url)
            self._name = f"webhook {shown_address(url)}"
            self._opener = urllib.request.build_opener(_NoRedirect)
            self._thread = threading.Thread(target=self._work, name="recog webhook", daemon=True)
            self._thread.start()

    def send(self, events: Iterable[Event]) -> None:
        """Queue events for delivery. Returns at once."""
        if self._thread is None:
            return
        bodies = [json.dumps(event.as_message(), allow_nan=False).encode() for event in events]
        with self._changed:
            before = self.dropped
            for body in bodies:
                if self._broken:
                    self.dropped += 1
                    continue
                if len(self._waiting) >= self._capacity:
                    self._waiting.popleft()
                    self.dropped += 1
                self._waiting.append(body)
            begins = not before and self.dropped and not self._broken
            self._changed.notify()
        if begins:
            self._report(f"{self._name}: {self._capacity} events wait, the oldest are dropped from now on")

    def close(self) -> str | None:
        """Deliver what still waits, for some seconds; the rest is dropped. May be called again.

        Returns:
            what was lost, in one line, if anything was.
        """
        if self._thread is None:
            return None
        with self._changed:
            if self._deadline is None:
                self._deadline = time.monotonic() + self._linger
            self._changed.notify()
        self._thread.join(max(0.0, self._deadline - time.monotonic()) + TIMEOUT)
        with self._changed:
            self.dropped += len(self._waiting) + self._in_flight
            self._waiting.clear()
            self._in_flight = False  # the last one may have arrived all the same; nobody knows
        if not self.dropped and not self.rejected:
            return None
        counts = f"{self.delivered} delivered, {self.dropped} dropped, {self.rejected} rejected"
        return f"{self._name}: of the events, {counts}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        try:
            self._deliver()
        except BaseException:
            with self._changed:  # a defect of ours: nothing more will be sent, and that is said
                self._broken = True
                self.dropped += len(self._waiting) + self._in_flight
                self._waiting.clear()
                self._in_flight = False
            self._report(f"{self._name}: stopped by an error in recog; no more events are sent")
            raise

    def _deliver(self) -> None:
        pause = self._first_pause
        while (body := self._next()) is not None:
            try:
                self._post(body)
            except _Rejected as refusal:
                self.rejected += 1
                self._tell(f"{self._name} rejects events: {refusal}")
            except (OSError, http.client.HTTPException) as error:
                self._tell(f"{self._name} cannot be reached ({_reason(error)}); trying again")
                self._put_back(body)
                if not self._wait(pause):
                    return
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            else:
                self.delivered += 1
                if self._failing:
                    self._failing = False
                    lost, self._told_of = self.dropped - self._told_of, self.dropped
                    meanwhile = f"; {lost} {'was' if lost == 1 else 'were'} dropped meanwhile" if lost else ""
                    self._report(f"{self._name} takes events again{meanwhile}")
            with self._changed:
                self._in_flight = False
            pause = self._first_pause

    def _next(self) -> bytes | None:
        """The event to deliver now; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._deadline is not None)
            late = self._deadline is not None and time.monotonic() > self._deadline
            if late or not self._waiting:
                return None
            self._in_flight = True
            return self._waiting.popleft()

    def _put_back(self, body: bytes) -> None:
        with self._changed:
            self._in_flight = False
            if len(self._waiting) >= self._capacity:  # it is the oldest
                self.dropped += 1
            else:
                self._waiting.appendleft(body)

    def _wait(self, pause: float) -> bool:
        """Wait before the next attempt; False if there is to be none."""
        end = time.monotonic() + pause
        with self._changed:
            while (now := time.monotonic()) < end:
                if self._deadline is not None and now > self._deadline:
                    return False
                until = end if self._deadline is None else min(end, self._deadline + 0.001)
                self._changed.wait(until - now)
        return True

    def _tell(self, line: str) -> None:
        if not self._failing:
            self._failing = True
            self._report(line)

    def _post(self, body: bytes) -> None:
        request = urllib.request.Request(self._url, body, self._headers, method="POST")  # noqa: S310 (checked)
        try:
            with self._opener.open(request, timeout=TIMEOUT):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 and error.code not in (408, 425, 429):
                raise _Rejected(f"HTTP {error.code} {error.reason}") from error
            raise


def check_url(url: str) -> tuple[str, dict[str, str]]:
    """The address as it is sent, in ASCII and without its login, and the headers to send.

    Raises:
        SinkError: it is no web address.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host = _in_ascii(parts.netloc.rpartition("@")[2])
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        path, query = (urllib.parse.quote(part, _RESERVED) for part in (parts.path, parts.query))
    except ValueError:  # UnicodeError is one
        usable = False
    if not usable or any(character.isspace() or not character.isprintable() for character in url):
        raise SinkError(
            f"--webhook {shown_address(url)}: give an address that begins with http:// or https://"
        )
    headers = {"Content-Type": "application/json", "User-Agent": "recog"}
    if parts.username is not None:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    return parts._replace(netloc=host, path=path, query=query, fragment="").geturl(), headers


def _in_ascii(host: str) -> str:
    """A host, perhaps with a port, as it travels: such as `xn--bcher-kva.example`. Raises ValueError."""
    if host.isascii():
        return host
    name, colon, port = host.partition(":")  # what is not ASCII is no IPv6 address
    return name.encode("idna").decode() + colon + port


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
