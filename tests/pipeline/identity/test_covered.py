"""Who is covered: in doubt, everybody."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.identity.covered import Rule, check_names, rule_of
from pipeline.types import UNDECIDED, Identity, State

ALICE, BOB = (Identity(State.NAMED, name, 0.99) for name in ("alice", "bob"))
NOBODY = Identity(State.UNKNOWN, None, 0.97)


class Enrolled:
    """People of these names; what a rule asks of a gallery is only that."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def knows(self, name: str) -> bool:
        return name in self.names


def rule(*who: str) -> Rule:
    made = rule_of(who)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        (["unknown"], {"alice", "bob"}),
        (["known"], {None}),
        (["all"], set()),
        (["name:alice"], {"bob", None}),
        (["name:alice", "name:bob"], {None}),
        (["not:alice"], {"alice"}),
        (["not:alice", "not:bob"], {"alice", "bob"}),
    ],
)
def test_a_rule_shows_whom_it_says_and_never_who_is_undecided(who: list[str], shown: set[str | None]) -> None:
    made = rule(*who)
    assert {each.name for each in (ALICE, BOB, NOBODY) if not made.covers(each)} == shown
    assert made.covers(UNDECIDED)
    assert made.covers(Identity(State.UNDECIDED, None, 0.98, 5, "nearly alice"))


def test_names_are_compared_as_the_gallery_writes_them() -> None:
    assert not rule("not:  Zoe\u0308 ").covers(Identity(State.NAMED, "Zo\u00eb", 0.99))
    assert rule("name:a:b").names == ("a:b",)
    assert str(rule("name:alice", "name:bob")) == "name:alice, name:bob"
    assert rule_of(()) is None


@pytest.mark.parametrize(
    ("who", "words"),
    [
        (["nobody"], "blur nobody: there are unknown, known, all, name:NAME, not:NAME"),
        (["unknown:alice"], "there are"),
        (["name"], "there are"),
        (["name:"], "a name cannot be empty"),
        (["name:alice", "not:bob"], "give one of"),
        (["all", "unknown"], "give one of"),
        (["all", "all"], "give one of"),
    ],
)
def test_what_is_no_rule_is_refused_in_one_line(who: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        rule_of(who)
    assert "\n" not in str(raised.value)


def test_a_slip_in_a_name_is_refused_for_it_would_show_whom_it_should_cover() -> None:
    people: Any = Enrolled("alice")
    check_names(rule("name:alice"), people)
    check_names(None, people)
    check_names(rule("all"), people)
    for who in ("name:alcie", "not:alcie"):
        with pytest.raises(ConfigError, match="nobody named alcie is enrolled"):
            check_names(rule(who), people)


def test_where_people_cannot_be_told_nobody_is_shown_whom_the_rule_may_mean() -> None:
    people: Any = Enrolled("bob")
    assert rule("name:alice").blind(people, None)  # renamed or removed since
    assert not rule("name:bob").blind(people, None)
    assert rule("name:bob").blind(people, "too many are enrolled")
    assert rule("known").blind(people, "too many are enrolled")
    # These show only who is named.
    assert not any(rule(who).blind(people, "too many") for who in ("unknown", "all", "not:alice"))


@pytest.mark.parametrize(
    ("who", "told"),
    [
        (["unknown"], ("unknown",)),
        (["name:bob"], ("name:bob",)),
        (["name:alice", "name:bob"], ("all",)),  # who alice is cannot be told, so everybody is covered
        (["not:bob", "not:alice"], ("not:bob",)),
        (["not:alice"], ("all",)),
    ],
)
def test_whoever_was_forgotten_is_not_named_by_the_rule_any_more(
    who: list[str], told: tuple[str, ...]
) -> None:
    people: Any = Enrolled("bob")
    assert rule(*who).now(people) == told
    assert rule_of(told) is not None
