"""How long `recog --help` takes beside importing typer alone, taken in turn.

    uv run python benchmarks/cli_start.py --out benchmarks/results/cli-start.json

All are whole processes with compiled bytecode. CPU time is what the system charges to a process, which
other work on the machine disturbs less than it does the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

from pipeline.outputs.places import output_file

COMMANDS = {
    "import typer": [sys.executable, "-c", "import typer"],
    "recog --help": [sys.executable, "-c", "from pipeline.cli import main; main()", "--help"],
    "recog run --help": [sys.executable, "-c", "from pipeline.cli import main; main()", "run", "--help"],
}


def seconds(command: list[str]) -> tuple[float, float]:
    """CPU and wall-clock seconds of one process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=output_file)
    options = parser.parse_args()
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        seconds(command)  # compiles
    for _ in range(options.rounds):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    base = [cpu for cpu, _ in taken["import typer"]]
    report = {}
    for name, each in taken.items():
        ratios = [cpu / other for (cpu, _), other in zip(each, base, strict=True)]
        quarters = statistics.quantiles(ratios, n=4)
        report[name] = {
            "cpu_ms_median": round(1000 * statistics.median(cpu for cpu, _ in each), 1),
            "wall_ms_median": round(1000 * statistics.median(wall for _, wall in each), 1),
            "times_typer_median": round(statistics.median(ratios), 2),
            "times_typer_quartiles": [round(quarters[0], 2), round(quarters[2], 2)],
        }
    text = json.dumps({"rounds": options.rounds, "commands": report}, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
