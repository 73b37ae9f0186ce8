"""However many threads a service has, they share a few pools of memory."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.service.memory import ARENAS

POOLS = """
import ctypes, sys, threading
from pipeline.service.memory import share_memory

if sys.argv[2] == "shared":
    share_memory()
barrier = threading.Barrier(8)

def work():
    barrier.wait()
    kept = [bytes(range(200)) * 100 for _ in range(50)]
    barrier.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"), reason="needs glibc"
)
def test_threads_share_a_few_pools(tmp_path: Path) -> None:
    pools = {}
    for how in ("shared", "each its own"):
        told = tmp_path / f"{how}.xml"
        subprocess.run([sys.executable, "-c", POOLS, told, how], check=True)
        pools[how] = told.read_text().count("<heap nr=")
    assert pools["shared"] <= ARENAS < pools["each its own"]
