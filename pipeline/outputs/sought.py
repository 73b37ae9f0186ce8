"""Whom to forget: somebody who is enrolled, or a name that is left of somebody who is not any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from gallery import Gallery, StoredTemplate
from pipeline.identity.judge import Judge
from pipeline.outputs.forgetting import Track
from pipeline.tapes.purge import Found, find, likely, of_tracks
from pipeline.tapes.tape import Tape
from pipeline.types import Floats


@dataclass(frozen=True, slots=True)
class Sought:
    """Somebody to forget, and how what is theirs is told."""

    name: str
    person: str  # the gallery's id; empty if nobody of that name is enrolled
    names: frozenset[str]  # theirs, and what they were called before
    templates: tuple[StoredTemplate, ...]  # of the gallery, with those that were set aside
    dimension: int  # of an embedding
    likely: Callable[[Floats], Sequence[bool]]  # which of embeddings (n, d) are likelier theirs than not
    on: Callable[[Tape, Set[Track]], Found]  # what of a tape is theirs, given the tracks that bear their name

    @property
    def enrolled(self) -> bool:
        """Whether the gallery still knows them."""
        return bool(self.person)


def sought(people: Gallery, name: str, judge: Judge) -> Sought:
    """The person of that name; where there is none, the name alone, of whom no face is known.

    Raises:
        GalleryError: nobody has that name, but somebody had it before, who is called otherwise now.
    """
    person = next((each for each in people.people() if each.name == name), None)
    if person is None:
        if _called_now(people, name) != name:
            people.qualities(name)  # refuses the name
        return Sought(
            name,
            "",
            frozenset({name}),
            (),
            people.dimension,
            lambda embeddings: [False] * len(embeddings),
            of_tracks,
        )
    templates = tuple(people.templates(name, aside=True))
    return Sought(
        name,
        str(person.id),
        _names(people, name),
        templates,
        templates[0].embedding.size,
        lambda embeddings: likely(embeddings, name, judge),
        lambda tape, tracks: find(tape, name, judge),
    )


def _names(people: Gallery, name: str) -> frozenset[str]:
    """What somebody is called, and was called before, as far as nobody else is called so now."""
    names = {name}
    for change in people.log():  # newest first
        if change.action in ("rename", "merge") and change.undone is None and change.other in names:
            names |= {change.person} if change.person is not None else set()
    taken = {each.name for each in people.people()} - {name}
    return frozenset(names - taken)


def _called_now(people: Gallery, name: str) -> str:
    """What somebody who once had a name is called now, if they are enrolled; else that name."""
    called = name
    for change in reversed(people.log()):
        if change.action in ("rename", "merge") and change.undone is None and change.person == called:
            called = change.other or called
    return called if any(each.name == called for each in people.people()) else name
