"""What people have agreed to: a note and a date for each, kept with the person and gone with the person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from gallery import Gallery, check_name
from gallery.exchange import CONSENT
from pipeline.errors import ConfigError
from pipeline.protocols import Notes

KEY = CONSENT  # of the notes of people in the gallery
MOST = 500  # characters of a note


@dataclass(frozen=True, slots=True)
class Consent:
    """What somebody has agreed to."""

    note: str
    date: str  # YYYY-MM-DD

    @classmethod
    def of(cls, note: str, date: str | None = None) -> Self:
        """With the date of today, unless another one is given.

        Raises:
            ConfigError: an empty or very long note, or a date that is none.
        """
        note = " ".join(note.split())
        if not 0 < len(note) <= MOST:
            raise ConfigError(f"a note of consent has 1 to {MOST} characters, this one has {len(note)}")
        try:
            day = datetime.now(UTC).date() if date is None else datetime.strptime(date, "%Y-%m-%d").date()
        except ValueError as error:
            raise ConfigError(f"{date}: write the date as 2026-11-28") from error
        return cls(note, day.isoformat())

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def noted(people: Notes) -> dict[str, Consent]:
    """The consents of a gallery, by name."""
    found: dict[str, Any] = people.person_notes(KEY)
    return {name: Consent(str(each["note"]), str(each["date"])) for name, each in found.items()}


def write(people: Gallery, name: str, consent: Consent | None) -> None:
    """Keep what a person has agreed to, or take it away; `recog gallery undo` takes that back.

    Raises:
        GalleryError: nobody of that name, or the gallery cannot be written.
    """
    write_all(people, {check_name(name): consent})


def write_all(people: Gallery, consents: Mapping[str, Consent | None]) -> None:
    """As `write`, for several people in one change; those of others stay."""
    known: dict[str, Any] = {each: consented.as_dict() for each, consented in noted(people).items()}
    for name, consent in consents.items():
        known.pop(name, None)
        if consent is not None:
            known[name] = consent.as_dict()
    people.set_note(KEY, True if known else None, known)
