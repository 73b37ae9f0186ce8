"""What must hold of the file whatever happens: killed writers, full disks, deletion for real."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import gallery as package
from gallery import Gallery, GalleryError, NewTemplate, database, edits, encoding
from gallery.store import Store

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(package.__file__).parents[1])}


def pieces(blob: bytes) -> list[bytes]:
    """Short runs of bytes, because SQLite breaks a long blob into pages."""
    return [blob[start : start + 24] for start in range(0, len(blob) - 24, 24)] or [blob]


def traces(folder: Path, wanted: list[bytes]) -> int:
    """How many of the wanted pieces lie in any file of the folder."""
    content = b"".join(entry.read_bytes() for entry in folder.iterdir())
    return sum(piece in content for piece in wanted)


def bytes_of(name: str, template: NewTemplate) -> list[bytes]:
    assert template.crop is not None
    found = pieces(encoding.embedding_to_bytes(template.embedding))
    found += pieces(encoding.crop_to_bytes(template.crop)[64:])  # the header is that of every PNG
    return [*found, name.encode(), template.origin.encode(), template.digest.encode()]


def test_a_killed_writer_loses_nothing_that_it_acknowledged() -> None:
    """Eighty lives of a writer; the benchmark has a thousand."""
    script = Path(package.__file__).parents[1] / "benchmarks" / "gallery_kills.py"
    done = subprocess.run(
        [sys.executable, str(script), "--trials", "80"],
        env=ENVIRONMENT | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["lost_or_corrupt"] == 0
    assert result["acknowledged"] > 80
    assert result["killed_within_a_change"] > 20, "or the test would prove little"


def test_a_removed_person_leaves_no_bytes_behind(path: Path, template: Callable[..., NewTemplate]) -> None:
    with (
        Gallery.open(path, "model", 16, create=True) as gallery,
        Gallery.open(path, "model", 16) as idle,  # keeps the write-ahead log in place
    ):
        people = {f"Somebody Number {i:03}": template(i, with_crop=True) for i in range(12)}
        for name, theirs in people.items():
            gallery.add(name, [theirs])
        for name in list(people)[::2]:
            wanted = bytes_of(name, people[name])
            assert traces(path.parent, wanted) > 0.9 * len(wanted), "or the test would prove nothing"
            before = path.stat().st_size
            assert gallery.remove(name).erased
            assert traces(path.parent, wanted) == 0
        assert path.stat().st_size < before
        assert len(idle) == 6
        kept = bytes_of(name := list(people)[1], people[name])
        assert traces(path.parent, kept) > 0.9 * len(kept)
        assert sum(1 for _ in gallery.templates(name)) == 1


def test_what_is_deleted_is_zeroed_even_before_the_file_is_rewritten(
    path: Path, template: Callable[..., NewTemplate]
) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1, with_crop=True)])
    wanted = bytes_of("Ada", template(1, with_crop=True))
    assert traces(path.parent, wanted) > 0.9 * len(wanted)
    with closing(Store(path)) as opened, opened.writing() as db:
        edits.remove(db, opened.person_id("Ada"))  # closing writes it to the file, without a VACUUM
    assert traces(path.parent, wanted) == 0


def test_two_writers_take_turns(
    path: Path, template: Callable[..., NewTemplate], monkeypatch: pytest.MonkeyPatch
) -> None:
    # That each gets its turn is what is tested, not how long a busy machine takes over the others' ones.
    monkeypatch.setattr(database, "BUSY_SECONDS", 600.0)
    database.create(path, "model", 16)

    def write(writer: int) -> None:
        with Gallery.open(path, "model", 16) as gallery:
            for i in range(20):
                gallery.add(f"leaves {writer} {i}", [template(i)])
                gallery.add(f"stays {writer} {i}", [template(i)])
                assert gallery.remove(f"leaves {writer} {i}").templates == 1

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(3)))
    with Gallery.open(path, None, None) as gallery:
        assert gallery.people_count == len(gallery) == 60
        assert all(person.name.startswith("stays") for person in gallery.people())


def test_a_reader_in_the_way_only_delays_the_erasure(
    path: Path, template: Callable[..., NewTemplate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    wanted = bytes_of("Ada", template(1, with_crop=True))
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1, with_crop=True)])
        gallery.add("Grace", [template(2)])
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM people").fetchone()
            removed = gallery.remove("Ada")
            assert not removed.erased
            assert [person.name for person in gallery.people()] == ["Grace"]
            assert traces(path.parent, wanted)
        with Gallery.open(path, "model", 16):
            assert traces(path.parent, wanted) == 0


def test_an_erasure_waits_for_no_writer_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    database.create(path, "model", 16)
    with closing(Store(path)) as opened, closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert opened.erase() is False
        writer.execute("ROLLBACK")
        assert opened.erase() is True


def test_an_erasure_that_was_killed_is_made_up_for(path: Path, template: Callable[..., NewTemplate]) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1, with_crop=True)])
        gallery.add("Grace", [template(2)])
    code = """
import os, signal, sys
from pathlib import Path
from gallery import Gallery
from gallery.store import Store
Store.erase = lambda self: os.kill(os.getpid(), signal.SIGKILL)
Gallery.open(Path(sys.argv[1]), None, None).remove("Ada")
"""
    killed = subprocess.run([sys.executable, "-c", code, str(path)], env=ENVIRONMENT)
    assert killed.returncode == -signal.SIGKILL
    wanted = bytes_of("Ada", template(1, with_crop=True))
    assert traces(path.parent, wanted), "or the test would prove nothing"
    with Gallery.open(path, None, None) as gallery:
        assert traces(path.parent, wanted) == 0
        assert [person.name for person in gallery.people()] == ["Grace"]


def test_a_disk_that_fills_up_keeps_the_old_content(path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from gallery import Gallery, GalleryError, NewTemplate
random = np.random.default_rng(0)
def templates(count):
    crop = random.integers(0, 256, (112, 112, 3), np.uint8)
    embeddings = random.normal(size=(count, 16)).astype(np.float32)
    return [NewTemplate(embeddings[i], crop, 1.0, "origin", str(i)) for i in range(count)]
with Gallery.open(Path(sys.argv[1]), "model", 16, create=True) as gallery:
    gallery.add("Ada", templates(2))
    probe = np.zeros((1, 16), np.float32)
    before = gallery.search(probe)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        gallery.add("Grace", templates(40))
    except GalleryError as error:
        print(error)
    after = gallery.search(probe)
    assert after.names == before.names == (("Ada",),) and after.templates == 2
    assert [p.name for p in gallery.people()] == ["Ada"]
    gallery.add("Edith", templates(1))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "stays as it was" in done.stdout
    assert done.stdout.count("\n") == 1
    with Gallery.open(path, None, None) as gallery:
        assert [(person.name, person.templates) for person in gallery.people()] == [("Ada", 2), ("Edith", 1)]


def test_a_database_at_its_limit_says_that_the_disk_is_full(
    path: Path, template: Callable[..., NewTemplate]
) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
        gallery._store._db.execute("PRAGMA max_page_count = 10")
        with pytest.raises(GalleryError, match="disk is full"):
            gallery.add("Grace", [template(i, with_crop=True) for i in range(5)])
        assert [person.name for person in gallery.people()] == ["Ada"]
