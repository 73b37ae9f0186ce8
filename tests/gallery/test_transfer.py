"""A gallery goes from place to place whole, and never over another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gallery import Gallery, GalleryError, NewTemplate
from gallery.address import place
from gallery.copying import TABLES
from gallery.opening import opened
from gallery.transfer import copy
from tests.postgres import Server

Templates = Callable[..., NewTemplate]


@pytest.fixture
def file(tmp_path: Path, template: Templates) -> Path:
    """A gallery of which every table holds something, and whose last ids were taken back."""
    path = tmp_path / "faces.db"
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1, with_crop=True), template(2)])
        gallery.add("Jürgen Groß", [template(2, with_crop=True), template(3)])
        gallery.deny("Ada", [template(4, with_crop=True), template(5)])
        gallery.withdraw(gallery.denials()[0].face)
        gallery.deny("Jürgen Groß", [template(6)])
        for value in (1, 2):
            gallery.set_note("calibration", {"threshold": value}, {"Ada": 0.25})
        gallery.set_aside("Ada", gallery.photos("Ada")[1:])
        gallery.add("Grace", [template(7)])
        gallery.merge("Grace", "Ada")
        gallery.rename("Ada", "Ada Lovelace")
        gallery.add("Edith", [template(8, with_crop=True)])
        gallery.undo()
    return path


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(opened(path)) as store:
        return {
            table: sorted(store.rows(f"SELECT {columns} FROM {table}"))
            for table, (_, columns) in TABLES.items()
        }


def test_there_and_back_again_everything_is_the_same(
    file: Path, postgres: Server, tmp_path: Path, template: Templates
) -> None:
    postgres.empty()
    server, back = place(postgres.url), tmp_path / "back.db"
    before = content(file)
    assert all(before[table] for table in TABLES if table not in ("old_meta", "old_crops"))
    assert copy(file, server) == (2, 5)
    assert content(server) == before == content(file)
    assert copy(server, back) == (2, 5)
    assert content(back) == before
    assert back.stat().st_mode & 0o777 == 0o600
    for path in (file, server, back):  # and goes on alike
        with Gallery.open(path, "model", 16) as gallery:
            assert gallery.search(template(1).embedding[None], 1).names == (("Ada Lovelace",),)
            gallery.add("Zoe", [template(9)])
            assert [person.id for person in gallery.people() if person.name == "Zoe"] == [5], "4 was Edith"
            gallery.undo()
            while gallery.undo():
                pass
            assert gallery.people() == []


def test_nothing_is_copied_over_anything(file: Path, postgres: Server, tmp_path: Path) -> None:
    postgres.empty()
    server = place(postgres.url)
    Gallery.open(server, "other", 8, create=True).close()
    assert copy(file, server) == (2, 5), "an empty one is as good as none"
    before = content(server)
    with pytest.raises(GalleryError, match="copy into an empty database"):
        copy(file, server)
    assert content(server) == before
    (tmp_path / "there.db").write_text("mine")
    for source in (file, server):
        with pytest.raises(GalleryError, match="never replaces anything"):
            copy(source, tmp_path / "there.db")
    assert (tmp_path / "there.db").read_text() == "mine"
    assert copy(file, tmp_path / "other.db") == (2, 5)
    assert content(tmp_path / "other.db") == content(file)
    with pytest.raises(GalleryError, match="there is no gallery at"):
        copy(tmp_path / "none.db", tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()
