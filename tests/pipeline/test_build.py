"""From settings to embedder and gallery."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.errors import GalleryError
from gallery.types import NewTemplate
from pipeline import build
from pipeline.config import Settings


def test_the_embedder_embeds_crops_and_its_fingerprint_names_model_and_alignment() -> None:
    made = build.embedder(Settings())
    crops = np.random.default_rng(0).integers(0, 255, (3, 112, 112, 3), np.uint8)
    embeddings = made.embed(crops)
    assert (embeddings.shape, embeddings.dtype) == ((3, made.dimension), np.float32)
    assert np.allclose(made.embed(crops[1:2])[0], embeddings[1], atol=1e-4)
    assert made.embed(crops[:0]).shape == (0, made.dimension)
    assert made.digest[:16] in build.fingerprint(made)
    assert "5pt-112" in build.fingerprint(made)


def test_the_users_own_gallery_may_yet_have_to_be_made_but_one_that_is_named_must_exist(
    tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "GALLERY", tmp_path / "gallery.db")
    people = build.people(None, embedder)
    assert (people.people_count, people.refresh()) == (0, False)
    with build.gallery(None, embedder, create=True) as made:
        made.add("Rosa", [NewTemplate(np.zeros(8, np.float32), None, 1.0, "test", "1")])
    assert people.refresh()
    assert people.people_count == 1
    assert people.search(np.zeros((1, 8), np.float32), 1).names == (("Rosa",),)
    assert not people.refresh()
    with build.gallery(None, embedder) as other:
        other.add("Ada", [NewTemplate(np.ones(8, np.float32), None, 1.0, "test", "2")])
    while not people.refresh():  # another thread reads it
        time.sleep(0.01)
    assert people.search(np.ones((1, 8), np.float32), 1).names == (("Ada",),)
    people.close()
    found = build.people(None, embedder)
    assert found.people_count == 2
    found.close()
    with pytest.raises(GalleryError, match="there is no gallery at"):
        build.people(tmp_path / "no.db", embedder)


def test_a_path_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert build.gallery_path(Path("~/a.db")) == tmp_path / "a.db"
    assert build.gallery_path(None).is_relative_to(tmp_path)


def test_without_a_home_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "")
    with pytest.raises(GalleryError, match="set HOME, or name a file with --gallery"):
        build.gallery_path(None)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where the user has no entry, either
    monkeypatch.delenv("HOME")
    with pytest.raises(GalleryError, match="set HOME, or name a file with --gallery"):
        build.gallery_path(None)
    assert build.gallery_path(tmp_path / "g.db") == tmp_path / "g.db"


def test_only_the_users_own_home_is_meant_by_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert build.gallery_path(Path("~/g.db")) == tmp_path / "g.db"
    assert build.gallery_path(Path("~g.db")) == Path("~g.db")
    assert build.gallery_path(Path("a/~/g.db")) == Path("a/~/g.db")
