"""The surface: each method says what it takes, gives and raises; the file of its subject does the work.

These files are imported when a method first needs them: they bring the libraries of pictures and models.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gallery.address import place
from gallery.types import Person
from pipeline.config import KeepSettings, Settings, from_values, load
from pipeline.progress import Report
from pipeline.types import Floats, Frame, Image

if TYPE_CHECKING:
    from gallery import Gallery
    from gallery.check import Finding
    from pipeline.api.pictures import Picture
    from pipeline.api.trust import Trust
    from pipeline.authentication.parts import Prompt
    from pipeline.authentication.session import Authentication
    from pipeline.enrolment.enroller import Enrolment
    from pipeline.enrolment.portraits import Portrait, Portraits
    from pipeline.identity.calibrate import Calibrated
    from pipeline.identity.guarantee import Guarantee
    from pipeline.identity.identify import Identified
    from pipeline.identity.verify import Comparison
    from pipeline.outputs.forget import Known, Receipt
    from pipeline.outputs.home import Telling
    from pipeline.outputs.posting import Posting
    from pipeline.recognition.following import Following
    from pipeline.recognition.past import Past
    from pipeline.sources.reach import Reach
    from pipeline.tapes.explain import Explanation
    from pipeline.tapes.replay import Sighting
    from pipeline.tapes.writer import TapeWriter

_log = logging.getLogger(__name__)


class Recog:
    """People, models and settings. Open it with `Recog.open`, use it in a `with` statement.

    Any thread may call any method: galleries and models take turns where they must. A `Following` belongs to
    whoever iterates over it. People enrolled by another process, or by another method, are known at the next
    call, and a stream that is followed takes them in within a second.
    """

    # Opening and closing.

    def __init__(self, gallery: Path | None, settings: Settings) -> None:
        """Use `Recog.open`, which also reads settings and checks the gallery."""
        from pipeline.api.shared import Shared

        self._shared = Shared(gallery, settings)

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
        made = cls(None if gallery is None else place(gallery), _settings_of(settings))
        if made.present():
            made.gallery().close()
        return made

    def close(self) -> None:
        """Let go of the models. May be called again; a `Following` in progress goes on to its own end."""
        self._shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What is open.

    @property
    def settings(self) -> Settings:
        """Those it was opened with."""
        return self._shared.settings

    @property
    def path(self) -> Path:
        """The gallery's file, or the address of its server."""
        return self._shared.path

    @property
    def model(self) -> str:
        """What faces are embedded with: the embedder, and how faces are aligned for it.

        Raises:
            ModelError: the embedder cannot be used.
        """
        return self._shared.model()

    def present(self) -> bool:
        """Whether there is a gallery yet.

        Raises:
            GalleryError: it is on a server that does not answer.
        """
        return self._shared.present()

    def gallery(self) -> Gallery:
        """The gallery itself, for what is not here: rename, merge, remove, undo, log. Close it after use.

        Raises:
            GalleryError: it does not exist, is damaged, or another model made it.
        """
        return self._shared.gallery()

    def people(self) -> list[Person]:
        """Who is enrolled, by name; nobody while there is no gallery.

        Raises:
            GalleryError: the gallery cannot be read.
        """
        if not self.present():
            return []
        with self.gallery() as gallery:
            return gallery.people()

    def check(self) -> list[Finding]:
        """What may be wrong in the gallery: two people who are one, photos of others, poor photos.

        Raises:
            GalleryError, ModelError: gallery or embedder cannot be used.
        """
        from gallery.check import check
        from pipeline.faces.quality import least

        with self.gallery() as people:
            calibration = self._shared.embedder().calibration
            return check(people, calibration.extrapolated, least(self.settings.enroll))

    # Who is who: `enrolling`.

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
        from pipeline.api import enrolling

        return enrolling.enroll(
            self._shared, name, pictures, pick=pick, force=force, dry_run=dry_run, keep_crops=keep_crops
        )

    def enroll_people(self, folder: str | Path) -> Iterator[tuple[Enrolment, int, int]]:
        """Enroll the people of a folder, which has one folder of photographs for each; one after the other.

        Yields what became of a person, how many were looked at by then, and how many there are. Whoever
        leaves the loop keeps those who came so far. A folder that cannot be used has one outcome.

        Raises:
            SourceError: the folder cannot be listed, or has no folders in it.
            GalleryError, ModelError, DetectorError: gallery or a model cannot be used.
        """
        from pipeline.api import enrolling

        return enrolling.enroll_people(self._shared, Path(folder))

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
        from pipeline.api import enrolling

        return enrolling.enroll_looks(self._shared, name, looks, source, force=force)

    def embed_again(self, looks: Sequence[Portrait]) -> list[Portrait]:
        """Looks that another model made, with the embeddings of this one, from their pictures.

        Raises:
            ModelError: the embedder cannot be used.
        """
        from pipeline.api import enrolling

        return enrolling.embed_again(self._shared, looks)

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
        from pipeline.api import enrolling

        return enrolling.deny(self._shared, name, looks, source)

    # Who is in a picture: `identifying`.

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
        from pipeline.api import identifying

        return identifying.identify(self._shared, picture, most, opened)

    def verify(self, first: Picture, second: Picture, pick: str | None = None) -> Comparison:
        """Whether two pictures show one person: same, different, or cannot tell, and how sure that is.

        Args:
            pick: which of several faces, in either: `largest`, `center`, or a number from the left.

        Raises:
            SourceError: a picture cannot be read, shows no face, or several and no `pick`.
            ModelError, DetectorError: a model cannot be used.
        """
        from pipeline.api import identifying

        return identifying.verify(self._shared, first, second, pick)

    def verify_person(self, name: str, picture: Picture, pick: str | None = None) -> Comparison:
        """Whether a picture shows the person enrolled under `name`; the nearest of their photographs counts.

        Raises:
            GalleryError: nobody of that name, or the gallery cannot be read.
            SourceError, ModelError, DetectorError: as for `verify`.
        """
        from pipeline.api import identifying

        return identifying.verify_person(self._shared, name, picture, pick)

    # Who comes before a camera, and who is told: `following`.

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
        from pipeline.api import following

        return following.follow(
            self._shared,
            str(source),
            delay=delay,
            draw=draw,
            looks=looks,
            waiting=waiting,
            report=report,
            reach=reach,
            blur=blur,
        )

    def portraits(self) -> Portraits:
        """What keeps the best looks at each track of a source that is followed, to enroll people from later.

        Give it every result (`Portraits.take`); each source needs one of its own.
        """
        from pipeline.api import following

        return following.portraits(self._shared)

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
        from pipeline.api import following

        return following.telling(self._shared, source, mark=mark, up=up, report=report, linger=linger)

    def posting(self, url: str | None, report: Report = _log.warning, linger: float = 1.0) -> Posting:
        """What posts the events of sources to a web address, as `recog run --webhook` does; None: to nobody.

        Make a `Posting.source()` for each run of a source, give it every result, and `close` it.

        Args:
            report: is told in a line, from any thread, when deliveries begin to fail and work again.
            linger: seconds that `Posting.close` waits at most for what is not delivered yet.

        Raises:
            SinkError: the address is no web address.
        """
        from pipeline.api import following

        return following.posting(self._shared, url, report=report, linger=linger)

    # What was seen, kept and asked again: `tapes`.

    def record(
        self,
        tape: str | Path,
        run: str,
        source: str,
        *,
        live: bool,
        keep: KeepSettings | None = None,
        erased: Callable[[int], bool] = lambda track: False,
    ) -> TapeWriter:
        """Append the looks of one source to a tape: give `take` every result, and `close` it at the end.

        Args:
            tape: the file, which is made if it is missing.
            run: an id of this run; one that is on the tape already goes on.
            source: what to call the source on the tape, without secrets.
            live: whether it is a live source, whose old looks may be deleted.
            keep: how long looks of live sources are kept; None for as the settings say.
            erased: whether a track of this run was erased (`Past.erase`), so that nothing more of it is kept.

        Raises:
            SinkError: the tape cannot be written, is none, or another model made it.
        """
        from pipeline.api import tapes

        return tapes.record(self._shared, tape, run, source, live=live, keep=keep, erased=erased)

    def search(
        self, tape: str | Path, picture: Picture, pick: str | None = None
    ) -> tuple[list[Sighting], float]:
        """The tracks of a tape, the likeliest to show the person of a picture first.

        Returns also the probability that this person is on the tape at all.

        Raises:
            SourceError: the picture or the tape cannot be used, or which face is meant is not clear.
            ModelError, DetectorError: a model cannot be used.
        """
        from pipeline.api import tapes

        return tapes.search(self._shared, Path(tape), picture, pick)

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
        from pipeline.api import tapes

        return tapes.explain(self._shared, Path(tape), run, track, told, picture)

    def past(self, tape: str | Path) -> Past:
        """A tape, to be asked again with the gallery as it is: verdicts, clusters of faces, look-alikes."""
        from pipeline.api import tapes

        return tapes.past(self._shared, Path(tape))

    # What may be said of strangers: `trust`.

    def trust(self) -> Trust:
        """What may be said of strangers who come before a camera, with those enrolled now.

        Raises:
            GalleryError, ModelError: as for `hindrance`.
        """
        from pipeline.api import trust

        return trust.trust(self._shared)

    def guarantee(self, opened: Gallery | None = None) -> Guarantee | None:
        """What the gallery is calibrated for; None where it is not.

        Args:
            opened: the gallery, where it is open already.

        Raises:
            GalleryError: as for `gallery`.
        """
        from pipeline.api import trust

        return trust.guarantee(self._shared, opened)

    def hindrance(self, opened: Gallery | None = None) -> str | None:
        """Why nobody can be named, in one line; None where people can.

        Nobody is enrolled, or so many are that strangers cannot be kept out without a calibration.

        Args:
            opened: the gallery, where it is open already.

        Raises:
            GalleryError: the gallery cannot be read.
            ModelError: the embedder cannot be used.
        """
        from pipeline.api import trust

        return trust.hindrance(self._shared, opened)

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
        from pipeline.api import trust

        return trust.calibrate(self._shared, target, strangers=strangers, normalise=normalise, stored=stored)

    def add_strangers(self, faces: Sequence[Floats]) -> int:
        """Keep faces of people who are not enrolled, to calibrate by; how many are kept now.

        Faces of one person count once. The next calibration takes them in: `recog calibrate`.

        Args:
            faces: embeddings (d,), such as `Past.faces` gives.

        Raises:
            GalleryError: the gallery cannot be written.
        """
        from pipeline.api import trust

        return trust.add_strangers(self._shared, faces)

    # Who is let in: `authenticating`.

    def authenticate(
        self,
        name: str,
        source: str = "0",
        *,
        intended: bool | Callable[[Iterator[Frame]], bool],
        timeout: float = 15.0,
        allow_remote: bool = False,
        allow_bent: bool = False,
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
            allow_bent: also where the nose is not seen to stand out in every direction: bent prints get in.
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
        from pipeline.api import authenticating

        return authenticating.authenticate(
            self._shared,
            name,
            source,
            intended=intended,
            timeout=timeout,
            allow_remote=allow_remote,
            allow_bent=allow_bent,
            rehearsal=rehearsal,
            liveness_model=liveness_model,
            licensed=licensed,
            show=show,
        )

    # Who is erased: `forgetting`.

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

        Of somebody who is not enrolled any more, what bears the name goes, and what was seen of its tracks.

        Args:
            tapes, events, snapshots: further ones, which were moved, or written before 0.10.
            dry_run: say what would be erased, and change nothing.
            elsewhere: erases them where this cannot, such as in a database of yours, and says how much; it is
                called before the gallery is changed. Given False, it only counts.

        Raises:
            GalleryError: nobody of that name, in the gallery or elsewhere, or the gallery cannot be written.
            SourceError: a tape is in use, or cannot be read.
            SinkError: a run with this gallery goes on, or events or snapshots cannot be read or written.
            TriesError: an attempt of `recog auth` is going on, or what it counts cannot be written.
            ModelError: the embedder cannot be used.
        """
        from pipeline.api import forgetting

        return forgetting.forget(
            self._shared,
            name,
            tapes=tapes,
            events=events,
            snapshots=snapshots,
            dry_run=dry_run,
            elsewhere=elsewhere,
        )

    def expire(self) -> list[str]:
        """Remove everybody whose newest photo is older than `keep.people` days; their names.

        Nobody where that is not set. Does what `recog run` and `recog serve` do; tapes, events and snapshots
        have settings of their own.

        Raises:
            GalleryError: the gallery cannot be read or written.
        """
        from pipeline.api import forgetting

        return forgetting.expire(self._shared)


def _settings_of(given: Settings | Mapping[str, Any] | str | Path | None) -> Settings:
    """Settings from whatever `Recog.open` takes.

    Raises:
        ConfigError: they do not exist or cannot be.
    """
    match given:
        case None:
            return Settings()
        case Settings():
            return given
        case str() | Path():
            return load(Path(given), ())
        case _:
            return from_values(given)
