from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery import GalleryError, check_name
from gallery.names import similar_names


@pytest.mark.parametrize(
    "name", ["Ada", "Ada Lovelace", "Jürgen Groß", "山田太郎", "O'Neil-Smith", "x" * 80, "a.b"]
)
def test_ordinary_names_of_every_script_stay_as_they_are(name: str) -> None:
    assert check_name(name) == name


def test_two_ways_to_write_one_name_become_one() -> None:
    assert check_name("Ju\u0308rgen") == "J\u00fcrgen"
    assert check_name("  Ada\n") == "Ada"
    assert check_name("山田\u3000太郎") == "山田 太郎"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        "\n",
        "a/b",
        "a\\b",
        "..",
        ".hidden",
        "a\nb",
        "a\tb",
        "a\x00b",
        "a\x1b[31mb",
        "a\u202eb",
        "\udcff",
        "x" * 81,
    ],
)
def test_names_that_could_do_harm_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(GalleryError) as refused:
        check_name(name)
    assert str(refused.value).isprintable()


@settings(database=None, deadline=None)
@given(st.text())
def test_a_checked_name_checks_to_itself(name: str) -> None:
    try:
        checked = check_name(name)
    except GalleryError:
        return
    assert check_name(checked) == checked


def test_near_names_are_found_whatever_their_case() -> None:
    assert similar_names("ada", ["Grace", "Ada", "Adam"]) == ["Ada", "Adam"]
    assert similar_names("zzz", ["Grace", "Ada"]) == []


def test_a_first_name_finds_the_full_ones() -> None:
    known = ["Grace Hopper", "Ada Lovelace", "Ada Yonath"]
    assert similar_names("ada", known) == ["Ada Lovelace", "Ada Yonath"]
    assert similar_names("a", known, most=1) == ["Ada Lovelace"]
