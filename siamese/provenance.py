"""What figures were measured with: the rules, the code and the packages."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OUTSIDE = ("none", "label-free", "labelled")
PROTOCOLS = ("restricted", "unrestricted")
PACKAGES = ("recog", "numpy", "scipy", "onnxruntime", "opencv-python")


def category(card: Mapping[str, Any]) -> str:
    """Where LFW's rules put a model, from its card.

    `outside data` begins with one of OUTSIDE, and may go on to say more. `protocol` is one of PROTOCOLS;
    where the card does not say, the freer one, by which people's names may be used.
    """
    outside = next(iter(str(card.get("outside data", "")).split()), "")
    protocol = card.get("protocol", "unrestricted")
    if outside not in OUTSIDE or protocol not in PROTOCOLS:
        return "unknown: the model card does not say"
    return f"{protocol}, " + ("no outside data" if outside == "none" else f"{outside} outside data")


def commit() -> str | None:
    """The commit that this code is of, with `-dirty` where files differ from it; None where it is of none."""
    folder, own = str(Path(__file__).parent), Path(__file__).name
    # An installed copy may lie within somebody else's repository: that one's commit says nothing.
    describe = ["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        subprocess.run(
            ["git", "-C", folder, "ls-files", "--error-unmatch", own], check=True, capture_output=True
        )
        return subprocess.run(describe, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def versions() -> dict[str, str]:
    """Of Python and of the packages that figures may depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The processor, as far as the system names it, its cores, and what runs on it."""
    name = platform.processor() or platform.machine()
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        models = [
            line.partition(":")[2].strip() for line in listed.read_text().splitlines() if "model name" in line
        ]
        name = next(iter(models), name)
    return {"processor": name, "cores": os.cpu_count(), "system": platform.platform(terse=True)}
