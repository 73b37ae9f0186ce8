"""What kind of device a camera of this machine is: one with a lens, or a program that plays one.

Linux tells: a camera that a program made (v4l2loopback, vivid) lies below /sys/devices/virtual, a camera on
a bus does not. No other system tells so surely, and names are only names.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys/class/video4linux")
# Of programs that make cameras, in case the system puts one elsewhere; none of a camera with a lens.
_PROGRAMS = re.compile(r"obs|virtual|loopback|dummy|vivid|droidcam|iriun|manycam|snap camera|akvcam", re.I)


@dataclass(frozen=True, slots=True)
class Device:
    """What is known of a source as a device."""

    name: str
    real: bool | None  # None where the system does not tell
    why: str
    missing: bool = False  # there is no such camera


def device(spec: str, sysfs: Path = SYSFS) -> Device:
    """What the source that `spec` names is, as `open_source` takes it.

    Args:
        sysfs: where Linux keeps what it knows of cameras.
    """
    found = re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", spec.strip())
    if found is None:
        return Device(spec, False, "it is a recording or a stream, and no camera of this machine")
    number = found[1]
    if not sys.platform.startswith("linux"):
        return Device(
            f"camera {number}", None, "this system does not tell cameras from programs that play one"
        )
    entry = sysfs / f"video{number}"
    try:
        place = entry.resolve(strict=True)
        name = (entry / "name").read_text(errors="replace").strip()
    except OSError:
        why = f"the system knows nothing of a camera {number}"
        return Device(f"camera {number}", None, why, missing=not Path(f"/dev/video{number}").exists())
    if "virtual" in place.parts or _PROGRAMS.search(name):
        return Device(name, False, f"camera {number} ({name}) is a program that plays a camera")
    return Device(name, True, f"camera {number} ({name}) is a device on a bus")
