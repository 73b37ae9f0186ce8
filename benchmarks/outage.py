"""The server of a gallery gone for a minute while people are watched: which events are lost.

    uv run --group dev python benchmarks/outage.py --film friends.mp4 --people DIR --out FILE

Two servers of PostgreSQL (those of the tests) hold the same people. Beside each, the film is watched by
`recog run` (from its standard input, at its own speed, as often in a row as it has to be) and by `recog
serve` (as a film that it plays). One server stays; the other one is killed as soon as somebody has been
named, and started again after `--seconds`. Events of a run are compared whole, without ids and times of
the clock; those of the service, a visit each, by who came in which second of the film, for it may skip
frames where it is late.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import httpx

from pipeline.outputs.places import output_file
from pipeline.recognition.bench import environment
from tests.postgres import Server

RECOG = [sys.executable, "-c", "from pipeline.cli import main; main()"]
BEFORE, AFTER = 25.0, 25.0  # seconds of film around the outage, so that it lies in the middle
OWN = ("at", "time", "id", "seconds_since")  # of an event: what differs from run to run


def in_a_row(film: Path, seconds: float, made: Path) -> float:
    """A film as often in a row as is needed for so many seconds; its length."""
    shift, output = 0.0, None
    with av.open(str(made), "w", "matroska") as container:
        while shift < seconds:
            with av.open(str(film)) as opened:
                stream = opened.streams.video[0]
                if output is None:
                    output = container.add_stream_from_template(stream)
                base, end = stream.time_base, shift
                assert base is not None
                offset = round(shift / base)
                for packet in opened.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, shift + float((packet.pts + (packet.duration or 0)) * base))
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = output
                    container.mux(packet)
                shift = end
    return shift


class Beside:
    """What watches beside one server."""

    def __init__(self, folder: Path, server: Server, film: Path, length: float, *people: Path) -> None:
        """
        Args:
            people: folders of photographs of people who are enrolled first.
        """
        self.folder, self._film, self._length = folder, film, length
        self._environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""}
        self._gallery = ["-g", server.url]
        for each in people:
            self._recog("enroll", "--people", each, check=True)
        self.run = self._recog("run", "-s", "-", "-e", folder / "events.jsonl", stdin=subprocess.PIPE)
        self._pour = threading.Thread(target=self._paced, daemon=True)
        self._pour.start()
        self.serve = self._recog("serve", "--port", "0", "--source", film)
        assert self.serve.stdout is not None
        url, _, key = (
            next(line for line in self.serve.stdout if "?key=" in line).split()[-1].partition("?key=")
        )
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=60, headers={"origin": url[:-1]})
        self.client.post("api/v1/login", json={"key": key}).raise_for_status()

    def _recog(self, *given: object, check: bool = False, stdin: int | None = None) -> Any:
        command = [*RECOG, *map(str, given), *self._gallery]
        if check:
            return subprocess.run(command, env=self._environment, check=True, capture_output=True)
        return subprocess.Popen(
            command, env=self._environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=stdin is None,
        )  # fmt: skip

    def _paced(self) -> None:
        """Hand the film to the run at its own speed."""
        data, begun = self._film.read_bytes(), time.monotonic()
        step = 1 << 14
        with self.run.stdin as pipe:
            for start in range(0, len(data), step):
                pipe.write(data[start : start + step])
                pipe.flush()
                time.sleep(max(0.0, begun + self._length * start / len(data) - time.monotonic()))

    def named(self) -> bool:
        """Whether the run and the service have named somebody."""
        path = self.folder / "events.jsonl"
        told = path.exists() and '"recognised"' in path.read_text()
        return told and any(each["name"] for each in self.visits())

    def visits(self) -> list[dict[str, Any]]:
        """What the service has stored, from the oldest on."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.client.get("api/v1/events", params={"cursor": cursor} if cursor else {})
            found += page.raise_for_status().json()["items"]
            cursor = page.json()["next"]
            if cursor is None:
                return sorted(found, key=lambda each: each["seconds"])

    def ended(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
        """Events of the run, visits of the service, and what the run said, once the film is over."""
        said = self.run.stdout.read().decode()
        assert self.run.wait() == 0, said
        while self.client.get("api/v1/sources").json()["items"][0]["state"] != "ended":
            time.sleep(0.5)
        time.sleep(2)  # the last visits are written
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return list(map(json.loads, lines)), self.visits(), said

    def close(self) -> None:
        for process in (self.run, self.serve):
            process.kill()
            process.wait()


def bare(event: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in event.items() if name not in OWN}, sort_keys=True)


def who_when(visit: dict[str, Any]) -> tuple[str, int]:
    return visit["name"] or visit["state"], round(visit["seconds"])


def measured(film: Path, people: Path, seconds: float) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        long = folder / "long.mkv"
        length = in_a_row(film, seconds + BEFORE + AFTER, long)
        servers = [Server(), Server()]
        both = []
        for name, server in zip(("stays", "gone"), servers, strict=True):
            stack.callback(server.close)
            own = folder / name
            own.mkdir()
            both.append(Beside(own, server, long, length, people))
            stack.callback(both[-1].close)
        stays, gone = both
        while not gone.named():
            time.sleep(0.2)
        servers[1].stop()
        begun, at_once = time.monotonic(), len(gone.visits())
        time.sleep(seconds)
        told = [json.loads(line) for line in (gone.folder / "events.jsonl").read_text().splitlines()]
        meanwhile = len(gone.visits()) - at_once
        servers[1].start()
        away = time.monotonic() - begun
        running = gone.run.poll() is None
        events, visits, _ = stays.ended()
        its_events, its_visits, said = gone.ended()
    assert running, "the film was over before the server was back: give a longer one"
    wanted, had = Counter(map(bare, events)), Counter(map(bare, its_events))
    came, seen = Counter(map(who_when, visits)), Counter(map(who_when, its_visits))
    return {
        "film_seconds": round(length, 1),
        "away_seconds": round(away, 1),
        "run": {
            "events": len(events),
            "told_by_the_end_of_the_outage": len(told),
            "lost": sum((wanted - had).values()),
            "more": sum((had - wanted).values()),
            "said": [line.strip() for line in said.splitlines() if "heard" in line or "follow" in line],
        },
        "serve": {
            "visits": len(visits),
            "stored_during_the_outage": meanwhile,
            "visits_with_it": len(its_visits),
            "lost": sum((came - seen).values()),
            "more": sum((seen - came).values()),
        },
        "load": round(os.getloadavg()[0], 1),
        "environment": environment(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--film", type=Path, required=True)
    parser.add_argument("--people", type=Path, required=True, help="a folder of photographs for each person")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", type=output_file, metavar="FILE")
    given = parser.parse_args()
    found = measured(given.film, given.people, given.seconds)
    text = json.dumps(found, indent=2) + "\n"
    print(text, end="")
    if given.out:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
