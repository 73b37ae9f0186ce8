"""A signal asks for an end; a second one ends at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from siamese.interrupt import stop_requested


def test_a_second_signal_ends_at_once() -> None:
    script = """
import time
from siamese.interrupt import stop_requested
with stop_requested() as asked:
    print("ready", flush=True)
    while not asked.wait(0.1):
        pass
    print("asked", flush=True)
    try:
        time.sleep(60)
    finally:
        print("unwound")
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.stdout.readline() == "asked\n"
        child.send_signal(signal.SIGTERM)
        assert child.stdout.read() == ""
        assert child.wait(10) == 143


def test_a_signal_may_come_while_any_lock_is_held() -> None:
    script = """
import os, signal, threading
from siamese.interrupt import stop_requested
lock, told = threading.Lock(), threading.Event()
def halt():
    with lock:
        told.set()
with stop_requested(halt) as asked:
    with lock, asked._cond:  # as in the middle of its wait
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.is_set() and not told.is_set()
    assert asked.wait() and told.wait(10)
"""
    # Whoever waits for their own lock does not hear a second signal either, so this one is killed.
    subprocess.run([sys.executable, "-c", script], check=True, timeout=20)


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_requested() as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked.wait(0.1)
    finally:
        signal.signal(signal.SIGHUP, before)
