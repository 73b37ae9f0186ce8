"""A server's address is carried as a path, and nothing secret with it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from gallery import GalleryError
from gallery.address import address, exists, is_server, place, secrets


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://ada@host/faces", "postgresql://ada@host/faces"),
        ("postgres://host:5433/faces?sslmode=require", "postgresql://host:5433/faces?sslmode=require"),
        ("postgresql:///faces", "postgresql://@/faces"),
        ("postgresql://?service=recog", "postgresql://@?service=recog"),
        ("postgresql://ada:se%40cret@host/faces", "postgresql://ada@host/faces"),
        ("postgresql://host/faces?user=ada&password=secret", "postgresql://host/faces?user=ada"),
        ("postgresql://h/f?options=-c%20jit=off&password=s+cret", "postgresql://h/f?options=-c%20jit%3Doff"),
        ("postgresql:///faces?host=/run/postgresql", "postgresql://@/faces?host=/run/postgresql"),
    ],
)
def test_an_address_is_shown_as_it_is_written_but_for_its_password(given: str, shown: str) -> None:
    made = place(given)
    assert is_server(made)
    assert exists(made)
    assert (str(made), address(made), f"{made}") == (shown, shown, shown)
    assert "cret" not in repr(made) + repr(made.parts)
    assert secrets(made).get("password", "").replace("@", "") in ("secret", "s+cret", "")
    assert bool(secrets(made)) is ("cret" in given)


def test_it_stays_one_as_a_plain_path_and_through_pickling() -> None:
    made = place("postgresql://ada@host/faces")
    assert str(place(Path("postgresql://ada:secret@host/faces"))) == "postgresql://ada@host/faces"
    for other in (Path(made), Path("postgresql://ada@host/faces"), pickle.loads(pickle.dumps(made))):
        assert is_server(other)
        assert str(place(other)) == "postgresql://ada@host/faces"


@pytest.mark.parametrize(
    "given",
    [
        "ada:se/cret@host/faces",
        "ada:se?cret@host/faces",
        "host:cret/faces",
        "ada:[cret@host/faces?x",
        "ada:1?s=cret@host/faces",
    ],
)
def test_what_cannot_be_read_is_not_quoted(given: str) -> None:
    with pytest.raises(GalleryError, match="cannot be read") as refused:
        place(f"postgresql://{given}")
    assert "cret" not in str(refused.value)


def test_files_are_files() -> None:
    for name in ("faces.db", "/srv/postgresql/faces.db", "postgresql.db", "http://host/x"):
        assert not is_server(place(name))
        assert place(name) == Path(name)
    assert place(Path("faces.db")) == Path("faces.db")
    assert not exists(Path("no such file"))
