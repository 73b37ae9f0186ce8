from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery import GalleryError, check_name, check_new_name
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
        "Ada \U0001f600",
        "\U0001f469\u200d\U0001f467",  # a woman and a girl, joined
        "\U0001f469\U0001f3fd\u200d\U0001f692",  # a firefighter of some skin tone
        "\U0001f3f3\ufe0f\u200d\U0001f308",  # a flag in colours
        "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",  # the flag of Wales
        "\u2764\ufe0f\u200d\U0001f525",
        "\U0001fae8 Ada",  # a face newer than some Pythons
        "1\ufe0f\u20e3",
        "\u0915\u094d\u200d\u0937",  # a Hindi half form
        "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc",  # Persian
        "\u845b\U000e0100",  # a Japanese name whose shape matters to its bearer
    ],
)
def test_emoji_and_joiners_that_change_what_is_seen_stay(name: str) -> None:
    assert check_name(name) == name
    assert check_new_name(f" {name}\n") == name


@pytest.mark.parametrize(
    "name",
    ["A\u200dda", "\u200dAda", "Ada\u200d", "Ada\u200c\u200d", "Ada \u200d", "A\ufe0fda", "Ada\u200d\ufe0f"],
)
def test_names_that_look_the_same_are_one(name: str) -> None:
    assert check_name(name) == "Ada"
    assert check_name("Ju\u200d\u0308rgen") == "J\u00fcrgen"


@pytest.mark.parametrize(
    "name", ["unknown", "Unknown", " UNKNOWN ", "un\u200dknown", "\uff35nknown", "Undecided"]
)
def test_what_recog_says_of_faces_is_no_name_for_somebody_new(name: str) -> None:
    with pytest.raises(GalleryError, match="choose another name"):
        check_new_name(name)
    check_name(name)  # somebody whom an earlier version let be called so can be renamed
    assert check_new_name("Unknown Soldier") == "Unknown Soldier"


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
        "a\u2066b",
        "a\u200fb",
        "a\u200bb",
        "a\u00adb",
        "a\ufeffb",
        "\u200d",
        "a\U000e0067b",
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
    checks_to_itself(name)


@settings(database=None, deadline=None, max_examples=500)
@given(st.text("a \u0308\u200c\u200d\ufe0f\U0001f600\u094d\u0915\u0627\u0653\U0001f3fd.", max_size=8))
def test_so_does_one_of_joiners(name: str) -> None:
    checks_to_itself(name)


def checks_to_itself(name: str) -> None:
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
