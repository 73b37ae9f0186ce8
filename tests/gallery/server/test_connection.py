"""The way to a server: addresses, passwords, rights, and what is lacking."""

from __future__ import annotations

from pathlib import Path

import pytest

from gallery import Gallery, GalleryError
from gallery.address import place
from tests.gallery.server.conftest import Templates, names
from tests.postgres import Server


def test_a_password_works_and_is_shown_nowhere(
    where: Path, filled: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.execute("DROP ROLE IF EXISTS locked")
    postgres.execute("CREATE ROLE locked LOGIN SUPERUSER PASSWORD 's3cret/@word'")
    address = postgres.url.replace("recog@", "locked:s3cret%2F%40word@")
    with Gallery.open(place(address), None, None) as gallery:
        assert len(gallery) == 3
        for shown in (str(gallery.path), repr(gallery.path), repr(gallery.stats())):
            assert "s3cret" not in shown
    titles = postgres.execute("SELECT query, application_name FROM pg_stat_activity")
    assert "s3cret" not in str(titles)
    for wrong in (address.replace("word@", "wrong@"), address.replace("s3cret%2F", "s3cret/")):
        with pytest.raises(GalleryError) as refused:
            Gallery.open(place(wrong), None, None)
        told = f"{refused.value!r} {refused.value.__cause__!r}"
        assert "s3cret" not in told
        assert "word" not in told.replace("password", "")
    plain = place(postgres.url.replace("recog@", "locked@") + "?connect_timeout=3")
    with pytest.raises(GalleryError, match="asks for a password; give it in PGPASSWORD"):
        Gallery.open(plain, None, None)
    monkeypatch.setenv("PGPASSWORD", "s3cret/@word")
    Gallery.open(plain, None, None).close()


def test_what_keeps_a_gallery_from_being_opened_is_one_line(where: Path, postgres: Server) -> None:
    def told(address: str, create: bool = False) -> str:
        with pytest.raises(GalleryError) as refused:
            Gallery.open(place(address), "model", 16, create=create)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    base = postgres.url.rpartition("/")[0]
    assert "there is no server at" in told("postgresql://recog@127.0.0.1:1/faces")
    assert "no such database" in told(f"{base}/nowhere")
    assert "does not let this user in" in told(postgres.url.replace("recog@", "nobody@"))
    assert "make one with: recog enroll" in told(postgres.url)
    assert "cannot be read" in told("postgresql://recog@127.0.0.1:port/faces")
    if not postgres.execute("SELECT 1 FROM pg_database WHERE datname = 'bare'"):
        postgres.execute("CREATE DATABASE bare")
    postgres.execute("DROP ROLE IF EXISTS guest")
    postgres.execute("CREATE ROLE guest LOGIN")
    guest = f"{base}/bare".replace("recog@", "guest@")
    assert "lacks a right (permission denied" in told(guest, create=True)


def test_a_user_who_may_only_read_recognises_and_changes_nothing(
    guest: Path, filled: Path, postgres: Server, template: Templates
) -> None:
    postgres.execute("GRANT USAGE ON SCHEMA recog TO guest")
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA recog TO guest")
    with Gallery.open(guest, "model", 16) as reader, Gallery.open(filled, "model", 16) as writer:
        assert names(reader, template(1)) == ["Ada", "Grace"]
        with pytest.raises(GalleryError, match="can only be read here: its user may not write"):
            reader.add("Edith", [template(4)])
        writer.add("Edith", [template(4)])
        assert reader.refresh()
        assert reader.knows("Edith")


def test_a_user_without_a_right_to_the_schema_is_told_so(guest: Path) -> None:
    with pytest.raises(GalleryError, match="GRANT USAGE ON SCHEMA recog"):
        Gallery.open(guest, None, None)


def test_a_database_without_pgvector_says_how_to_get_it(filled: Path, postgres: Server) -> None:
    if not postgres.execute("SELECT 1 FROM pg_database WHERE datname = 'bare'"):
        postgres.execute("CREATE DATABASE bare")
    postgres.execute("CREATE SCHEMA IF NOT EXISTS recog", "bare")
    with pytest.raises(GalleryError, match="CREATE EXTENSION vector"):
        Gallery.open(place(postgres.url.rpartition("/")[0] + "/bare"), None, None)
    postgres.execute("DROP SCHEMA recog", "bare")
