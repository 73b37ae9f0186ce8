"""What another process writes is taken in without holding up whoever searches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gallery import Gallery, GalleryError, NewTemplate, live

BOTH = True
Templates = Callable[..., NewTemplate]


def until(reader: Gallery, so: Callable[[], bool] = lambda: True) -> float:
    """Ask as a running recogniser does; seconds until there was news, and it was so."""
    started = time.monotonic()
    while not (reader.refresh(wait=False) and so()):  # a server tells of each change, which come one by one
        assert time.monotonic() - started < 10
        time.sleep(0.01)
    return time.monotonic() - started


def test_an_enrolment_of_another_process_arrives_in_the_background(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as writer, Gallery.open(path, "model", 16) as reader:
        writer.add("Ada", [template(1), template(2)])
        assert reader.search(template(1).embedding[None], 1).templates == 2
        assert not reader.refresh(wait=False)
        writer.add("Grace", [template(3)])
        until(reader, lambda: reader.search(template(3).embedding[None], 1).names == (("Grace",),))
        writer.merge("Grace", "Ada")
        until(reader, lambda: reader.search(template(3).embedding[None], 9).names == (("Ada",),))
        writer.undo()
        writer.remove("Ada")
        until(reader, lambda: reader.search(template(1).embedding[None], 9).names == (("Grace",),))
        assert not reader.refresh(wait=False)


def test_refreshing_in_the_background_returns_at_once(
    path: Path, template: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, may_look = live.difference, threading.Event()

    def held_back(*arguments: object) -> live.Difference:
        assert may_look.wait(30), "it was waited for"
        return look(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(live, "difference", held_back)
    with Gallery.open(path, "model", 16, create=True) as writer, Gallery.open(path, "model", 16) as reader:
        writer.add("Ada", [template(1)])
        reader.search(template(1).embedding[None])
        writer.add("Grace", [template(2)])
        assert not reader.refresh(wait=False)
        assert reader.search(template(2).embedding[None], 9).names == (("Ada",),)
        assert not reader.refresh(wait=False)
        may_look.set()
        assert reader.refresh(), "who waits has it now"
        assert reader.search(template(2).embedding[None], 1).names == (("Grace",),)


def test_what_was_found_is_looked_for_again_where_the_index_moved_on(
    path: Path, template: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, may_look = live.difference, threading.Event()

    def held_back(*arguments: object) -> live.Difference:
        assert may_look.wait(10)
        return look(*arguments)  # type: ignore[arg-type]

    with Gallery.open(path, "model", 16, create=True) as mine, Gallery.open(path, "model", 16) as theirs:
        mine.add("Ada", [template(1)])
        mine.search(template(1).embedding[None])
        theirs.add("Grace", [template(2)])
        monkeypatch.setattr(live, "difference", held_back)
        assert not mine.refresh(wait=False)
        mine.add("Edith", [template(3)])  # before the background's result is taken in
        may_look.set()
        while mine.refresh(wait=False) or mine._background is not None:
            time.sleep(0.01)
        found = mine.search(template(2).embedding[None], 9)
        assert (found.names[0][0], found.people, found.templates) == ("Grace", 3, 3)


@pytest.mark.file
def test_trouble_in_the_background_reaches_whoever_asks(path: Path, template: Templates) -> None:
    with Gallery.open(path, "model", 16, create=True) as writer, Gallery.open(path, "model", 16) as reader:
        writer.add("Ada", [template(1)])
        reader.search(template(1).embedding[None])
        writer.add("Grace", [template(2)])
        path.rename(path.with_suffix(".away"))
        with pytest.raises(GalleryError, match="cannot be used"):
            until(reader)
        path.with_suffix(".away").rename(path)
