"""What the methods share: one index of who is enrolled, helpers, and an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline import build
from pipeline.api import Recog


def test_sources_and_questions_share_one_index_of_who_is_enrolled_and_helpers_only_help_between_sources(
    recognition: Recog, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gallery.matching import Matcher

    made = []
    init = Matcher.__init__
    monkeypatch.setattr(Matcher, "__init__", lambda self, *rest: (made.append(self), init(self, *rest))[1])
    rosa = world.picture(tmp_path / "rosa.png", world.RED)
    recognition.enroll("Rosa", [rosa])
    before = len(made)  # those of enrolling
    assert [face.name for face in recognition.identify(rosa)] == ["Rosa"]
    helpers = recognition._shared.helpers()
    film = world.film(tmp_path / "film.mp4", world.RED, world.GREEN, count=10)
    with recognition.follow(film, delay=0) as first, recognition.follow(film, delay=0) as second:
        assert recognition._shared.helpers() is None
        for frames in (first, second):
            assert any(face.identity.name == "Rosa" for result in frames for face in result.faces)
        assert [face.name for face in recognition.identify(rosa)] == ["Rosa"]
        assert len(made) == before + 1
        with recognition.gallery() as gallery:
            gallery.rename("Rosa", "Rose")
        assert [face.name for face in recognition.identify(rosa)] == ["Rose"]
    assert recognition._shared.helpers() is helpers
    assert helpers is not None or build.threads(recognition.settings) < 2


def test_after_closing_it_is_no_longer_used(recognition: Recog, world: Any) -> None:
    with recognition:
        recognition.identify(world.empty())
    with pytest.raises(ValueError, match="closed"):
        recognition.identify(world.empty())
