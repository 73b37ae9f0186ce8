"""What `recog serve` does under load: what callers wait for, what is dropped, its memory, its end.

    uv run --group dev python benchmarks/service.py --film friends.mp4 --people DIR --out FILE

A server of its own plays the film as a camera of 640 x 360 at 15 frames a second (MJPEG over HTTP), and a
process of its own is the viewers and callers; both run on the same machine, so what they take is part of the
load. `--people` has a folder with photographs for each person; all but the last are enrolled before, the last
one while it runs.

- `identify`: seconds from sending a 640 x 480 photograph to the whole answer, one call after the other, while
  nothing is watched.
- `load`: 50 viewers, each of which says at once that it has shown a picture, and 20 identify calls a second,
  each sent when its time has come, however many still wait for their answers. Calls that are refused because
  the service is busy (503 with `Retry-After`) are counted apart, and are no answers. Delays are from the
  capture of a frame (when it was decoded) to the whole message in a viewer, of those in which somebody is
  named; dropped are frames of the camera that were not looked at.
- `memory`: resident, every 15 seconds of that load; `more` is from its second minute (or its half, if it is
  shorter than four) to its end, by the median of a minute before each.
- `enrolled`: under that load, seconds from the answer to an enrolment to the first picture with the name in a
  page that was open before. Where the person comes into view only later, from the first picture of that
  track; `since the answer` counts the time until they come, too.
- `end`: seconds from SIGTERM to the end of the process, under that load.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
from service_load import Load, Page

from pipeline.outputs.places import output_file
from pipeline.recognition.bench import environment
from pipeline.sources.open import open_source

RATE = 15.0
SIZE = (640, 360)
PARTS = ("identify", "one viewer", "under load", "enrolled", "end")


def camera(film: Path) -> None:
    """Play a film without end as MJPEG over HTTP, and print the port."""
    with open_source(str(film)) as source:
        frames = list(source)
    step = (source.fps or 25.0) / RATE
    pictures = []
    for number in range(int(len(frames) / step)):
        image = cv2.resize(frames[int(number * step)].image, SIZE, interpolation=cv2.INTER_AREA)
        pictures.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            begun, number = time.monotonic(), 0
            with contextlib.suppress(OSError):
                while True:
                    data = pictures[number % len(pictures)]
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    self.wfile.write(head.encode() + data + b"\r\n")
                    number += 1
                    time.sleep(max(0.0, begun + number / RATE - time.monotonic()))

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


class Service:
    """A `recog serve` that watches the camera."""

    def __init__(self, folder: Path, port: int) -> None:
        command = [sys.executable, "-c", "from pipeline.cli import main; main()", "serve", "--port", "0"]
        command += ["-g", str(folder / "people.db"), "--source", f"http://127.0.0.1:{port}/live.mjpg"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url, _, key = self.process.stdout.readline().split()[-1].partition("?key=")
        self.client = httpx.Client(
            base_url=self.url, trust_env=False, timeout=60, headers={"origin": self.url[:-1]}
        )
        self.client.post("api/v1/login", json={"key": key}).raise_for_status()
        wanted = {"name": "load", "role": "viewer"}
        self.token = self.client.post("api/v1/tokens", json=wanted).raise_for_status().json()["token"]
        self.source = self.client.get("api/v1/sources").json()["items"][0]["id"]

    def enroll(self, folder: Path) -> None:
        """Enroll a person by the photographs of a folder, as the page does."""
        photos = [("photos", (each.name, each.read_bytes())) for each in sorted(folder.iterdir())]
        while True:
            answer = self.client.post("api/v1/people", data={"name": folder.name}, files=photos)
            if answer.status_code != 503:
                break
            time.sleep(float(answer.headers["retry-after"]))
        answer.raise_for_status()

    def count(self, name: str) -> float:
        """A counter of the metrics."""
        lines = self.client.get("api/v1/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{"))

    def memory(self) -> float:
        """Resident memory, MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000

    def running(self) -> None:
        """Wait until the camera is watched."""
        while self.client.get(f"api/v1/sources/{self.source}").json()["state"] != "running":
            time.sleep(0.1)


def share(values: list[float], part: float) -> float | None:
    """A quantile, rounded to a tenth of a millisecond; None of nothing."""
    return round(sorted(values)[min(len(values) - 1, int(part * len(values)))], 4) if values else None


def measured(film: Path, people: Path, seconds: float, parts: set[str]) -> Iterator[tuple[str, Any]]:
    """Each part, as it is measured."""
    own = subprocess.Popen(
        [sys.executable, __file__, "--camera", str(film)], stdout=subprocess.PIPE, text=True
    )
    assert own.stdout is not None
    port = int(own.stdout.readline())
    folders = sorted(each for each in people.iterdir() if each.is_dir())
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        photo = folder / "photo.jpg"
        with open_source(str(film)) as source:
            image = next(iter(source)).image
        cv2.imwrite(str(photo), cv2.resize(image, (640, 480), interpolation=cv2.INTER_LINEAR))
        service = Service(folder, port)
        try:
            for each in folders[:-1]:
                service.enroll(each)
            if "identify" in parts:
                yield "identify", idle(service, photo)
                service.client.post(f"api/v1/sources/{service.source}/resume").raise_for_status()
            service.running()
            if "one viewer" in parts:
                yield "one viewer", under_load(service, photo, 1, 0, 20)
            if "under load" in parts:
                yield "under load", under_load(service, photo, 50, 20, seconds)
            if "enrolled" in parts:
                yield "enrolled", enrolled(service, photo, folders[-1])
            if "end" in parts:
                yield "end", ended(service, photo)
        finally:
            service.process.kill()
            own.kill()


def idle(service: Service, photo: Path) -> dict[str, Any]:
    """Identify calls, one after the other, while nothing is watched."""
    service.client.post(f"api/v1/sources/{service.source}/pause").raise_for_status()
    data, times = photo.read_bytes(), []
    for _ in range(120):
        begun = time.perf_counter()
        answer = service.client.post("api/v1/identify", files={"image": ("photo.jpg", data)})
        times.append(time.perf_counter() - begun)
        answer.raise_for_status()
    faces = len(answer.json()["faces"])
    times = times[20:]
    return {"calls": len(times), "faces": faces, "median": share(times, 0.5), "p95": share(times, 0.95)}


def under_load(service: Service, photo: Path, viewers: int, calls: float, seconds: float) -> dict[str, Any]:
    """What the camera's frames and the callers wait for."""
    made = Load(service, photo, viewers, calls)
    time.sleep(10)
    before = {name: service.count(f"recog_frames{name}_total") for name in ("", "_dropped")}
    begun, skipped = time.monotonic(), len(made.seconds)
    memory = []
    while time.monotonic() < begun + seconds:
        time.sleep(min(15.0, begun + seconds - time.monotonic()))
        memory.append(round(service.memory(), 1))
    after = {name: service.count(f"recog_frames{name}_total") for name in ("", "_dropped")}
    spent = time.monotonic() - begun
    made.end()
    told = made.seconds[skipped:]
    delays, answers, refusals = (
        [each for second in told for each in second[what]] for what in ("delays", "answers", "refusals")
    )
    looked, dropped = (after[name] - before[name] for name in ("", "_dropped"))
    return {
        "viewers": viewers,
        "identify calls a second": calls,
        "seconds": round(spent, 1),
        "frames a second": round(looked / spent, 2),
        "dropped": round(dropped / max(1.0, looked + dropped), 4),
        "pictures a second": round(sum(each["pictures"] for each in told) / max(1, len(told)), 1),
        "delay": {"pictures": len(delays), "median": share(delays, 0.5), "p95": share(delays, 0.95)},
        "identify": {
            "answers a second": round(len(answers) / max(1, len(told)), 1),
            "refused a second": round(len(refusals) / max(1, len(told)), 1),
            "refused within, p95": share(refusals, 0.95),
            "failed": sum(each["failed"] for each in told),
            "median": share(answers, 0.5),
            "p95": share(answers, 0.95),
        },
        "memory": grown(memory),
    }


def grown(memory: list[float]) -> dict[str, Any]:
    """By how much memory (MB, every 15 seconds) grew from the second minute on, or from the half."""
    warm = min(8, len(memory) // 2)
    first, last = (
        statistics.median(part) for part in (memory[max(0, warm - 4) : warm] or memory, memory[-4:])
    )
    return {"MB": memory, "warm": first, "at the end": last, "more": round(last / first - 1, 4)}


def enrolled(service: Service, photo: Path, person: Path, times: int = 8) -> dict[str, Any]:
    """From the answer to an enrolment to the name in a picture, several times, under load."""
    made, page = Load(service, photo, 50, 20), Page(service)
    time.sleep(10)
    shown, answered, calls = [], [], []
    for _ in range(times):
        begun = time.monotonic()
        service.enroll(person)
        since = time.monotonic()
        at, came = page.named(person.name, since)
        calls.append(since - begun)
        shown.append(at - max(came, since))
        answered.append(at - since)
        items = service.client.get("api/v1/people").json()["items"]
        added = next(each for each in items if each["name"] == person.name)
        tag = {"if-match": f'"{added["version"]}"'}
        service.client.delete(f"api/v1/people/{added['id']}", headers=tag).raise_for_status()
        time.sleep(2)
    page.close()
    made.end()
    return {
        "times": times,
        "median": round(statistics.median(shown), 3),
        "most": round(max(shown), 3),
        "since the answer": [round(each, 2) for each in answered],
        "in view": [round(each, 2) for each in shown],
        "the call itself": round(statistics.median(calls), 3),
    }


def ended(service: Service, photo: Path) -> dict[str, Any]:
    """From SIGTERM to the end, under load."""
    made = Load(service, photo, 50, 20)
    time.sleep(5)
    begun = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    code = service.process.wait(30)
    spent = time.monotonic() - begun
    made.end()
    return {"seconds": round(spent, 3), "code": code}


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--film", type=Path)
    parser.add_argument("--people", type=Path, metavar="DIR")
    parser.add_argument("--seconds", type=float, default=180.0, help="of load")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; may be repeated")
    parser.add_argument("--out", type=output_file, metavar="FILE")
    parser.add_argument("--camera", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.camera is not None:
        camera(given.camera)
    else:
        if given.film is None or given.people is None or given.out is None:
            parser.error("give --film, --people and --out")
        found = environment() | {"command": " ".join(sys.argv)}
        for name, part in measured(given.film, given.people, given.seconds, set(given.only or PARTS)):
            found[name] = part | {"load average": round(os.getloadavg()[0], 1)}
            print(name, json.dumps(found[name]), flush=True)
            given.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
