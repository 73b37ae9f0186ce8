"""What may be wrong with who is enrolled, found again after every change, beside the requests."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field

from pipeline.api import ERRORS, Finding, Recog

MOST = 20_000  # photos up to which everybody is looked through after each change
PATIENCE = 0.5  # seconds that a request waits for the newest findings


@dataclass(frozen=True, slots=True)
class Found:
    """Findings by the name of the person."""

    people: dict[str, list[str]] = field(default_factory=dict)
    photos: dict[str, dict[int, list[str]]] = field(default_factory=dict)  # by the number of the photo


class Warnings:
    """The findings of the gallery as it is, or was a moment ago. Any thread may use it."""

    def __init__(self, recog: Recog) -> None:
        self._recog = recog
        self._found, self._marks = Found(), object()
        self._lock = threading.Lock()
        self._work: threading.Thread | None = None

    def now(self) -> Found:
        """The findings; those of before where finding them anew takes long."""
        if not self._recog.present():
            return Found()
        with self._lock:
            if self._work is None or not self._work.is_alive():
                with self._recog.gallery() as gallery:
                    marks, photos = gallery.marks(), len(gallery)
                if marks == self._marks or photos > MOST:
                    return self._found
                self._work = threading.Thread(
                    target=self._look, args=(marks,), name="recog check", daemon=True
                )
                self._work.start()
            work = self._work
        work.join(PATIENCE)
        return self._found

    def _look(self, marks: object) -> None:
        try:
            found = sorted_out(self._recog.check())
        except (*ERRORS, ValueError):  # the gallery cannot be read now, or the service is closed: later, then
            return
        self._found, self._marks = found, marks


def sorted_out(findings: list[Finding]) -> Found:
    """Findings in the words of the page, by person."""
    people: dict[str, list[str]] = defaultdict(list)
    photos: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in findings:
        first = each.people[0]
        match each.kind:
            case "same":
                second = each.people[1]
                people[first].append(f"looks like the same person as {second}")
                people[second].append(f"looks like the same person as {first}")
            case "two":
                people[first].append("some photos look like another person")
                for number in each.photos:
                    photos[first][number].append("looks like another person than the other photos")
            case "outlier":
                people[first].append("a photo fits none of the others")
                for number in each.photos:
                    photos[first][number].append("fits none of the other photos")
            case "poor":
                for number in each.photos:
                    photos[first][number].append("poor: small, blurred or turned aside")
    return Found(dict(people), {name: dict(theirs) for name, theirs in photos.items()})
