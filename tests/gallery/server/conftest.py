"""What the tests of a gallery on a server share: an empty one, one with people, one that is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gallery import Gallery, NewTemplate
from gallery.address import place
from gallery.followed import Enrolled
from tests.postgres import Server

Templates = Callable[..., NewTemplate]


@pytest.fixture
def where(postgres: Server) -> Path:
    postgres.empty()
    return place(postgres.url)


@pytest.fixture
def filled(where: Path, template: Templates) -> Path:
    """Ada has pictures 1 and 2, Grace 3."""
    with Gallery.open(where, "model", 16, create=True) as gallery:
        gallery.add("Ada", [template(1), template(2)])
        gallery.add("Grace", [template(3)])
    return where


@pytest.fixture
def stopped(postgres: Server) -> Iterator[Server]:
    """A server that the test may stop; it runs again afterwards."""
    yield postgres
    postgres.stop()
    postgres.start()


@pytest.fixture
def guest(filled: Path, postgres: Server) -> Path:
    """The gallery for somebody who has no right to it yet."""
    if not postgres.execute("SELECT 1 FROM pg_roles WHERE rolname = 'guest'"):
        postgres.execute("CREATE ROLE guest LOGIN")
    postgres.execute("DROP OWNED BY guest")
    return place(postgres.url.replace("recog@", "guest@"))


def until(true: Callable[[], bool]) -> float:
    """Wait until something is true; for how many seconds."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < 20
        time.sleep(0.005)
    return time.monotonic() - started


def names(people: Enrolled | Gallery, template: NewTemplate) -> list[str]:
    return list(people.search(template.embedding[None], 9, pooled=True).names[0])
