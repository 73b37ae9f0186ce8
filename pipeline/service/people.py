"""The people of the gallery as the service shows them, and changes by somebody who has seen them so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gallery import Card, ChangedError, GalleryError, Person
from pipeline.api import Recog
from pipeline.service.problems import Problem
from pipeline.service.store import Store
from pipeline.service.versions import must_match, version_of

if TYPE_CHECKING:
    from gallery import Gallery

_T = TypeVar("_T")
_TRIES = 5  # how often a change is tried again that another program has crossed


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody enrolled, with the photos."""

    person: Person
    cards: tuple[Card, ...]  # oldest first

    @property
    def version(self) -> str:
        """Another one whenever the name, the photos, or which of them are set aside change."""
        photos = [(card.id, card.aside) for card in self.cards]
        return version_of(self.person.id, self.person.name, photos)

    @property
    def portrait(self) -> Card | None:
        """The best photo that is searched and has a picture."""
        shown = [card for card in self.cards if card.crop and not card.aside]
        return max(shown, key=lambda card: card.quality, default=None)


@dataclass(frozen=True, slots=True)
class Seen:
    """When and where somebody was seen last."""

    at: str
    source: str
    event: str


def everybody(recog: Recog) -> list[Person]:
    """Everybody, in the order of lists: by name whatever its case, then by id."""
    return sorted(recog.people(), key=place_of)


def place_of(person: Person) -> tuple[str, int]:
    """Where somebody stands in lists."""
    return person.name.casefold(), person.id


def entries(recog: Recog, people: Iterable[Person]) -> list[Entry]:
    """People with their photos, in the same order."""
    people = list(people)
    if not people:
        return []
    cards: dict[int, list[Card]] = defaultdict(list)
    with recog.gallery() as gallery:
        for card in gallery.cards(person.id for person in people):
            cards[card.person].append(card)
    return [Entry(person, tuple(cards[person.id])) for person in people]


def entry_of(gallery: Gallery, number: str) -> Entry:
    """One person with their photos, as the gallery is now.

    Raises:
        Problem: there is nobody with this id.
    """
    found = next((person for person in gallery.people() if str(person.id) == number), None)
    if found is None:
        raise nobody(number)
    return Entry(found, tuple(gallery.cards([found.id])))


def nobody(number: str, where: str = "path.person") -> Problem:
    """Nobody has this id."""
    return Problem(404, "no_such_person", f"there is no person {number[:40]}; they may be removed", where)


def find(recog: Recog, number: str) -> Entry:
    """As `entry_of`; while there is no gallery, there is nobody."""
    if not recog.present():
        raise nobody(number)
    with recog.gallery() as gallery:
        return entry_of(gallery, number)


def card_of(entry: Entry, number: str) -> Card:
    """A photo of a person.

    Raises:
        Problem: the person has no such photo.
    """
    found = next((card for card in entry.cards if str(card.id) == number), None)
    if found is None:
        raise Problem(404, "no_such_photo", f"{entry.person.name} has no photo {number[:40]}", "path.photo")
    return found


def version_of_photo(card: Card) -> str:
    """Another one whenever whose it is, or whether it is set aside, changes."""
    return version_of(card.id, card.person, card.aside)


def change(
    recog: Recog,
    number: str,
    if_match: str | None,
    do: Callable[[Gallery, Entry], _T],
    photo: str | None = None,
) -> _T:
    """Change a person, if they are still as the caller has seen them, also where another program writes.

    Args:
        if_match: the version of the person or, with `photo`, of that photo.
        do: makes one change.

    Raises:
        Problem: nobody has this id; no version is given, or another one.
    """
    if not recog.present():
        raise nobody(number)
    with recog.gallery() as gallery:
        for _ in range(_TRIES):
            marks = gallery.marks()
            entry = entry_of(gallery, number)
            meant = entry.version if photo is None else version_of_photo(card_of(entry, photo))
            must_match(if_match, meant)
            try:
                with gallery.expecting(marks):
                    return do(gallery, entry)
            except ChangedError:
                continue
    raise Problem(
        503, "gallery_busy", "others keep changing the gallery; try again", headers={"retry-after": "1"}
    )


def last_change(gallery: Gallery) -> int | None:
    """The id of the newest change, which `undo` would take back."""
    found = gallery.log(1)
    return found[0].id if found else None


def last_seen(store: Store, people: Iterable[int]) -> dict[int, Seen]:
    """When people with these ids were seen last, where they were."""
    found = {}
    with store.reading() as db:
        for person in people:
            row = db.execute(
                "SELECT until, source, id FROM events WHERE person = ? ORDER BY at DESC, id DESC LIMIT 1",
                (str(person),),
            ).fetchone()
            if row is not None:
                found[person] = Seen(row[0], row[1], row[2])
    return found


def merge_counts(into: Entry, entry: Entry) -> tuple[int, int]:
    """How many photos a merge would move, and how many `into` has already."""
    theirs = {card.digest for card in into.cards}
    double = sum(card.digest in theirs for card in entry.cards)
    return len(entry.cards) - double, double


@contextmanager
def about(code: str, where: str) -> Iterator[None]:
    """What the gallery refuses inside is a problem of one field.

    Args:
        code, where: of the problem.
    """
    try:
        yield
    except GalleryError as error:
        if type(error) is not GalleryError:  # the gallery cannot be used: no fault of the field
            raise
        raise Problem(422, code, " ".join(str(error).split()), where) from error
