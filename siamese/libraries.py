"""Libraries of others are kept from reporting home and from leaving files in the user's home.

This holds for this process and for all that it starts. What was checked, and how: docs/privacy.md.
"""

from __future__ import annotations

import os
from pathlib import Path


def restrain() -> None:
    """To be called before such a library is imported. Cheap, may be called again.

    onnxruntime from 1.29 reports on Linux by default: it looks up its maker's host and leaves a device id and
    queued events in `~/.cache/Microsoft`. It reads the variable once, while it is imported; its own
    `disable_telemetry_events` comes too late to keep it from either.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # A Ray cluster reports its use from its first node, once an hour, unless told not to before it starts.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Under `uv run` it would send the current folder, whatever is in it, to the cluster, and begin workers in
    # copies of it by `uv run`; with `--no-sync` none of them can.
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # By the XDG base directory specification a relative path there is to be ignored.
    cache = cache if os.path.isabs(cache) else os.path.expanduser("~/.cache")
    # It keeps a list of fonts, and makes it again in a second where it may not. Not in a folder that others
    # can write to: matplotlib runs code that it is told of there.
    os.environ.setdefault("MPLCONFIGDIR", str(Path(cache) / "recog" / "matplotlib"))
