"""The key for programmers: one object that knows people, looks at pictures, and follows streams.

    from pipeline.api import Recog

    with Recog.open("people.db") as recog:
        recog.enroll("alice", ["alice-1.jpg", "alice-2.jpg"])
        for face in recog.identify("party.jpg"):
            print(face.name or face.state.value, face.unknown)

It does what the commands do, by the same code and the same settings, and prints nothing. Importing this loads
no model and no library of pictures; the models are loaded when they are first needed, and once.

Pictures are given as paths, or as arrays (height, width, 3) uint8 in BGR order, as OpenCV reads them. Errors
that a caller can mend are the `ERRORS`: bad pictures, sources, settings, models and galleries. Each says in
one line what is wrong and what to do.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from gallery.address import exists, place
from gallery.errors import GalleryError
from gallery.types import Person
from pipeline.config import KeepSettings, Settings
from pipeline.errors import PipelineError, SourceError
from pipeline.progress import Report
from pipeline.types import Floats, Frame, Identity, Image, Photograph, Result, State, TrackedFace
from siamese.errors import SiameseError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from gallery import Gallery
    from gallery.check import Finding
    from pipeline.authentication.parts import Prompt
    from pipeline.authentication.session import Authentication
    from pipeline.build import Graphs
    from pipeline.enrolment.enroller import Enrolment
    from pipeline.enrolment.photos import Outcome, Verdict
    from pipeline.enrolment.portraits import Portrait, Portraits
    from pipeline.faces.choose import Pick
    from pipeline.faces.examine import Examiner, Probe
    from pipeline.identity.calibrate import Calibrated
    from pipeline.identity.guarantee import Guarantee
    from pipeline.identity.identify import Candidate, Identified
    from pipeline.identity.verify import Answer, Comparison
    from pipeline.outputs.forget import Known, Receipt
    from pipeline.outputs.home import Telling
    from pipeline.outputs.posting import Posting
    from pipeline.protocols import Detector
    from pipeline.recognition.following import Following
    from pipeline.recognition.past import Past
    from pipeline.recognition.shared_people import FollowedPeople
    from pipeline.sources.reach import Reach
    from pipeline.sources.watchdog import Condition
    from pipeline.tapes.explain import Explanation
    from pipeline.tapes.replay import Sighting
    from pipeline.tapes.writer import TapeWriter
    from siamese.cohort import Cohort
    from siamese.runtime import Embedder

__all__ = [
    "ERRORS",
    "Answer",
    "Authentication",
    "Calibrated",
    "Candidate",
    "Comparison",
    "Condition",
    "Enrolment",
    "Explanation",
    "Finding",
    "Following",
    "Frame",
    "Guarantee",
    "Identified",
    "Identity",
    "Image",
    "Outcome",
    "Past",
    "Person",
    "Photograph",
    "Picture",
    "Portrait",
    "Portraits",
    "Posting",
    "Probe",
    "Prompt",
    "Reach",
    "Receipt",
    "Recog",
    "Result",
    "Settings",
    "Sighting",
    "State",
    "TapeWriter",
    "Telling",
    "TrackedFace",
    "Trust",
    "Verdict",
    "cutout",
    "demo_film",
    "drawn",
    "explain_card",
    "explain_lines",
    "shown_source",
]

_log = logging.getLogger(__name__)

Picture = str | Path | Image | Photograph  # a file, an array (height, width, 3) uint8 BGR, a file in memory
ERRORS = (PipelineError, SiameseError, GalleryError)  # `except ERRORS`: what a caller can mend

_LAZY = {
    "Answer": "pipeline.identity.verify",
    "Authentication": "pipeline.authentication.session",
    "Calibrated": "pipeline.identity.calibrate",
    "Candidate": "pipeline.identity.identify",
    "Comparison": "pipeline.identity.verify",
    "Condition": "pipeline.sources.watchdog",
    "Enrolment": "pipeline.enrolment.enroller",
    "Explanation": "pipeline.tapes.explain",
    "Finding": "gallery.check",
    "Following": "pipeline.recognition.following",
    "Guarantee": "pipeline.identity.guarantee",
    "Identified": "pipeline.identity.identify",
    "Outcome": "pipeline.enrolment.photos",
    "Past": "pipeline.recognition.past",
    "Portrait": "pipeline.enrolment.portraits",
    "Portraits": "pipeline.enrolment.portraits",
    "Posting": "pipeline.outputs.posting",
    "Probe": "pipeline.faces.examine",
    "Prompt": "pipeline.authentication.parts",
    "Reach": "pipeline.sources.reach",
    "Receipt": "pipeline.outputs.forget",
    "Sighting": "pipeline.tapes.replay",
    "TapeWriter": "pipeline.tapes.writer",
    "Telling": "pipeline.outputs.home",
    "Verdict": "pipeline.enrolment.photos",
}


@dataclass(frozen=True, slots=True)
class Trust:
    """What may be said of strangers."""

    people: int  # enrolled
    claim: Guarantee | None  # the last calibration
    lapsed: str | None  # why it does not stand for who is enrolled now
    too_many: str | None  # why nobody is named without one
    own_strangers: int  # kept to calibrate by, besides those that ship with the model


def __getattr__(name: str) -> Any:
    """Types that results are of; loaded when asked for, because they bring NumPy-heavy modules with them."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def drawn(result: Result) -> Image:
    """The picture of a result with boxes and names, a new array (height, width, 3) uint8 BGR."""
    from pipeline.drawing.draw import draw

    return draw(result.frame.image, result.faces)


def cutout(image: Image, box: Floats, side: int) -> bytes | None:
    """A face with a margin around it, as a JPEG; None where the box is outside the picture.

    Args:
        image: (height, width, 3) uint8 BGR.
        box: (4,) x1 y1 x2 y2, pixels.
        side: its longer side at most, pixels.
    """
    from pipeline.outputs import snapshots

    picture = snapshots.cutout(image, box)
    return None if picture is None else snapshots.encoded(picture, side)


def explain_lines(why: Explanation) -> list[str]:
    """An explanation in words, line by line."""
    from pipeline.tapes.explain import sentences

    return sentences(why)


def explain_card(why: Explanation) -> Image:
    """An explanation as a picture, (height, 960, 3) uint8 BGR."""
    from pipeline.tapes.explain import card

    return card(why)


def demo_film(path: str | Path) -> None:
    """Write the film of `recog demo`, made of photographs in the public domain that are part of this package.

    Raises:
        SinkError: it cannot be written.
        SourceError: a photograph is missing: the installation is not whole.
    """
    from pipeline.outputs.demo_film import make_film, photographs

    make_film(photographs(), Path(path))


def shown_source(source: str) -> str:
    """A source as it may be told and logged: an address without login and query."""
    from pipeline.sources.streams import shown_address

    return shown_address(source) if "://" in source else source


class Recog:
    """People, models and settings. Open it with `Recog.open`, use it in a `with` statement.

    Any thread may call any method: galleries and models take turns where they must. A `Following` belongs to
    whoever iterates over it. People enrolled by another process, or by another method, are known at the next
    call, and a stream that is followed takes them in within a second.
    """

    def __init__(self, gallery: Path | None, settings: Settings) -> None:
        """Use `Recog.open`, which also reads settings and checks the gallery."""
        self.settings = settings
        self._path = gallery
        self._lock = threading.RLock()  # of what is below; held for moments
        self._turn = threading.RLock()  # whose it is to look at pictures, or to write
        self._embedder: Embedder | None = None
        self._graphs: Graphs | None = None  # of photographs
        self._examiner: Examiner | None = None
        self._helpers: Executor | None = None
        self._people: FollowedPeople | None = None
        self._followed: WeakSet[Following] = WeakSet()
        self._tracking: dict[bool, Detector] = {}  # one that is wary, for where faces are covered
        self._closed = False

    @classmethod
    def open(
        cls,
        gallery: str | Path | None = None,
        settings: Settings | Mapping[str, Any] | str | Path | None = None,
    ) -> Self:
        """Open a gallery. While there is none, nobody is enrolled; the first `enroll` makes it.

        Args:
            gallery: the file, or postgresql://USER@HOST/DATABASE; None for the user's own file, which the
                commands use.
            settings: a `Settings`, a mapping such as `{"det": {"size": 640}}`, or a TOML file; None for the
                defaults.

        Raises:
            ConfigError: settings that do not exist or cannot be.
            GalleryError: a gallery that is damaged, or that another model made.
            ModelError: the embedder cannot be used.
        """
        made = cls(None if gallery is None else place(gallery), _settings(settings))
        if made.present():
            made.gallery().close()
        return made

    def present(self) -> bool:
        """Whether there is a gallery yet.

        Raises:
            GalleryError: it is on a server that does not answer.
        """
        from gallery.opening import present

        return present(self.path)

    @property
    def path(self) -> Path:
        """The gallery's file, or the address of its server."""
        from pipeline import build

        return build.gallery_path(self._path)

    @property
    def model(self) -> str:
        """What faces are embedded with: the embedder, and how faces are aligned for it.

        Raises:
            ModelError: the embedder cannot be used.
        """
        from pipeline import build

        return build.fingerprint(self._embed())

    def gallery(self) -> Gallery:
        """The gallery itself, for what is not here: rename, merge, remove, undo, log. Close it after use.

        Raises:
            GalleryError: it does not exist, is damaged, or another model made it.
        """
        from pipeline import build

        return build.gallery(self._path, self._embed())

    def guarantee(self, opened: Gallery | None = None) -> Guarantee | None:
        """What the gallery is calibrated for; None where it is not.

        Args:
            opened: the gallery, where it is open already.

        Raises:
            GalleryError: as for `gallery`.
        """
        from pipeline.identity import guarantee

        if opened is not None:
            return guarantee.of(opened)
        with self.gallery() as people:
            return guarantee.of(people)

    def hindrance(self, opened: Gallery | None = None) -> str | None:
        """Why nobody can be named, in one line; None where people can.

        Nobody is enrolled, or so many are that strangers cannot be kept out without a calibration.

        Args:
            opened: the gallery, where it is open already.

        Raises:
            GalleryError: the gallery cannot be read.
            ModelError: the embedder cannot be used.
        """
        from pipeline.identity import guarantee

        nobody = "nobody is enrolled, so everybody is unknown"
        if opened is None and not self.present():
            return nobody
        with nullcontext(opened) if opened is not None else self.gallery() as people:
            enrolled, claim = people.people_count, guarantee.of(people)
        if not enrolled:
            return nobody
        if claim is not None:
            return None
        return guarantee.too_many(enrolled, self._embed().calibration, self.settings.evidence)

    def trust(self) -> Trust:
        """What may be said of strangers who come before a camera, with those enrolled now.

        Raises:
            GalleryError, ModelError: as for `hindrance`.
        """
        from pipeline.identity import calibrate, guarantee

        if not self.present():
            return Trust(0, None, None, None, 0)
        with self.gallery() as people:
            enrolled = people.people_count
            too_many = guarantee.too_many(enrolled, self._embed().calibration, self.settings.evidence)
            return Trust(
                enrolled,
                guarantee.stored(people),
                guarantee.lapsed(people),
                too_many,
                len(calibrate.own_strangers(people)),
            )

    def people(self) -> list[Person]:
        """Who is enrolled, by name; nobody while there is no gallery.

        Raises:
            GalleryError: the gallery cannot be read.
        """
        if not self.present():
            return []
        with self.gallery() as gallery:
            return gallery.people()

    def enroll(
        self,
        name: str,
        pictures: Sequence[Picture],
        *,
        pick: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        keep_crops: bool = True,
    ) -> Enrolment:
        """Add pictures of a person, who is made if new. Each ends in an `Outcome` that says why.

        Args:
            pictures: files, folders, or arrays. A file that cannot be read is an outcome, not an error.
            pick: which of several faces: `largest`, `center`, or a number from the left.
            force: also store pictures that look like somebody else.
            dry_run: say what would happen, and store nothing.
            keep_crops: keep the aligned faces, from which another model can embed again.

        Raises:
            GalleryError: a name that cannot be, or a gallery that cannot be written.
            SourceError: a folder without photographs.
            ModelError, DetectorError: a model cannot be used.
        """
        from gallery import check_new_name
        from pipeline import build
        from pipeline.enrolment.photos import Shot, find_photos, look_at
        from pipeline.faces.choose import parse_pick

        name = check_new_name(name)
        photos: list[Path | Shot | Photograph] = []
        for number, picture in enumerate(pictures, 1):
            if isinstance(picture, str | Path):
                photos += find_photos([Path(picture)])
            elif isinstance(picture, Photograph):
                photos.append(picture)
            else:
                photos.append(Shot(_checked(picture), f"array {number}"))
        embedder = self._embed()
        looker = build.looker(
            self.settings, embedder, parse_pick(pick), graphs=self._of_photographs(), helpers=self._help
        )
        with (
            self._turn,
            build.enroller(self._path, embedder, force=force, dry_run=dry_run, crops=keep_crops) as enroller,
        ):
            enrolled = enroller.enroll(name, list(look_at(photos, looker)))
            if said := enroller.keep_guarantee(self._strangers()):
                _log.info("%s: %s", self.path, said)
            return enrolled

    def enroll_people(self, folder: str | Path) -> Iterator[tuple[Enrolment, int, int]]:
        """Enroll the people of a folder, which has one folder of photographs for each; one after the other.

        Yields what became of a person, how many were looked at by then, and how many there are. Whoever
        leaves the loop keeps those who came so far. A folder that cannot be used has one outcome.

        Raises:
            SourceError: the folder cannot be listed, or has no folders in it.
            GalleryError, ModelError, DetectorError: gallery or a model cannot be used.
        """
        from pipeline.enrolment.enroller import Enrolment
        from pipeline.enrolment.people import find_people
        from pipeline.enrolment.photos import rejected

        found = find_people(Path(folder))
        for done, person in enumerate(found, 1):
            if person.refused:
                yield Enrolment(person.name, (rejected(person.name, person.refused),)), done, len(found)
            else:
                yield self.enroll(person.name, person.photos), done, len(found)

    def identify(self, picture: Picture, most: int = 5, opened: Gallery | None = None) -> list[Identified]:
        """Who is in a picture: each face from the left, judged by itself, with its ranked candidates.

        A face is named (`state` is `State.NAMED`, `name` is set) only where that is as sure as
        `evidence.target_fpir` or the gallery's calibration asks. With nobody enrolled, every face is unknown.

        Args:
            most: candidates for each face.
            opened: the gallery, where it is open already.

        Raises:
            SourceError: the picture cannot be read.
            GalleryError, ModelError, DetectorError: gallery or a model cannot be used.
        """
        from gallery.followed import Enrolled
        from pipeline import build
        from pipeline.identity.identify import identify

        image, called = _read(picture)
        embedder = self._embed()
        examiner = self._look()
        with self._turn:
            probes = examiner.every_face(image, called)
        if opened is not None:
            return identify(probes, build.judge(opened, embedder, self.settings), most)
        if not exists(self.path):  # and who was known until now is not known any more
            with closing(Enrolled(self.path, build.fingerprint(embedder), embedder.dimension)) as nobody:
                return identify(probes, build.judge(nobody, embedder, self.settings), most)
        everybody = self._everybody()
        everybody.catch_up()
        with closing(everybody.view()) as people:
            return identify(probes, build.judge(people, embedder, self.settings), most)

    def verify(self, first: Picture, second: Picture, pick: str | None = None) -> Comparison:
        """Whether two pictures show one person: same, different, or cannot tell, and how sure that is.

        Args:
            pick: which of several faces, in either: `largest`, `center`, or a number from the left.

        Raises:
            SourceError: a picture cannot be read, shows no face, or several and no `pick`.
            ModelError, DetectorError: a model cannot be used.
        """
        import numpy as np

        from pipeline.identity.verify import compare_two

        probes = [self._probe(picture, pick) for picture in (first, second)]
        cohort = self._strangers()
        pairs = np.zeros(0, np.float32) if cohort is None else cohort.stranger_distances()
        return compare_two(probes[0], probes[1], self._embed().calibration, pairs)

    def verify_person(self, name: str, picture: Picture, pick: str | None = None) -> Comparison:
        """Whether a picture shows the person enrolled under `name`; the nearest of their photographs counts.

        Raises:
            GalleryError: nobody of that name, or the gallery cannot be read.
            SourceError, ModelError, DetectorError: as for `verify`.
        """
        import numpy as np

        from pipeline.identity.verify import compare_to_person, searched

        with self.gallery() as people:
            templates = np.stack([look.embedding for look in searched(people, name)])
        cohort = self._strangers()
        strangers = templates[:0] if cohort is None else cohort.one_each
        probe = self._probe(picture, pick)
        return compare_to_person(probe, templates, self._embed().calibration, strangers)

    def check(self) -> list[Finding]:
        """What may be wrong in the gallery: two people who are one, photos of others, poor photos.

        Raises:
            GalleryError, ModelError: gallery or embedder cannot be used.
        """
        from gallery.check import check
        from pipeline.faces.quality import least

        with self.gallery() as people:
            return check(people, self._embed().calibration.extrapolated, least(self.settings.enroll))

    def calibrate(
        self,
        target: float,
        *,
        strangers: Floats | None = None,
        normalise: bool = False,
        stored: Callable[[], bool] = lambda: True,
    ) -> Calibrated:
        """Choose the threshold by which at most `target` of all strangers are given a name, and keep it.

        Args:
            strangers: embeddings (s, d) of one's own, each of somebody else; None for those of the last time.
            normalise: shift everybody's distances by how near strangers come to them.
            stored: asked at the end whether it is to be stored.

        Raises:
            ConfigError: `target` is no share under a half.
            GalleryError: nobody is enrolled, too few strangers for the claim, or it cannot be stored.
            ModelError: the embedder, or the strangers that ship with it, cannot be used.
        """
        from pipeline.enrolment.vetting import copy_distance
        from pipeline.errors import ConfigError
        from pipeline.identity import calibrate as calibration

        if not 0 < target < 0.5:
            raise ConfigError(f"a target of {target}: give a share of strangers under a half, such as 0.001")
        embedder, cohort = self._embed(), self._strangers()
        with self.gallery() as people:
            people.must_write()
            own = calibration.own_strangers(people) if strangers is None else strangers
            known = own[:0] if cohort is None else cohort.one_each
            copy = copy_distance(embedder.calibration)
            made = calibration.calibrate(people, known, own, target, copy, normalise)
            if stored():
                calibration.keep(people, made.guarantee, own, undoable=True)
            return made

    def search(
        self, tape: str | Path, picture: Picture, pick: str | None = None
    ) -> tuple[list[Sighting], float]:
        """The tracks of a tape, the likeliest to show the person of a picture first.

        Returns also the probability that this person is on the tape at all.

        Raises:
            SourceError: the picture or the tape cannot be used, or which face is meant is not clear.
            ModelError, DetectorError: a model cannot be used.
        """
        from pipeline.tapes.replay import search
        from pipeline.tapes.tape import Tape

        probe, embedder = self._probe(picture, pick), self._embed()
        with Tape(Path(tape), self.model) as opened:
            return search(opened, probe.embedding, embedder.calibration, self.settings.evidence)

    def follow(
        self,
        source: str | Path | int,
        *,
        delay: float | None = None,
        draw: bool = False,
        looks: bool = False,
        waiting: bool = False,
        report: Report = _log.warning,
        reach: Reach | None = None,
        blur: str | Sequence[str] | None = None,
    ) -> Following:
        """Recognise people in a source: an iterator over one `Result` for each frame, in order.

        Leaving the loop, or the `with` statement around it, ends the reading and its threads.

        Args:
            source: what `--source` takes: a camera's number, a film, a picture, a folder, an address.
            delay: seconds by which results are held back for names to reach the frames before they were
                decided; None: 0 for live sources, and for films as long as their tracks need.
            draw: also have each frame's picture with boxes and names drawn, in `Following.picture`.
            looks: embed faces even while nobody is enrolled, so that `Result.looks` can be kept (`record`).
            waiting: a camera or stream that cannot be reached yet is waited for, instead of an error.
            report: is told in a line when a live source is lost or back, or the gallery cannot be followed;
                from any thread.
            reach: for addresses that somebody else has given: says which numeric addresses of a host, at a
                port, may be connected to, or raises SourceError. Redirects and playlists are held to it.
            blur: whose faces are covered in every picture, those of `Result.frame` included: `unknown`,
                `known`, `all`, `name:NAME`, `not:NAME`; None: what `settings.blur.who` says.

        Raises:
            SourceError: the source cannot be opened.
            ConfigError: whose faces are to be covered cannot be told.
            GalleryError, ModelError, DetectorError: gallery or a model cannot be used.
        """
        from pipeline.recognition.following import Following

        settings = self.settings if blur is None else self.settings.covering(blur)
        made = Following(
            str(source),
            self._track(settings),
            self._embed(),
            self._everybody(),
            settings,
            delay,
            draw,
            looks,
            waiting,
            report,
            reach,
        )
        with self._lock:
            self._followed.add(made)
        return made

    def record(
        self, tape: str | Path, run: str, source: str, *, live: bool, keep: KeepSettings | None = None
    ) -> TapeWriter:
        """Append the looks of one source to a tape: give `take` every result, and `close` it at the end.

        Args:
            tape: the file, which is made if it is missing.
            run: an id of this run; one that is on the tape already goes on.
            source: what to call the source on the tape, without secrets.
            live: whether it is a live source, whose old looks may be deleted.
            keep: how long looks of live sources are kept; None for as the settings say.

        Raises:
            SinkError: the tape cannot be written, is none, or another model made it.
        """
        from datetime import UTC, datetime

        from pipeline import build
        from pipeline.outputs.ledger import Ledger
        from pipeline.tapes.tape import Run
        from pipeline.tapes.writer import TapeWriter

        embedder = self._embed()
        begun = Run(run, source, datetime.now(UTC).isoformat(timespec="seconds"), live)
        kept = self.settings.keep if keep is None else keep
        writer = TapeWriter(Path(tape), begun, build.fingerprint(embedder), embedder.dimension, kept)
        Ledger(self.path).note("tape", tape)
        return writer

    def explain(
        self, tape: str | Path, run: str, track: int, told: Mapping[str, Any], picture: Image | None = None
    ) -> Explanation:
        """Why a track was or was not named, from the looks at it that a tape holds, decided again now.

        Args:
            run, track: whose looks.
            told: what was said of it: `source`, `seconds`, `state` and, if named, `name` and `confidence`.
            picture: of the face, for the card.

        Raises:
            SourceError: the tape cannot be read, or holds no looks at this track.
            GalleryError, ModelError: gallery or embedder cannot be used.
        """

        from pipeline import build
        from pipeline.tapes import explain
        from pipeline.tapes.tape import Tape

        embedder = self._embed()
        kind = {"named": "recognised", "unknown": "unknown"}.get(told["state"], "undecided")
        event = {**told, "id": f"{run}-{track}", "track": track, "event": kind, "snapshot": ""}
        event |= {"blur": self.settings.blur.who}
        with closing(Tape(Path(tape), build.fingerprint(embedder))) as opened, self.gallery() as people:
            found = explain.explain(event, opened, people, build.judge(people, embedder, self.settings))
        return replace(found, snapshot=picture)

    def telling(
        self,
        source: str,
        mark: str = "",
        up: Callable[[], bool] = lambda: True,
        report: Report = _log.warning,
        linger: float = 1.0,
    ) -> Telling:
        """What tells a home of one source, at the broker of `settings.mqtt`; without one it does nothing.

        Give it every result of `follow`, and `close` it at the end.

        Args:
            source: as `follow` takes it; its name there is made of it.
            mark: is added to that name, to tell sources apart that would have the same.
            up: whether the source is there; asked from another thread.
            report: is told in a line, from any thread, when deliveries begin to fail and work again.
            linger: seconds that `close` waits at most for what is not delivered yet.

        Raises:
            SinkError: the address or the password cannot be used.
            ModuleNotFoundError: the extra `mqtt` is missing.
        """
        from pipeline.outputs.home import Telling, camera_ids
        from pipeline.outputs.ledger import Ledger

        camera = "-".join([*camera_ids([source]), *([mark] if mark else [])])
        telling = Telling(self.settings.mqtt, camera, report, up, linger)
        if self.settings.mqtt.url:
            Ledger(self.path).note("mqtt", self.settings.mqtt.url)
        return telling

    def posting(self, url: str | None, report: Report = _log.warning, linger: float = 1.0) -> Posting:
        """What posts the events of sources to a web address, as `recog run --webhook` does; None: to nobody.

        Make a `Posting.source()` for each run of a source, give it every result, and `close` it.

        Args:
            report: is told in a line, from any thread, when deliveries begin to fail and work again.
            linger: seconds that `Posting.close` waits at most for what is not delivered yet.

        Raises:
            SinkError: the address is no web address.
        """
        from pipeline.outputs.ledger import Ledger
        from pipeline.outputs.posting import Posting

        made = Posting(url, report, self.settings.blur.who, linger)
        if url is not None:
            Ledger(self.path).note("webhook", url)
        return made

    def portraits(self) -> Portraits:
        """What keeps the best looks at each track of a source that is followed, to enroll people from later.

        Give it every result (`Portraits.take`); each source needs one of its own.
        """
        from pipeline.enrolment.portraits import Portraits

        return Portraits(self.settings.enroll)

    def enroll_looks(
        self, name: str, looks: Sequence[Portrait], source: str, *, force: bool = False
    ) -> Enrolment:
        """Add looks at a person, who is made if new: the best, most different ones that are fit to enroll.

        Args:
            looks: all of one person; where they do not look so, those that are unlike the rest are left out.
            source: where they were seen, in words.
            force: also store looks that look like somebody else.

        Raises:
            GalleryError: a name that cannot be, or a gallery that cannot be written.
        """
        from gallery import check_new_name
        from pipeline import build
        from pipeline.enrolment.portraits import of_one_face, to_enroll

        name, embedder = check_new_name(name), self._embed()
        theirs = of_one_face(looks, embedder.calibration)
        seen_by = build.detector_fingerprint(self._track(self.settings))
        with self._turn, build.enroller(self._path, embedder, force=force) as enroller:
            enrolled = enroller.enroll(name, to_enroll(theirs, source, seen_by))
            if said := enroller.keep_guarantee(self._strangers()):
                _log.info("%s: %s", self.path, said)
            return enrolled

    def deny(self, name: str, looks: Sequence[Portrait], source: str) -> int:
        """Keep that a face is not the person enrolled under a name, so that it is never called so again.

        It makes nobody else more likely to be named (docs/decisions/0015-what-a-face-is-not.md). It is in the
        gallery's log, and `undo` takes it back.

        Args:
            looks: at that face, as `Portraits` keeps them, or with nothing but their embedding.
            source: where it was seen, in words.

        Returns:
            the number of the change in the log; 0 where all of it was said before.

        Raises:
            GalleryError: nobody of that name, or a gallery that cannot be written.
        """
        from pipeline.enrolment.portraits import template

        with self._turn, self.gallery() as gallery:
            return gallery.deny(name, [template(look, source) for look in looks])

    def past(self, tape: str | Path) -> Past:
        """A tape, to be asked again with the gallery as it is: verdicts, clusters of faces, look-alikes."""
        from pipeline.recognition.past import Past

        return Past(Path(tape), self.path, self._embed(), self.settings)

    def add_strangers(self, faces: Sequence[Floats]) -> int:
        """Keep faces of people who are not enrolled, to calibrate by; how many are kept now.

        Faces of one person count once. The next calibration takes them in: `recog calibrate`.

        Args:
            faces: embeddings (d,), such as `Past.faces` gives.

        Raises:
            GalleryError: the gallery cannot be written.
        """
        from pipeline.identity.calibrate import add_strangers

        with self._turn, self.gallery() as gallery:
            return add_strangers(gallery, faces, self._embed().calibration)

    def authenticate(
        self,
        name: str,
        source: str = "0",
        *,
        intended: bool | Callable[[Iterator[Frame]], bool],
        timeout: float = 15.0,
        allow_remote: bool = False,
        rehearsal: bool = False,
        liveness_model: str | Path | None = None,
        licensed: Callable[[str | None], None] = lambda licence: None,
        show: Callable[[Frame, Prompt], bool] = lambda frame, prompt: True,
    ) -> Authentication:
        """Let one person in by the face: a live head that answers a random challenge, and is them throughout.

        Refuses in doubt; whether to let them in is its `accepted`. A failed try counts, as with `recog auth`.
        What it withstands and what it does not: docs/security.md.

        Args:
            source: a camera of this machine.
            intended: somebody asked to be let in; or what finds out, from the camera's frames if need be.
            timeout: seconds for everything.
            allow_remote: also in a session from afar.
            rehearsal: judge a recording: no try counts, and nobody is accepted.
            liveness_model: an anti-spoofing model (.onnx), which may only deny.
            licensed: is told the licence of it before it is used; None without one.
            show: is given each frame with what to tell whoever stands there; False ends the attempt.

        Raises:
            SourceError: there is no such camera, or nobody asked for it.
            GalleryError: nobody of that name, or the gallery cannot be read.
            ModelError, DetectorError: a model cannot be used.
            TriesError: failures cannot be counted, or another attempt is going on.
        """
        from pipeline.authentication.parts import parts, shown
        from pipeline.authentication.place import remote
        from pipeline.authentication.session import circumstances, judge, refused_before
        from pipeline.authentication.tries import Tries, tries_path
        from pipeline.recognition.newest import newest
        from pipeline.sources.devices import device

        spoof = None if liveness_model is None else Path(liveness_model)
        made = parts(self.settings, self._path, name, self._embed(), spoof)
        licensed(made.licence)
        tries, found = Tries(tries_path(self.path), name), device(source)
        if rehearsal and found.real:
            raise SourceError("a rehearsal is for recordings; leave it out for a camera")
        if found.missing:
            raise SourceError(f"{found.why}; see which there are: recog doctor")

        def frames() -> Generator[Frame]:  # the camera goes on with the first that is asked for
            with newest(source, self.settings) as each:
                yield from each

        with tries.held(), closing(frames()) as seen:
            known = circumstances(
                None if rehearsal else tries.refusal(),
                None if allow_remote else remote(),
                found.real or rehearsal,
                found.why,
                intended=True,
            )
            if (refused := refused_before(known)) is not None:
                return replace(refused, rehearsal=rehearsal)
            if not (intended(seen) if callable(intended) else intended):
                raise SourceError("no key was pressed, so nobody asked for it")
            attempt = made.attempt(timeout)
            outcome = judge(
                seen,
                made.watch,
                attempt,
                known,
                made.claimed.claim,
                None if rehearsal else tries,
                shown(attempt, show),
            )
            return replace(outcome, rehearsal=rehearsal)

    def expire(self) -> list[str]:
        """Remove everybody whose newest photo is older than `keep.people` days; their names.

        Nobody where that is not set. Does what `recog run` and `recog serve` do; tapes, events and snapshots
        have settings of their own.

        Raises:
            GalleryError: the gallery cannot be read or written.
        """
        days = self.settings.keep.people
        if days is None or not self.present():
            return []
        from pipeline.enrolment.expiry import expire

        with self._turn, self.gallery() as people:
            return expire(people, days)

    def forget(
        self,
        name: str,
        *,
        tapes: Sequence[str | Path] = (),
        events: Sequence[str | Path] = (),
        snapshots: Sequence[str | Path] = (),
        dry_run: bool = False,
        elsewhere: Callable[[Known, bool], Mapping[str, int]] | None = None,
    ) -> Receipt:
        """Erase a person for good: gallery, and every tape, events and snapshots known to have been written.

        Args:
            tapes, events, snapshots: further ones, which were moved, or written before 0.10.
            dry_run: say what would be erased, and change nothing.
            elsewhere: erases them where this cannot, such as in a database of yours, and says how much; it is
                called before the gallery is changed. Given False, it only counts.

        Raises:
            GalleryError: nobody of that name, or the gallery cannot be written.
            SourceError: a tape is in use, or cannot be read.
            SinkError: events or snapshots cannot be read or written.
            TriesError: an attempt of `recog auth` is going on, or what it counts cannot be written.
            ModelError: the embedder cannot be used.
        """
        from pipeline import build
        from pipeline.authentication.tries import forget_tries
        from pipeline.outputs.forget import Places, forget
        from pipeline.outputs.ledger import Ledger

        places = Places(*(tuple(Path(each) for each in those) for those in (tapes, events, snapshots)))
        noted = Ledger(self.path).entries()
        embedder = self._embed()
        with self.gallery() as people:
            judge = build.judge(people, embedder, self.settings)
            other = elsewhere or (lambda known, done: {})
            return forget(
                name,
                people,
                judge,
                places,
                noted,
                tries=lambda names, done: forget_tries(self.path, names, done),
                elsewhere=other,
                dry_run=dry_run,
            )

    def close(self) -> None:
        """Let go of the models. May be called again; a `Following` in progress goes on to its own end."""
        with self._lock:
            if self._people is not None:
                self._people.close()
            if self._helpers is not None:
                self._helpers.shutdown(wait=False)
            self._embedder = self._examiner = self._graphs = self._helpers = self._people = None
            self._tracking = {}
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _embed(self) -> Embedder:
        from pipeline import build

        with self._lock:
            if self._closed:
                raise ValueError("this Recog is closed")
            if self._embedder is None:
                self._embedder = build.embedder(self.settings)
            return self._embedder

    def _look(self) -> Examiner:
        from pipeline import build

        with self._lock:
            if self._examiner is None:
                embedder, graphs = self._embed(), self._of_photographs()
                self._examiner = build.examiner(self.settings, embedder, graphs, self._help)
            return self._examiner

    def _of_photographs(self) -> Graphs:
        """The models that look at photographs: no enrolment has to load them again."""
        from pipeline import build

        with self._lock:
            if self._graphs is None:
                self._graphs = build.Graphs(build.halved(self.settings))
            return self._graphs

    def _help(self) -> Executor | None:
        """Threads that look at a picture with whoever asks; nobody while sources are followed."""
        from concurrent.futures import ThreadPoolExecutor

        from pipeline import build

        with self._lock:
            if self._closed or any(each.going for each in self._followed) or build.threads(self.settings) < 2:
                return None
            if self._helpers is None:
                self._helpers = ThreadPoolExecutor(3, thread_name_prefix="recog turned")
            return self._helpers

    def _everybody(self) -> FollowedPeople:
        """Who is enrolled: one index for all who follow and all who ask.

        Raises:
            GalleryError: the gallery is damaged, or another model made it.
        """
        from pipeline import build
        from pipeline.recognition.shared_people import FollowedPeople

        embedder = self._embed()
        with self._lock:
            if self._people is None:
                self._people = FollowedPeople(
                    lambda report: build.people(self._path, embedder, report, missing_ok=True)
                )
            return self._people

    def _track(self, settings: Settings) -> Detector:
        from pipeline import build

        wary = bool(settings.blur.who)
        with self._lock:
            if wary not in self._tracking:
                self._tracking[wary] = build.tracking_detector(settings)
            return self._tracking[wary]

    def _strangers(self) -> Cohort | None:
        from pipeline import build

        return build.cohort(self.settings, self._embed())

    def _probe(self, picture: Picture, pick: str | None) -> Probe:
        from pipeline.faces.choose import parse_pick

        chosen: Pick = parse_pick(pick)
        image, called = _read(picture)
        examiner = self._look()
        with self._turn:
            return examiner.probe(image, called, chosen)


def _settings(given: Settings | Mapping[str, Any] | str | Path | None) -> Settings:
    from pipeline.config import from_values, load

    match given:
        case None:
            return Settings()
        case Settings():
            return given
        case str() | Path():
            return load(Path(given), ())
        case _:
            return from_values(given)


def _read(picture: Picture) -> tuple[Image, str]:
    """The pixels of a picture, and what to call it."""
    if isinstance(picture, str | Path):
        from pipeline.sources.images import read_photo

        return read_photo(Path(picture)), str(picture)
    if isinstance(picture, Photograph):
        from pipeline.sources.images import decode_photo

        return decode_photo(picture.data, Path(picture.name), picture.most_pixels), picture.name
    return _checked(picture), "the picture"


def _checked(image: Image) -> Image:
    """An array that is a picture.

    Raises:
        ValueError: it is not (height, width, 3) uint8, which is a bug of the caller's.
    """
    shape, kind = getattr(image, "shape", None), getattr(image, "dtype", None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or not image.size or str(kind) != "uint8":
        raise ValueError(f"a picture is (height, width, 3) uint8 in BGR order, not {shape} {kind}")
    return image
