"""Whose faces are covered: a rule on identities, which covers in doubt.

Nobody is shown who has not been decided to be somebody that the rule leaves uncovered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gallery import check_name
from gallery.errors import GalleryError
from pipeline.errors import ConfigError
from pipeline.protocols import People
from pipeline.types import Identity, State

Kind = Literal["unknown", "known", "all", "name", "not"]
SAID = "unknown, known, all, name:NAME, not:NAME"


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose faces are covered.

    `unknown`: everybody who is not named. `known`: everybody who is. `all`: everybody. `name`: those of these
    names. `not`: everybody but those of these names. Whoever is undecided is covered by each of them.
    """

    kind: Kind
    names: tuple[str, ...] = ()

    def covers(self, identity: Identity) -> bool:
        """Whether a face with this verdict is covered."""
        if identity.state is State.UNDECIDED:
            return True
        named = identity.state is State.NAMED
        match self.kind:
            case "all":
                return True
            case "unknown":
                return not named
            case "known":
                return named
            case "name":
                return named and identity.name in self.names
            case "not":
                return not (named and identity.name in self.names)

    def blind(self, people: People, hindrance: str | None) -> bool:
        """Whether nobody may be shown for now, since those who are to be covered could not be told.

        Somebody who was renamed or removed meanwhile, or a gallery in which nobody can be named, would turn
        whom the rule covers into strangers, whom it shows.

        Args:
            hindrance: why nobody is named at present; None where people are.
        """
        if self.kind == "name":
            return hindrance is not None or not all(people.knows(name) for name in self.names)
        return self.kind == "known" and hindrance is not None

    def now(self, people: People) -> tuple[str, ...]:
        """Whose faces it covers by the gallery as it is, in the words of `rule_of`.

        Somebody who was forgotten is not named any more. Of all but some one fewer is shown then; where only
        some were covered, everybody is (`blind`).
        """
        left = tuple(name for name in self.names if people.knows(name))
        if left == self.names:
            return self.words
        return Rule("not", left).words if left and self.kind == "not" else ("all",)

    @property
    def words(self) -> tuple[str, ...]:
        """As `rule_of` takes it."""
        return tuple(f"{self.kind}:{name}" for name in self.names) or (self.kind,)

    def __str__(self) -> str:
        return ", ".join(self.words)


def rule_of(who: Sequence[str]) -> Rule | None:
    """What `--blur` and `blur.who` ask for; None for nothing. `name:` and `not:` may come several times.

    Raises:
        ConfigError: a word that is none of them, or words that contradict each other.
    """
    if not who:
        return None
    kinds, names = list[Kind](), list[str]()
    for each in who:
        word, colon, name = each.strip().partition(":")
        match word, bool(colon):
            case ("unknown" | "known" | "all") as kind, False:
                kinds.append(kind)
            case ("name" | "not") as kind, True:
                kinds.append(kind)
                try:
                    names.append(check_name(name))
                except GalleryError as error:
                    raise ConfigError(f"blur {each}: {error}") from error
            case _:
                raise ConfigError(f"blur {each}: there are {SAID}")
    if len(set(kinds)) > 1 or (len(kinds) > 1 and not names):
        said = " and ".join(dict.fromkeys(who))
        raise ConfigError(f"blur {said}: give one of {SAID}; only name: or only not: may come several times")
    return Rule(kinds[0], tuple(dict.fromkeys(names)))


def check_names(rule: Rule | None, people: People) -> None:
    """Refuse a rule that names somebody who is not enrolled: a slip would show whom it should cover.

    Raises:
        ConfigError: in one line, who that is.
    """
    for name in rule.names if rule is not None else ():
        if not people.knows(name):
            raise ConfigError(
                f"blur {rule}: nobody named {name} is enrolled; see who is with: recog gallery list"
            )
