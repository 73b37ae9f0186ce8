"""A tape asked again, with the gallery as it is now: what `pipeline.api` gives out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np

from gallery import Gallery
from gallery.followed import Enrolled
from gallery.pooled import pool
from pipeline import build
from pipeline.config import Settings
from pipeline.errors import SourceError
from pipeline.identity import clusters
from pipeline.identity.evidence import posterior
from pipeline.identity.identify import Candidate
from pipeline.identity.judge import Judge
from pipeline.paths import beside
from pipeline.tapes import replay, trim
from pipeline.tapes.tape import Tape
from pipeline.types import Bools, Floats, Identity, Ints
from siamese.runtime import Embedder

Tracks = Mapping[str, Collection[int]]  # by run
Key = tuple[str, int]  # a run, and a track of it


class Past:
    """The looks on a tape. Made by `Recog.past`; any thread may use it, while runs write the tape.

    What reads the tape raises `SourceError` where it is missing, damaged or of another model; what judges
    raises `GalleryError` where the gallery cannot be read.
    """

    threshold = clusters.in_words()  # from which faces are put together, in a sentence

    def __init__(self, tape: Path, gallery: Path, embedder: Embedder, settings: Settings) -> None:
        self._tape, self._gallery, self._embedder, self._settings = tape, gallery, embedder, settings

    def decide(self, tracks: Tracks) -> dict[Key, Identity]:
        """The verdicts on some tracks, and on those beside them, as they are given today.

        Tracks that are not on the tape, or of which it has no looks, are left out.
        """
        with self._opened() as tape, self._judge() as judge:
            return replay.again(tape, judge, tracks)

    def would_decide(self, tracks: Tracks, change: Callable[[Gallery], object]) -> dict[Key, Identity]:
        """As `decide`, had the gallery been changed in some way; the gallery itself is not.

        Args:
            change: is given a copy of the gallery, to change it.

        Raises:
            GalleryError: also what the change raises, and where there is no room for a copy.
        """
        with tempfile.TemporaryDirectory(
            dir=beside(self._gallery).parent, prefix=".recog-"
        ) as folder:  # of mode 0700
            copy = Path(folder) / "gallery.db"
            with closing(build.gallery(self._gallery, self._embedder)) as people:
                people.back_up(copy)
            with closing(build.gallery(copy, self._embedder)) as people:
                change(people)
            with self._opened() as tape, self._judge(copy) as judge:
                return replay.again(tape, judge, tracks)

    def faces(self, tracks: Tracks) -> dict[Key, Floats]:
        """The looks at each of some tracks as one embedding (d,); tracks without looks are left out."""
        with self._opened() as tape:
            return replay.faces(tape, self._settings.evidence.memory, tracks)

    def clusters(self, faces: Floats) -> Ints:
        """A number for each of n faces (n, d), the same for those of one person; 0 for the largest group."""
        return clusters.clusters(faces, self._embedder.calibration)

    def belongs(self, faces: Floats, members: Floats) -> Bools:
        """Which of n faces (n, d) would be put to a group with these members (m, d), m > 0; (n,)."""
        return clusters.belongs(faces, members, self._embedder.calibration)

    @staticmethod
    def keep_names(
        found: Sequence[frozenset[str]], before: Mapping[str, Collection[str]], new: Callable[[], str]
    ) -> dict[str, frozenset[str]]:
        """Names for groups of members, which keep those of before as far as they are the same groups.

        Args:
            before: the members of each group at that time, by its name.
            new: makes a name that nothing has.
        """
        return clusters.keep_names(found, before, new)

    def looks_like(self, people: Sequence[Floats]) -> list[Candidate | None]:
        """Whom each of some people looks like most, and how likely it is of them; None for nobody.

        Somebody is named here only if a face is likelier of them than of a person not enrolled, before it is
        known how many are. This is a hint for people, and no verdict.

        Args:
            people: faces (n, d) of each, n > 0, which are taken as one.
        """
        if not people:
            return []
        with self._judge() as judge:
            matches = judge.matches(np.stack([pool(faces) for faces in people]))
            ratios = judge.ratios_of(matches)
            found: list[Candidate | None] = []
            for row, names in enumerate(matches.names):
                of_names = ratios[row, : len(names)]
                if not len(names) or of_names.max() <= 0:
                    found.append(None)
                    continue
                chances, _ = posterior(of_names, matches.people)
                first = int(np.argmax(chances))
                distance = float(matches.distances[row, first])
                found.append(Candidate(names[first], float(chances[first]), distance))
            return found

    def since(self) -> str | None:
        """When the first run on the tape began (UTC, ISO 8601); None where no run of this model is on it."""
        try:
            with self._opened() as tape:
                return min((run.started for run in tape.runs()), default=None)
        except SourceError:
            return None

    def begin_again(self) -> bool:
        """Erase all that is on a tape of another model, to go on with this one; whether it was one."""
        return trim.begin_again(self._tape, build.fingerprint(self._embedder), self._embedder.dimension)

    def forget(self, before: datetime) -> int:
        """Delete the looks at every track that was last seen before a time, for good; how many.

        This and `erase` do not ask which model made the tape.
        """
        return trim.expire(self._tape, before)

    def erase(self, tracks: Collection[Key]) -> int:
        """Delete the looks at some tracks, for good; how many looks."""
        return trim.erase_tracks(self._tape, tracks)

    @contextmanager
    def _opened(self) -> Iterator[Tape]:
        with Tape(self._tape, build.fingerprint(self._embedder)) as tape:
            yield tape

    @contextmanager
    def _judge(self, gallery: Path | None = None) -> Iterator[Judge]:
        fingerprint = build.fingerprint(self._embedder)
        path = gallery or self._gallery
        with closing(Enrolled(path, fingerprint, self._embedder.dimension)) as people:
            yield build.judge(people, self._embedder, self._settings)


def by_run(keys: Sequence[Key]) -> dict[str, set[int]]:
    """Tracks by run, as the methods of `Past` take them."""
    found: dict[str, set[int]] = {}
    for run, track in keys:
        found.setdefault(run, set()).add(track)
    return found
