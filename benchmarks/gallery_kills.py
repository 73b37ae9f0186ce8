"""Kill a writer of a gallery, over and over, at any point of any write; nothing acknowledged may be lost.

    uv run python benchmarks/gallery_kills.py --trials 1000

Each trial forks a process that changes the gallery at random and says what it begins and what is done. It is
killed with SIGKILL: by turns at a random moment, and inside SQLite after a random number of its steps. Then
the file must hold exactly what was acknowledged, or that and the one change that was under way.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from gallery import Gallery, NewTemplate

State = dict[str, Any]  # of people, by name: digests; and the note
CROP = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def template(digest: str) -> NewTemplate:
    values = np.random.default_rng(int(digest)).normal(size=16).astype(np.float32)
    return NewTemplate(values, CROP if int(digest) % 2 else None, 1.0, "x" * 500, digest)


def choose(state: State, can_undo: bool, chance: random.Random) -> list[Any]:
    """A change that is possible in this state."""
    names = sorted(state["people"])
    kinds = ["add", "add", "note"] + ["rename", "remove", "remove"] * bool(names)
    kind = chance.choice(kinds + ["merge", "merge"] * (len(names) > 1) + ["undo", "undo"] * can_undo)
    match kind:
        case "add":
            name = chance.choice([*names, f"p{chance.randrange(10**9)}"][-6:])
            return ["add", name, [str(chance.randrange(10**6)) for _ in range(chance.randrange(1, 9))]]
        case "rename":
            return ["rename", chance.choice(names), f"p{chance.randrange(10**9)}"]
        case "merge":
            return ["merge", *chance.sample(names, 2)]
        case "remove":
            return ["remove", chance.choice(names)]
        case "note":
            return ["note", chance.randrange(10**6)]
    return ["undo"]


def after(state: State, before: list[State], change: list[Any]) -> tuple[State, list[State]]:
    """The state that a change leads to, and the states that undoing leads back through."""
    people = {name: set(digests) for name, digests in state["people"].items()}
    note = state["note"]
    match change:
        case ["add", name, digests]:
            people[name] = people.get(name, set()) | set(digests)
        case ["rename", name, new]:
            people[new] = people.pop(name)
        case ["merge", name, into]:
            people[into] |= people.pop(name)
        case ["remove", name]:
            del people[name]
            return {"people": people, "note": note}, []
        case ["note", value]:
            note = value
        case _:
            return before[-1], before[:-1]
    return {"people": people, "note": note}, [*before, state]


def apply(gallery: Gallery, change: list[Any]) -> None:
    match change:
        case ["add", name, digests]:
            gallery.add(name, [template(digest) for digest in digests])
        case ["rename", name, new]:
            gallery.rename(name, new)
        case ["merge", name, into]:
            gallery.merge(name, into)
        case ["remove", name]:
            gallery.remove(name)
        case ["note", value]:
            gallery.set_note("n", value)
        case _:
            gallery.undo()


def write(path: Path, state: State, seed: int, steps: int | None, told: int) -> None:
    """What the child does until it is killed."""
    chance, before = random.Random(seed), list[State]()
    with Gallery.open(path, "model", 16) as gallery:
        os.write(told, b"ready\n")
        if steps is not None:
            kill = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
            gallery._store._db.set_progress_handler(kill, steps)
        while True:
            change = choose(state, bool(before), chance)
            os.write(told, json.dumps(change).encode() + b"\n")
            apply(gallery, change)
            os.write(told, b"done\n")
            state, before = after(state, before, change)


def found(path: Path) -> State:
    """What the file holds; it must be sound."""
    with Gallery.open(path, "model", 16) as gallery:
        people = {}
        for person in gallery.people():
            photos = list(gallery.templates(person.name))
            people[person.name] = {photo.digest for photo in photos}
            for photo in photos:
                assert (photo.crop is not None) == (int(photo.digest) % 2 == 1), "a crop is lost"
                assert np.array_equal(photo.embedding, template(photo.digest).embedding)
        note = gallery.note("n")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    return {"people": people, "note": note}


def trial(path: Path, state: State, number: int, chance: random.Random) -> tuple[State, int, bool]:
    """One life of a writer: the state afterwards, how much was acknowledged, whether a write was cut short.

    Raises AssertionError where anything acknowledged is lost, or the file is not sound.
    """
    reading, writing = os.pipe()
    steps = None if number % 2 else int(10 ** chance.uniform(1, 4.5))
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            write(path, state, number, steps, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert told.readline() == "ready\n"
        if steps is None:
            time.sleep(chance.uniform(0, 0.03))
            os.kill(child, signal.SIGKILL)
        lines = [line.strip() for line in told if line.endswith("\n")]
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, "the writer ended by itself"
    before = list[State]()
    acknowledged, begun = 0, None
    for line in lines:
        if line == "done":
            state, before = after(state, before, begun or [])
            acknowledged, begun = acknowledged + 1, None
        else:
            begun = json.loads(line)
    actual = found(path)
    allowed = [state] if begun is None else [state, after(state, before, begun)[0]]
    assert actual in allowed, f"trial {number}: lost or half-written at {begun}"
    return actual, acknowledged, begun is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    state: State = {"people": {}, "note": None}
    started, acknowledged, cut = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.db"
        Gallery.open(path, "model", 16, create=True).close()
        import cv2  # noqa: F401  (before forking, or every child would load it)

        for number in range(options.trials):
            state, done, short = trial(path, state, number, chance)
            acknowledged, cut = acknowledged + done, cut + short
            if (
                sum(map(len, state["people"].values())) > 400
            ):  # begin again, or checking would take longer than writing
                path.unlink()
                Gallery.open(path, "model", 16, create=True).close()
                state = {"people": {}, "note": None}
    print(
        json.dumps(
            {"trials": options.trials, "seed": options.seed, "lost_or_corrupt": 0,
             "acknowledged": acknowledged, "killed_within_a_change": cut,
             "seconds": round(time.monotonic() - started, 1), "sqlite": sqlite3.sqlite_version}
        )
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
