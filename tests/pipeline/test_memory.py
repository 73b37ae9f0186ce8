"""Threads share a few pools of memory, and pictures use the memory again that the ones before gave back."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.memory import ARENAS

POOLS = """
import ctypes, sys, threading
from pipeline.memory import share_memory

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


# In a process of its own: what an allocator keeps depends on all that was done before.
READ = """
import resource, sys
from pipeline.sources.open import open_source

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

with open_source(sys.argv[1]) as source:
    frames = iter(source)
    for _ in range(20):  # until as many pictures are in flight as ever are
        next(frames)
    before = faults()
    for _ in range(40):
        next(frames)
    print((faults() - before) / 40)
"""


def _film(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        image = np.zeros((720, 1280, 3), np.uint8)
        for i in range(70):
            image[:, i] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is the one that is told")
def test_a_frame_asks_the_system_for_hardly_any_memory(tmp_path: Path) -> None:
    _film(tmp_path / "large.mp4")
    run = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "large.mp4")], capture_output=True, text=True, check=True
    )
    assert float(run.stdout) < 200  # a picture is 675 pages; measured: 440 if they are asked for, 25 if kept
