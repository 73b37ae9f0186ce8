"""Being asked to end in the middle of work that must not be cut in half."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Ctrl-C; `kill`, `docker stop` and `systemctl stop`; a terminal that is closed, which Windows does not have.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class StopRequest(threading.Event):
    """Set once somebody has asked for an end.

    Attributes:
        exit_code: what the process should then end with: 128 and the number of the signal; None until asked.
    """

    exit_code: int | None = None

    def is_set(self) -> bool:
        """Whether somebody has; from the moment of the signal on."""
        return self.exit_code is not None or super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """As that of an event."""
        return self.is_set() or super().wait(timeout) or self.is_set()


@contextmanager
def stop_requested(then: Callable[[], None] = lambda: None) -> Iterator[StopRequest]:
    """A request that Ctrl-C, SIGTERM and SIGHUP set, so that a step is never cut in half.

    A second signal ends the process at once, whatever it is doing. SIGTERM and SIGHUP stay ignored where they
    are, as `nohup` has it.

    Args:
        then: called when the first signal comes, in a thread of its own.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # signals belong to the main thread
        return

    def tell() -> None:
        request.set()
        then()

    def ask(number: int, _frame: Any) -> None:
        if request.is_set():
            _end_at_once(number)
        request.exit_code = 128 + number
        # What a signal interrupts may hold any lock, that of an event too, in the middle of its `wait`: who
        # asks for it here waits for ever. So that is done beside. (`threading.Thread` takes locks, too.)
        _thread.start_new_thread(tell, ())

    before = {number: signal.getsignal(number) for number in SIGNALS}
    # A shell has what runs in the background ignore SIGINT; sent to it all the same, it is meant.
    heeded = [each for each in SIGNALS if each == signal.SIGINT or before[each] is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        for number in heeded:
            signal.signal(number, before[number])


@contextmanager
def unwound() -> Iterator[None]:
    """Have SIGTERM and SIGHUP raise SystemExit: what is open is closed, what is half made is removed."""

    def leave(number: int, _frame: Any) -> None:
        raise SystemExit(128 + number)

    others = [number for number in SIGNALS if number != signal.SIGINT]
    heeded = [number for number in others if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        heeded = []
    for number in heeded:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


def _end_at_once(number: int) -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        os.write(2, b"\x1b[?25h\n")  # a progress bar has hidden the cursor
    os._exit(128 + number)
