"""Who is logged in from afar is told by the environment, by what started the program, and by systemd."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.authentication.place import remote


def process(proc: Path, number: str, name: str, parent: int) -> None:
    (proc / number).mkdir(parents=True)
    (proc / number / "stat").write_text(f"1 ({name}) S {parent} 1 1 0")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    made = tmp_path / "proc"
    process(made, "self", "recog", 30)
    return made


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "PAM_RHOST", "MOSH_CONNECTION"])
def test_the_environment_tells(name: str, proc: Path) -> None:
    process(proc, "30", "bash", 1)
    assert name in (remote({name: "10.0.0.7 5000 22"}, proc) or "")
    assert remote({name: ""}, proc) is None


@pytest.mark.parametrize("server", ["sshd", "sshd-session", "mosh-server", "xrdp-sesman", "dropbear"])
def test_the_programs_that_started_it_tell_also_behind_sudo(server: str, proc: Path) -> None:
    process(proc, "30", "sudo (x) y", 29)
    process(proc, "29", "bash", 28)
    process(proc, "28", server, 1)
    assert server in (remote({}, proc) or "")


def test_systemd_tells(proc: Path, tmp_path: Path) -> None:
    process(proc, "30", "tmux: server", 1)
    (proc / "self" / "sessionid").write_text("7\n")
    sessions = tmp_path / "run" / "systemd" / "sessions"
    sessions.mkdir(parents=True)
    (sessions / "7").write_text("UID=1000\nREMOTE=0\n")
    assert remote({}, proc) is None
    (sessions / "7").write_text("UID=1000\nREMOTE=1\n")
    assert "systemd" in (remote({}, proc) or "")


def test_a_session_at_the_machine_is_none_from_afar(proc: Path, tmp_path: Path) -> None:
    process(proc, "30", "gnome-terminal-", 2)
    process(proc, "2", "systemd", 1)
    assert remote({"PAM_RHOST": "localhost"}, proc) is None
    assert remote({}, tmp_path / "no such") is None
