"""The service's own file: private, of one writer, in whole transactions, up to date, forgetting for good."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from pipeline.errors import ServiceError
from pipeline.service import schema
from pipeline.service.store import Store, store_path, tape_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.service.db"


def test_it_stands_beside_the_gallery_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = store_path(tmp_path / "people.db")
    assert (path.name, tape_path(tmp_path / "people.db").name) == ("people.service.db", "people.service.tape")
    store = Store(path)
    store.set_setting("x", [1])
    found = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    assert set(found.values()) == {0o600}
    store.close()


def test_a_second_service_is_refused_and_the_file_is_free_again_afterwards(path: Path) -> None:
    first = Store(path)
    with pytest.raises(ServiceError, match="another recog serve has"):
        Store(path)
    first.close()
    Store(path).close()


def test_a_transaction_is_kept_whole_or_not_at_all(path: Path) -> None:
    store = Store(path)

    def fail_halfway() -> None:
        with store.writing() as connection:
            connection.execute("INSERT INTO settings VALUES ('a', '1')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert store.setting("a") is None
    store.set_setting("a", {"b": 2})
    assert store.setting("a") == {"b": 2}
    assert store.setting("c", 7) == 7
    store.close()


def test_readers_see_one_state_and_do_not_wait_for_the_writer(path: Path) -> None:
    store = Store(path)
    store.set_setting("a", 1)
    with store.reading() as reader:
        assert reader.execute("SELECT value FROM settings").fetchone()[0] == "1"
        writer = threading.Thread(target=store.set_setting, args=("a", 2))
        writer.start()
        writer.join(5)
        assert not writer.is_alive()
        assert reader.execute("SELECT value FROM settings").fetchone()[0] == "1"
    assert store.setting("a") == 2
    store.close()


def test_it_is_brought_to_this_version_script_by_script(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.service.store.SCRIPTS", schema.SCRIPTS[:1])
    old = Store(path)
    old.set_setting("a", 1)
    old.close()
    more = "CREATE TABLE news (x); INSERT INTO news SELECT value FROM settings"
    monkeypatch.setattr("pipeline.service.store.SCRIPTS", (schema.SCRIPTS[0], more))
    new = Store(path)
    with new.reading() as connection:
        assert connection.execute("SELECT x FROM news").fetchone()[0] == "1"
    assert new.schema == 2
    new.close()


def test_a_script_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.service.store.SCRIPTS", schema.SCRIPTS[:1])
    Store(path).close()
    monkeypatch.setattr("pipeline.service.store.SCRIPTS", (schema.SCRIPTS[0], "CREATE TABLE x (y); NONSENSE"))
    with pytest.raises(ServiceError):
        Store(path)
    monkeypatch.setattr("pipeline.service.store.SCRIPTS", schema.SCRIPTS[:1])
    store = Store(path)
    with store.reading() as connection:
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'x'").fetchone() is None
    store.close()


def test_files_of_others_and_of_later_versions_are_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(ServiceError, match="is not of this service"):
        Store(path)
    assert path.read_bytes() == before
    path.unlink()
    Store(path).close()
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 1000")
    later.close()
    with pytest.raises(ServiceError, match="is of a newer recog"):
        Store(path)
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(ServiceError, match="cannot use"):
        Store(path)


def test_what_is_deleted_and_forgotten_is_in_no_byte(path: Path, tmp_path: Path) -> None:
    store = Store(path)
    store.set_setting("secret", "rosebud")
    with store.writing() as connection:
        connection.execute("DELETE FROM settings")
    store.forget()
    assert not any(b"rosebud" in each.read_bytes() for each in tmp_path.iterdir())
    store.close()


def test_after_the_end_it_says_so(path: Path) -> None:
    store = Store(path)
    store.close()
    store.close()
    for use in (store.reading, store.writing):
        with pytest.raises(ServiceError, match="the service has ended"), use():
            pass
