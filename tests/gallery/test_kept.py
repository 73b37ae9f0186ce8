"""A shortlist is kept beside the gallery, taken up by the next process, and gone with whoever is removed."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from gallery import Gallery, NewTemplate, index, large
from gallery.database import shortlist_file
from gallery.index import InvertedFile
from gallery.kept import KeptShortlist

DIMENSION = 32
COUNT = 600


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE", 500)
    monkeypatch.setattr(index, "_CELLS", 1.0)
    monkeypatch.setattr(index, "_LOOKED_AT", 1 / 2)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many embeddings each shortlist had that was built, and not taken up."""
    counts: list[int] = []
    build = InvertedFile.__init__

    def count(self: InvertedFile, embeddings: np.ndarray, ids: np.ndarray) -> None:
        counts.append(len(ids))
        build(self, embeddings, ids)

    monkeypatch.setattr(InvertedFile, "__init__", count)
    return counts


def faces(seed: int, count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)


def fill(path: Path, embeddings: np.ndarray, first: int = 0) -> None:
    with Gallery.open(path, "model", DIMENSION, create=True) as opened:
        people = {
            f"p{first + i}": [NewTemplate(row, None, 1.0, "a.jpg", str(first + i))]
            for i, row in enumerate(embeddings)
        }
        opened.add_people(people, "enroll")


def nearest(opened: Gallery, probe: np.ndarray) -> str:
    return opened.search(probe[None], 1).names[0][0]


def ready(opened: Gallery) -> None:
    """Search once, so that the shortlist is made, and wait for it."""
    nearest(opened, faces(9, 1)[0])
    assert opened._matcher is not None
    made = opened._matcher._index
    assert made._building is not None
    made._building.result()
    assert made.approximate


@pytest.fixture
def kept(path: Path, built: list[int]) -> Path:
    """A gallery with a shortlist beside it."""
    fill(path, faces(1))
    with Gallery.open(path, "model", DIMENSION) as opened:
        ready(opened)
    assert built.pop() == COUNT
    assert shortlist_file(path).exists()
    return path


def test_it_is_private_and_taken_up_by_the_next_process(kept: Path, built: list[int]) -> None:
    assert stat.S_IMODE(shortlist_file(kept).stat().st_mode) == 0o600
    assert sorted(each.name for each in kept.parent.iterdir()) == ["faces.db", "faces.db-shortlist"]
    with Gallery.open(kept, "model", DIMENSION) as opened:
        ready(opened)
        assert built == []
        assert [nearest(opened, row) for row in faces(1)[:40]] == [f"p{i}" for i in range(40)]


def test_what_came_since_is_added_and_many_are_a_reason_to_build_anew(kept: Path, built: list[int]) -> None:
    fill(kept, faces(2, 30), COUNT)
    with Gallery.open(kept, "model", DIMENSION) as opened:
        ready(opened)
        assert built == []
        assert [nearest(opened, row) for row in faces(2, 30)] == [f"p{COUNT + i}" for i in range(30)]
        assert nearest(opened, faces(1)[5]) == "p5"
        opened.add("later", [NewTemplate(faces(3, 1)[0], None, 1.0, "b.jpg", "later")])
        assert nearest(opened, faces(3, 1)[0]) == "later"
    fill(kept, faces(4, 100), 2 * COUNT)
    with Gallery.open(kept, "model", DIMENSION) as opened:
        ready(opened)
        assert built == [COUNT + 131]


def test_a_removal_deletes_it_and_whoever_has_it_open_forgets_the_person(
    kept: Path, built: list[int]
) -> None:
    left = kept.with_name(".faces.db-shortlist.killed")
    left.write_text("what a killed process left")
    with Gallery.open(kept, "model", DIMENSION) as opened:
        ready(opened)
        with Gallery.open(kept, None, None) as other:
            assert other.remove("p7").erased
        assert not shortlist_file(kept).exists()
        assert not left.exists()
        opened.refresh()
        assert nearest(opened, faces(1)[7]) != "p7"
        assert nearest(opened, faces(1)[8]) == "p8"
    assert [each.name for each in kept.parent.iterdir()] == ["faces.db"]


def test_somebody_removed_while_it_was_built_is_not_kept(path: Path) -> None:
    fill(path, faces(1))
    with Gallery.open(path, "model", DIMENSION) as opened:
        ids, _, embeddings = opened.embeddings()
        made = InvertedFile(embeddings, ids)
        opened.remove("p3")
        KeptShortlist(path, ("model", DIMENSION)).write(made)
    assert [each.name for each in path.parent.iterdir()] == ["faces.db"]


@pytest.mark.parametrize("kind", ["flipped", "short", "empty", "folder", "not of FAISS", "another model"])
def test_anything_wrong_with_it_means_building_it_again(kept: Path, built: list[int], kind: str) -> None:
    file, keeper = shortlist_file(kept), KeptShortlist(kept, ("model", DIMENSION))
    content = bytearray(file.read_bytes())
    if kind == "flipped":
        content[len(content) // 2] ^= 1
    elif kind in ("short", "empty"):
        del content[100 if kind == "short" else 0 :]
    elif kind == "not of FAISS":
        file.write_bytes(b"precious " * 100)
        content = bytearray(file.read_bytes() + keeper._digest(file, 900))
    file.write_bytes(bytes(content))
    if kind == "folder":
        file.unlink()
        file.mkdir()
    if kind == "another model":
        assert KeptShortlist(kept, ("other", DIMENSION)).read() is None
        assert keeper.read() is not None
        return
    assert keeper.read() is None
    with Gallery.open(kept, "model", DIMENSION) as opened:
        ready(opened)
        assert built == [COUNT]
        assert nearest(opened, faces(1)[5]) == "p5"
    assert (keeper.read() is None) == (kind == "folder")


def test_one_of_another_gallery_with_the_same_ids_is_built_anew(
    kept: Path, built: list[int], tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    fill(other, faces(5))
    shortlist_file(other).write_bytes(shortlist_file(kept).read_bytes())
    with Gallery.open(other, "model", DIMENSION) as opened:
        ready(opened)
        assert built == [COUNT]


def test_a_folder_that_cannot_be_written_keeps_none(
    path: Path, built: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, faces(1))

    def refuse(self: InvertedFile, path: Path) -> None:
        raise RuntimeError("no space left")

    monkeypatch.setattr(InvertedFile, "write", refuse)
    with Gallery.open(path, "model", DIMENSION) as opened:
        ready(opened)
        assert nearest(opened, faces(1)[5]) == "p5"
    assert [each.name for each in path.parent.iterdir()] == ["faces.db"]
