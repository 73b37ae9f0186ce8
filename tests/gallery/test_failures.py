"""Every way in which a file can be wrong ends in one line that says what to do."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, GalleryError, NewTemplate, database
from gallery.failures import explained


def one_line(error: GalleryError) -> str:
    text = str(error)
    assert text
    assert text.isprintable()
    return text


def refused(path: Path, create: bool = False) -> str:
    with pytest.raises(GalleryError) as caught:
        Gallery.open(path, "model", 16, create=create)
    return one_line(caught.value)


def test_a_missing_gallery_says_how_to_make_one(path: Path) -> None:
    assert "recog enroll --name NAME --images DIR" in refused(path)
    assert not path.parent.exists()


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"Ada, Grace\n" * 500, b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 8000],
)
def test_a_file_that_is_no_gallery_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, create: bool
) -> None:
    path = tmp_path / "faces.db"
    path.write_bytes(content)
    assert "--gallery" in refused(path, create)
    assert path.read_bytes() == content


def test_a_folder_is_no_gallery(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_a_place_below_a_file_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    assert "there is no gallery" in refused(tmp_path / "file" / "faces.db")
    refused(tmp_path / "file" / "faces.db", create=True)


def test_the_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE people (id INTEGER)")
    before = path.read_bytes()
    assert "another program" in refused(path)
    assert path.read_bytes() == before


def test_a_gallery_of_a_newer_recog_says_to_update(path: Path) -> None:
    database.create(path, "model", 16)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    assert "update recog" in refused(path)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM meta",
        "DROP TABLE meta",
        "UPDATE meta SET value = 'many' WHERE key = 'dimension'",
        "PRAGMA user_version = 0",
    ],
)
def test_a_gallery_that_lost_its_description_is_damaged(path: Path, statement: str) -> None:
    database.create(path, "model", 16)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)
    assert "damaged" in refused(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE templates SET embedding = x'00'",
        "UPDATE templates SET embedding = 7",
        "UPDATE templates SET embedding = (SELECT replace(hex(zeroblob(32)), '00', '1'))",
        "UPDATE templates SET person = 99",
        "DROP TABLE templates",
    ],
)
def test_damaged_templates_are_reported_when_searched(
    path: Path, statement: str, template: Callable[..., NewTemplate]
) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)
    with Gallery.open(path, "model", 16) as gallery:
        with pytest.raises(GalleryError, match="damaged") as caught:
            gallery.search(np.zeros((1, 16), np.float32))
        one_line(caught.value)


def test_a_name_that_is_no_text_is_damage(path: Path, template: Callable[..., NewTemplate]) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE people SET name = x'ff'")
        with pytest.raises(GalleryError, match="a name is not text"):
            gallery.people()
        with pytest.raises(GalleryError, match="a name is not text"):
            gallery.search(np.zeros((1, 16), np.float32))


def test_a_damaged_crop_is_reported_when_read(path: Path, template: Callable[..., NewTemplate]) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1, with_crop=True)])
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE crops SET png = x'0102'")
        with pytest.raises(GalleryError, match="a crop cannot be read"):
            list(gallery.templates("Ada"))


def test_random_damage_is_survived_or_reported_and_nothing_else(
    path: Path, tmp_path: Path, template: Callable[..., NewTemplate]
) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        for person in range(6):
            gallery.add(f"Person {person}", [template(10 * person + i, with_crop=i == 0) for i in range(5)])
    sound, chance, reported = path.read_bytes(), random.Random(0), 0
    for run in range(60):
        content = bytearray(sound)
        if run % 3 == 0:
            del content[chance.randrange(len(content)) :]
        else:
            for _ in range(300):
                content[chance.randrange(100, len(content))] = chance.randrange(256)
        broken = tmp_path / f"broken-{run}.db"
        broken.write_bytes(content)
        try:
            with Gallery.open(broken, "model", 16) as gallery:
                for person in gallery.people():
                    assert list(gallery.templates(person.name))
                gallery.search(np.zeros((1, 16), np.float32))
                gallery.add("Ada", [template(1)])
                gallery.remove("Ada")
        except GalleryError as error:
            one_line(error)
            reported += 1
    assert reported > 10


def test_a_locked_gallery_says_so(
    path: Path, template: Callable[..., NewTemplate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with Gallery.open(path, "model", 16, create=True) as gallery:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(GalleryError, match="locked by another program") as caught:
                gallery.add("Ada", [template(1)])
            one_line(caught.value)
            assert gallery.people() == []
        gallery.add("Ada", [template(1)])
        assert len(gallery) == 1


def test_a_gallery_that_another_program_keeps_to_itself_cannot_be_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    database.create(path, "model", 16)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert "locked by another program" in refused(path)


@pytest.fixture
def forbidden() -> Iterator[Path]:
    """A folder in which this process may not write, even where root runs the tests."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    try:
        if root:
            os.chown(folder, 65534, -1)
            os.seteuid(65534)
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_a_folder_without_permission_says_what_to_check(forbidden: Path) -> None:
    forbidden.chmod(0o500)
    assert "permissions" in refused(forbidden / "faces.db", create=True)
    assert "permissions" in refused(forbidden / "new" / "faces.db", create=True)


@pytest.mark.parametrize("what", ["the file", "its folder", "both"])
def test_a_gallery_without_permission_to_write_can_be_read(
    forbidden: Path, template: Callable[..., NewTemplate], what: str
) -> None:
    path = forbidden / "faces.db"
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
    if what != "its folder":
        path.chmod(0o400)
    if what != "the file":
        forbidden.chmod(0o500)
    with Gallery.open(path, "model", 16) as gallery:
        assert [each.name for each in gallery.people()] == ["Ada"]
        assert len(list(gallery.templates("Ada"))) == 1
        assert gallery.search(template(1).embedding[None], 1).names == (("Ada",),)
        changes: list[Callable[[], object]] = [
            lambda: gallery.add("Grace", [template(2)]),
            lambda: gallery.rename("Ada", "Grace"),
            lambda: gallery.remove("Ada"),
            lambda: gallery.set_note("x", 1),
            gallery.undo,
            gallery.must_write,
        ]
        for change in changes:
            with pytest.raises(GalleryError, match=r"can only be read here: .* write-protected") as caught:
                change()
            one_line(caught.value)
        assert len(gallery) == 1
        assert not gallery.refresh()
    assert [each.name for each in forbidden.iterdir()] == ["faces.db"], "and nothing is left beside it"
    forbidden.chmod(0o700)
    path.chmod(0o600)
    with Gallery.open(path, "model", 16) as gallery:
        gallery.add("Grace", [template(2)])


def test_a_gallery_that_may_not_even_be_read_says_what_to_check(forbidden: Path) -> None:
    path = forbidden / "faces.db"
    database.create(path, "model", 16)
    path.chmod(0)
    assert "permissions" in refused(path)


def test_a_backup_is_made_of_what_can_only_be_read(
    forbidden: Path, template: Callable[..., NewTemplate]
) -> None:
    path, free = forbidden / "faces.db", Path(tempfile.mkdtemp())
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
    forbidden.chmod(0o500)
    with Gallery.open(path, None, None) as gallery:
        assert gallery.back_up(free / "copy.db") == (1, 1)
    with Gallery.open(free / "copy.db", "model", 16) as gallery:
        gallery.add("Grace", [template(2)])
    shutil.rmtree(free)


def test_what_others_write_to_a_gallery_that_can_only_be_read_is_seen(
    forbidden: Path, template: Callable[..., NewTemplate]
) -> None:
    path = forbidden / "faces.db"
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
    forbidden.chmod(0o500)
    with Gallery.open(path, "model", 16) as reader:
        reader.search(template(1).embedding[None], 1)
        assert not reader.refresh()
        forbidden.chmod(0o700)
        with Gallery.open(path, "model", 16) as writer:
            writer.add("Grace", [template(2)])
            forbidden.chmod(0o500)
            assert reader.refresh(), "while it is in the log"
            assert reader.search(template(2).embedding[None], 1).names == (("Grace",),)
            forbidden.chmod(0o700)
            writer.remove("Ada")
        forbidden.chmod(0o500)
        reader.refresh()
        assert reader.search(template(1).embedding[None], 9).names == (("Grace",),)


def test_an_old_gallery_that_can_only_be_read_says_that_it_must_be_written_once(forbidden: Path) -> None:
    path = forbidden / "faces.db"
    database.create(path, "model", 16)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 1")
    path.chmod(0o400)
    assert "can only be read here" in refused(path)


WITHOUT_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
static int call(const char *name, int file, int command, void *argument) {
    if (command == F_SETLK || command == F_SETLKW || command == F_GETLK) { errno = ENOLCK; return -1; }
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
    return real(file, command, argument);
}
#define OVER(name) int name(int file, int command, ...) { \\
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest); \\
    return call(#name, file, command, argument); }
OVER(fcntl)
OVER(fcntl64)
"""


@pytest.fixture
def without_locks(tmp_path: Path) -> dict[str, str]:
    """An environment in which the file system refuses every lock, as some network file systems do."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler, to take the locks of the file system away")
    (tmp_path / "locks.c").write_text(WITHOUT_LOCKS)
    library = tmp_path / "locks.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "locks.c", "-ldl"], check=True)
    return os.environ | {"LD_PRELOAD": str(library)}


def test_without_locks_a_gallery_is_read_and_whoever_writes_is_told(
    path: Path, template: Callable[..., NewTemplate], without_locks: dict[str, str]
) -> None:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1)])
    script = """
import sys
from pathlib import Path
from gallery import Gallery, GalleryError, database
database.BUSY_SECONDS = 0.1
with Gallery.open(Path(sys.argv[1]), "model", 16) as gallery:
    print([each.name for each in gallery.people()])
    try:
        gallery.remove("Ada")
    except GalleryError as error:
        print(error)
try:
    Gallery.open(Path(sys.argv[1] + "-new"), "model", 16, create=True)
except GalleryError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(path)]
    said = subprocess.run(command, env=without_locks, capture_output=True, text=True, check=True)
    listed, refusal, new = said.stdout.splitlines()
    assert (listed, said.stderr) == ("['Ada']", "")
    assert "can only be read here: its file system knows no locks" in refusal
    assert "knows no locks" in new
    assert [each.name for each in path.parent.iterdir()] == ["faces.db"]


@pytest.mark.parametrize("bug", [sqlite3.ProgrammingError, sqlite3.IntegrityError, ValueError])
def test_bugs_are_not_dressed_up_as_trouble_with_the_file(path: Path, bug: type[Exception]) -> None:
    with pytest.raises(bug), explained(path):
        raise bug("a bug")


def test_a_disk_that_fails_says_so(path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    with pytest.raises(GalleryError, match="check the disk"), explained(path):
        raise error
