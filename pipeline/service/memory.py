"""Keeping the service's memory flat: what one thread gives back, any other one uses again."""

from __future__ import annotations

import ctypes
import sys

ARENAS = 2
_M_ARENA_MAX = -8  # of <malloc.h>


def share_memory() -> None:
    """Have all threads of the process share a few pools of memory; to be called before they start.

    glibc gives nearly every thread a pool of its own, up to eight for each core. Pictures are looked at now
    in this thread, now in that one, and each pool keeps what was largest: measured on 2 cores, 394 MB instead
    of 310 after two minutes of load. Other systems' allocators are left as they are.
    """
    if sys.platform != "linux":
        return
    limit = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and one pool
    if limit is not None:
        limit(_M_ARENA_MAX, ARENAS)
