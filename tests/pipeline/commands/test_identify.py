"""`recog identify` and the gallery it asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gallery import Gallery


def test_the_gallery_is_opened_to_see_that_it_fits_and_once_for_all_that_is_asked_of_it(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = world.picture(tmp_path / "rosa.png", world.RED)
    assert recog("enroll", "--name", "Rosa", photo).code == 0
    opened: list[Path] = []
    really = Gallery.open.__func__

    def counted(cls: type[Gallery], path: Path, *arguments: Any, **named: Any) -> Gallery:
        opened.append(path)
        return really(cls, path, *arguments, **named)  # type: ignore[no-any-return]

    monkeypatch.setattr(Gallery, "open", classmethod(counted))
    ended = recog("identify", photo)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Rosa\n")
    assert len(opened) == 2  # `Recog.open` tells a gallery that does not fit before anything else


def test_without_a_gallery_it_says_how_to_make_one(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any
) -> None:
    recog("identify", world.picture(tmp_path / "a.png", world.RED)).refused("recog enroll")
