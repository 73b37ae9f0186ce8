"""How often somebody may call, and how long they wait after failed log-ins."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_KNOWN = 10_000  # callers remembered; the one heard of least recently is forgotten first
FREE_TRIES = 5  # failed log-ins in a row that cost nothing
LONGEST = 300.0  # seconds to wait at most
FORGIVEN = 3600.0  # seconds after which failures are forgotten


class Limit:
    """A token bucket for each caller. Any thread may use it."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            rate: calls a second that may go on for ever.
            burst: calls that may come at once.
        """
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # calls left, when that was so
        self._lock = threading.Lock()

    def wait(self, who: str) -> float:
        """Take one call; seconds to wait where there is none left, 0.0 otherwise."""
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(who, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._rate)
            taken = left >= 1
            self._left[who] = (left - 1 if taken else left, now)
            if len(self._left) > MOST_KNOWN:
                self._left.popitem(last=False)
            return 0.0 if taken else (1 - left) / self._rate


class BackOff:
    """After some failures in a row, each further one doubles the wait. Any thread may use it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how often, when last
        self._lock = threading.Lock()

    def wait(self, who: str) -> float:
        """Seconds until this one may try again; 0.0 for now."""
        with self._lock:
            times, last = self._failed.get(who, (0, 0.0))
            if times < FREE_TRIES:
                return 0.0
            pause = min(LONGEST, 2.0 ** min(times - FREE_TRIES, 30))
            return max(0.0, last + pause - self._clock())

    def failed(self, who: str) -> None:
        """This one gave a wrong key or token."""
        with self._lock:
            now = self._clock()
            times, last = self._failed.pop(who, (0, now))
            self._failed[who] = (1 if now - last > FORGIVEN else times + 1, now)
            if len(self._failed) > MOST_KNOWN:
                self._failed.popitem(last=False)

    def succeeded(self, who: str) -> None:
        """This one is let in; earlier failures are forgotten."""
        with self._lock:
            self._failed.pop(who, None)


def address_of(client: tuple[str, int] | None) -> str:
    """By what a caller's address is remembered: a whole IPv6 network of one household counts as one."""
    if client is None:
        return "unknown"
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0])
    except ValueError:
        return client[0]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
