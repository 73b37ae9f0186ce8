"""Whether the one who asks sits at this machine: who is logged in from afar is not before its camera."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_SERVERS = re.compile(r"sshd|dropbear|mosh-server|xrdp|telnetd|rlogind|Xvnc|x11vnc|teleport", re.I)
_VARIABLES = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "PAM_RHOST", "MOSH_CONNECTION")


def remote(environment: Mapping[str, str] = os.environ, proc: Path = Path("/proc")) -> str | None:
    """Why this session is one from afar, in words; None where nothing says so.

    Looks at what SSH and PAM say in the environment, at the programs that started this one, and at what
    systemd says of the session. Whoever controls all of these can hide it: see docs/security.md.

    Args:
        environment: of this process.
        proc: where Linux tells of processes.
    """
    for name in _VARIABLES:
        value = environment.get(name, "")
        if value and value not in ("localhost", "127.0.0.1", "::1"):
            return f"this is a session from afar ({name} is set)"
    if server := _started_by(proc):
        return f"this is a session from afar (started by {server})"
    if _systemd_says(proc):
        return "this is a session from afar (systemd says so)"
    return None


def _started_by(proc: Path) -> str | None:
    """The server of remote sessions among the programs that started this one."""
    process = "self"
    for _ in range(64):
        try:
            stat = (proc / process / "stat").read_text(errors="replace")
        except OSError:
            return None
        name, rest = stat.partition("(")[2].rpartition(")")[::2]
        if _SERVERS.match(name):
            return name
        parent = rest.split()[1] if len(rest.split()) > 1 else "0"
        if parent in ("0", "1"):
            return None
        process = parent
    return None


def _systemd_says(proc: Path) -> bool:
    try:
        session = (proc / "self" / "sessionid").read_text().strip()
        told = (proc.parent / "run" / "systemd" / "sessions" / session).read_text(errors="replace")
    except OSError:
        return False
    return re.search(r"^REMOTE=1$", told, re.M) is not None
