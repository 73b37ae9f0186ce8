"""What `recog enroll` says at the end: lines, JSON, and a contact sheet."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.commands.shared import print_json
from pipeline.drawing.sheet import contact_sheet
from pipeline.enrolment.enroller import Enrolment
from pipeline.enrolment.photos import Outcome, Verdict
from pipeline.errors import SourceError
from pipeline.outputs.ledger import Ledger
from pipeline.outputs.video import ImageSink
from pipeline.types import Image
from pipeline.words import counted, counted_people

SHEET_MOST = 600  # pictures on a contact sheet
EXAMPLES = 20  # people listed for each kind of trouble


class Report:
    """Collects what became of people and tells it."""

    def __init__(self, gallery: Path, *, dry_run: bool, as_json: bool, sheet: Path | None) -> None:
        self.gallery = gallery
        self._dry_run, self._as_json = dry_run, as_json
        self._sheet_file = sheet
        self._sheet = (
            None if sheet is None else ImageSink(sheet, private=True)
        )  # refused now, not after the work
        self._pictures: list[tuple[Image, str]] = []
        self._people: list[tuple[Enrolment, str]] = []
        self._unused: list[tuple[Path, str]] = []
        self._started = time.perf_counter()

    def passed_over(self, unused: Sequence[tuple[Path, str]]) -> None:
        """Take in files of a folder that are no photographs, each with the reason."""
        self._unused += unused

    def one(self, person: Enrolment, enrolled: int, calibrated: str) -> None:
        """The report of a single person.

        Args:
            enrolled: how many people the gallery holds now.
            calibrated: what became of its calibration, if anything.

        Raises:
            SourceError: none of the looks can be used.
            SinkError: the contact sheet cannot be written.
        """
        self._keep_pictures(person, [outcome.origin for outcome in person.outcomes])
        self._write_sheet()
        if self._as_json:
            about = {"gallery": str(self.gallery), "dry_run": self._dry_run, "calibrated": calibrated or None}
            print_json(about | person.as_dict() | {"unused": self._unused_dicts()})
        else:
            self._tell_unused()
            for outcome in person.outcomes:
                print(f"{outcome.origin}: {_said(outcome)}")
        if not person.usable:
            photos = len(person.outcomes)
            which = f"none of the {photos:,} photos" if photos != 1 else "the only photo"
            used = "can be used" if photos != 1 else "cannot be used"
            raise SourceError(f"{which} of {person.name} {used}; nothing was stored")
        if not self._as_json:
            print(f"{person.name}: {self._sum(person)}; {self._where(enrolled)}")
            _tell(calibrated)

    def add(self, person: Enrolment, refused: str) -> None:
        """Take in one of many people; `refused` says why a folder gave nobody."""
        self._keep_pictures(person, [person.name] * len(person.outcomes))
        # The looks themselves are in the gallery by now: of thousands of people only the words are kept.
        bare = tuple(
            Outcome(o.origin, None, o.reason, o.verdict, o.looks_like, o.probability) for o in person.outcomes
        )
        self._people.append((Enrolment(person.name, bare), refused))

    def all(self, root: Path, enrolled: int, calibrated: str) -> None:
        """The report of many people; arguments as of `one`.

        Raises:
            SourceError: nobody could be enrolled.
            SinkError: the contact sheet cannot be written.
        """
        self._write_sheet()
        seconds = time.perf_counter() - self._started
        count = {verdict: sum(person.count(verdict) for person, _ in self._people) for verdict in Verdict}
        photos, usable = sum(count.values()), sum(person.usable for person, _ in self._people)
        if self._as_json:
            print_json(
                {
                    "gallery": str(self.gallery), "dry_run": self._dry_run,
                    "calibrated": calibrated or None, "seconds": round(seconds, 2),
                    "images": photos, "stored": count[Verdict.ACCEPTED], "duplicates":
                    count[Verdict.DUPLICATE],
                    "held": count[Verdict.HELD], "rejected": count[Verdict.REJECTED],
                    "unused": self._unused_dicts(),
                    "people": [person.as_dict() | {"refused": why or None} for person, why in self._people],
                }
            )  # fmt: skip
        else:
            self._tell_troubles()
            self._tell_unused()
            rate = f", {photos / seconds:.0f} a second" if photos else ""
            stored = "would be stored" if self._dry_run else "stored"
            print(
                f"{usable} of {counted_people(len(self._people))} and {count[Verdict.ACCEPTED]} of "
                f"{counted(photos, 'photo')} {stored}, {count[Verdict.DUPLICATE]} already there, "
                f"{count[Verdict.HELD]} held back, {count[Verdict.REJECTED]} rejected, "
                f"in {seconds:.1f} s{rate}; {self._where(enrolled)}"
            )
            _tell(calibrated)
        if not usable:
            raise SourceError(f"nobody in {root} can be enrolled; nothing was stored")

    def _tell_troubles(self) -> None:
        nobody = [(p, why) for p, why in self._people if not p.usable]
        for person, why in nobody[:EXAMPLES]:
            print(f"{person.name}: nobody enrolled: {why or _said(person.outcomes[0])}")
        _more(len(nobody), "people")
        for verdict in (Verdict.HELD, Verdict.REJECTED):
            found = [o for p, _ in self._people if p.usable for o in p.outcomes if o.verdict is verdict]
            for outcome in found[:EXAMPLES]:
                print(f"{outcome.origin}: {_said(outcome)}")
            _more(len(found), f"photos {verdict.value}")

    def _tell_unused(self) -> None:
        for path, why in self._unused[:EXAMPLES]:
            print(f"{path}: not used: {why}")
        _more(len(self._unused), "files not used")

    def _unused_dicts(self) -> list[dict[str, str]]:
        return [{"file": str(path), "reason": why} for path, why in self._unused]

    def _sum(self, person: Enrolment) -> str:
        said = "would be stored" if self._dry_run else "stored"
        parts = [f"{person.count(Verdict.ACCEPTED)} of {counted(len(person.outcomes), 'photo')} {said}"]
        if again := person.count(Verdict.DUPLICATE):
            parts.append(f"{again} already there")
        if held := person.count(Verdict.HELD):
            parts.append(f"{held} held back")
        return ", ".join(parts)

    def _where(self, enrolled: int) -> str:
        return f"{counted_people(enrolled)} in {self.gallery}"

    def _keep_pictures(self, person: Enrolment, captions: list[str]) -> None:
        if self._sheet is None:
            return
        for outcome, caption in zip(person.outcomes, captions, strict=True):
            look = outcome.template
            if outcome.verdict is Verdict.ACCEPTED and look is not None and look.crop is not None:
                seconds = look.details.get("seconds")  # of a film, whose name all its looks share
                what = Path(caption).name if seconds is None else f"at {seconds:.1f} s"
                self._pictures.append((look.crop, f"{look.quality:.2f}  {what}"))  # what is long is cut short
        del self._pictures[SHEET_MOST:]

    def _write_sheet(self) -> None:
        if self._sheet is None or not self._pictures:
            return
        with self._sheet as sink:
            sink.write(contact_sheet(self._pictures, cell=(160, 160), caption_pixels=14))
        if self._sheet_file is not None:
            Ledger(self.gallery).note("picture", self._sheet_file)
        if not self._as_json:
            print(f"written: {self._sheet_file}")


def _said(outcome: Outcome) -> str:
    return f"{outcome.verdict.value}: {outcome.reason}" if outcome.reason else outcome.verdict.value


def _tell(line: str) -> None:
    if line:
        print(line)


def _more(count: int, what: str) -> None:
    if count > EXAMPLES:
        print(f"... and {count - EXAMPLES} more {what}; --json lists all")
