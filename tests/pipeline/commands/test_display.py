"""What a command says while it runs, in a process of its own: stdout is no terminal there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SAY = "from pipeline.commands.display import heard; report, warn = heard(); report('lost'); warn('back')"


def run(code: str, stdout: object) -> subprocess.CompletedProcess[str]:
    shown = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-c", code],
        stdout=stdout,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        text=True,
        env=shown,
        check=False,
    )


def test_what_is_reported_stands_in_the_journal_at_once_and_not_when_the_run_ends(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with journal.open("w") as file:
        run(f"{SAY}; import os; os.kill(os.getpid(), 9)", file)
    assert journal.read_text() == "lost\nback\n"


def test_a_reader_that_is_gone_does_not_end_the_run_and_is_told_of_when_it_ends() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = run(
        f"{SAY}; import sys; print('whole', file=sys.stderr)\n"
        "try: sys.stdout.flush()\n"
        "except BrokenPipeError: print('gone', file=sys.stderr); import os; os._exit(0)",
        writing,
    )
    os.close(writing)
    assert ended.stderr.splitlines() == ["whole", "gone"]
