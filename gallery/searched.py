"""An open gallery that is searched: its connection and its index, kept up with what others write.

The file is the truth; the index is made from it when first searched, and follows what others write.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from gallery import opening
from gallery.errors import GalleryError, LostError, MissingError
from gallery.failures import explained
from gallery.live import NOTHING, Background, Difference, Held, Reopening, difference
from gallery.matching import Matcher
from gallery.records import Records
from gallery.types import Floats, Matches


class Searched:
    """An open gallery. Any thread may use it; one lock makes them take turns.

    Every method raises GalleryError where the file cannot be read or written: locked, damaged, disk full.

    Attributes:
        migrated_to: the model that has taken the file over, if this is `live` and one has. Then those are
            searched who were known before and are still enrolled, and nobody new.
    """

    def __init__(self, opened: Records, with_model: bool, live: bool = False) -> None:
        """Use `open`."""
        self.migrated_to: str | None = None
        self._store = opened
        self._left = False  # another file has the name, and was not opened yet
        self._made = opened.fingerprint, opened.dimension
        self._with_model, self._live = with_model, live
        self._lock = threading.RLock()
        self._matcher: Matcher | None = None
        self._background: Background | None = None
        self._reopening: Reopening | None = None
        self._basis: Held | None = None  # what the index held when `_background` began
        self._seen: int | None = opened.version()  # the file's version when it was last looked at
        self._news = False  # it had another one since, and the index does not know
        self._other = False  # the file is another one than that of the index

    @classmethod
    def open(
        cls,
        path: Path,
        fingerprint: str | None,
        dimension: int | None,
        create: bool = False,
        live: bool = False,
    ) -> Self:
        """Open the gallery at `path`, or make it where `create` allows and there is none.

        `fingerprint` names the model and the alignment that embeddings come from, `dimension` their length.
        With None for both, the gallery can be listed and pruned without a model, but not added to or
        searched.

        A `live` one goes on with those it knows when another model takes the file over.

        Raises GalleryError where there is no gallery, where another model made it and where it is unusable;
        ValueError for a fingerprint without a dimension, and for `create` without either.
        """
        if (fingerprint is None) != (dimension is None):
            raise ValueError("fingerprint and dimension go together")
        with explained(path):
            try:
                opened = opening.opened(path)
            except MissingError as error:
                if not create:
                    raise MissingError(
                        f"{error}; make one with: recog enroll --name NAME --images DIR"
                    ) from error
                if fingerprint is None or dimension is None or dimension < 1:
                    raise ValueError("a new gallery needs a fingerprint and a dimension") from error
                opening.create(path, fingerprint, dimension)
                opened = opening.opened(path)
            try:
                made_with = (opened.fingerprint, opened.dimension)
                if fingerprint is not None and made_with != (fingerprint, dimension):
                    raise GalleryError(
                        f"the gallery {path} was made with the model {made_with[0]} (embeddings of "
                        f"{made_with[1]}), but {fingerprint} (of {dimension}) is in use; bring it over with: "
                        f"recog gallery migrate --gallery {shlex.quote(str(path))}"
                    )
                return cls(opened, fingerprint is not None, live)
            except BaseException:
                opened.close()
                raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def fingerprint(self) -> str:
        """The model and the alignment that made this gallery."""
        return self._made[0]

    @property
    def dimension(self) -> int:
        """The length of an embedding, d."""
        return self._made[1]

    def search(self, embeddings: Floats, people: int = 5, pooled: bool = False) -> Matches:
        """The `people` nearest people of each of `embeddings` (m, d) float32.

        Exactly up to 100,000 templates; beyond, a nearest one is missed once in a while; distances are exact.

        A person is as near as the nearest template or, if `pooled`, as all their templates as one: for
        recognising people, who are told from others better so (docs/decisions/0009-looks-are-pooled.md).

        Sees what this object has written; call `refresh` to see what other processes have.

        A `live` one whose server does not answer is searched as far as it is in memory (`Matches.whole`); any
        other raises GalleryError then.

        Raises ValueError for embeddings that are misshapen or not finite, and for `people` below 1.
        """
        self._need_model()
        with self._lock:
            if self._matcher is None:
                with self._using():
                    self._matcher = self._new_matcher()
                    try:
                        self._catch_up()
                    except BaseException:
                        self._matcher = None  # an empty one would know nobody
                        raise
            return self._matcher.search(embeddings, people, pooled)

    def refresh(self, wait: bool = True, ask: bool = False) -> bool:
        """Take in what others have written; True if there was anything. Costs microseconds if not.

        A file that was put in the place of this one, such as a restored backup, is taken in as well.

        Without `wait` the file is read by another thread, and what it finds is taken in by a later call
        unless it comes at once: a frame of a video is not held up. Only an index that was never searched is
        made on the spot. After an error, the next call tries again.

        What another process wrote to a server this moment may come with a later call, unless it is to `wait`
        or to `ask`.
        """
        with self._lock, explained(self.path):
            if not wait and self._store.lost:
                self._ask_again()
        with self._using():
            if self._background is None:
                version = self._store.version(ask=wait or ask)
                self._news |= version != self._seen
                if not self._follow_file() and not self._news:
                    return False
                if wait or self._matcher is None:
                    return self._catch_up()
                self._seen = self._store.version()
                self._basis = self._matcher.held
                held = NOTHING if self._other else self._basis
                self._background = Background(self.path, held, self._made, self._live)
            if not wait and not self._background.done():
                return False
            background, self._background = self._background, None
            try:
                found = background.result()
            except BaseException:
                self._seen = None
                raise
            if self._matcher is not None and self._matcher.held is self._basis:
                news = self._take_in(found)
                if not wait:
                    return news
                self._news = news
            return self._catch_up()  # the index has moved on since, or there may be more by now

    @property
    def remote(self) -> bool:
        """Whether there are some whom only the server can find, as in large galleries there."""
        with self._lock:
            return self._matcher is not None and self._matcher.remote

    @property
    def behind(self) -> bool:
        """Whether a `refresh` that does not wait has begun to read what it will take in later."""
        return self._background is not None

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock, explained(self.path):
            self._matcher = None
            self._reopen_no_more()
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _using(self) -> Iterator[Records]:
        with self._lock, explained(self.path):
            if self._left or self._store.lost:
                self._reopen()
            yield self._store

    def _follow_file(self) -> bool:
        """Open the file again where something was done to it from outside; whether there was."""
        now, before = self._store.looks(), self._store.signature
        if now == before:
            return False
        if (now.device, now.inode) == (before.device, before.inode):
            # SQLite moved its log into it, most likely; but it may be a copy that was written over it, of
            # which an open connection notices nothing.
            fresh = opening.opened(self.path, erase=False)
            self._store.close()
            self._store = fresh
        else:
            self._left = True
            self._store.close()
            self._reopen()
        return True

    def _reopen(self) -> None:
        """Open what has the gallery's name now: another file, or the server again."""
        if not self._left:
            self._take(opening.opened(self.path, erase=False))
            return
        self._store = opening.opened(self.path, erase=False)
        self._left, self._other = False, True

    def _ask_again(self) -> None:
        """Open a server again that was lost, in another thread, which no frame waits for.

        Raises LostError while it does not answer.
        """
        if self._reopening is None:
            self._reopening = Reopening(self.path)
        if not self._reopening.done():
            raise LostError(f"the server of the gallery {self.path} has not answered yet")
        reopening, self._reopening = self._reopening, None
        self._take(reopening.result())

    def _take(self, again: Records) -> None:
        """Go on with a new connection to the server; what it may have missed is looked for."""
        self._reopen_no_more()
        self._store.close()
        self._store, self._seen = again, None

    def _reopen_no_more(self) -> None:
        if self._reopening is not None:
            self._reopening.give_up()
            self._reopening = None

    def _catch_up(self) -> bool:
        """Bring the index, if there is one, to what the file holds; whether anything has changed."""
        self._seen = self._store.version()  # first: what is written meanwhile is news
        if self._matcher is None:
            self._other = self._news = False
            return True
        held = NOTHING if self._other else self._matcher.held
        return self._take_in(difference(self._store, held, self._made, self._live))

    def _take_in(self, found: Difference) -> bool:
        assert self._matcher is not None
        news = self._news or self._other or found.held.marks != self._matcher.held.marks
        if self._other or found.anew:
            self._matcher = self._new_matcher()
        self._matcher.apply(found)
        self.migrated_to = found.migrated_to
        self._other = self._news = False
        return news

    def _new_matcher(self) -> Matcher:
        return Matcher(self.dimension, opening.index(self.path, self._made, lambda: self._store, self._live))

    def _need_model(self) -> None:
        if not self._with_model:
            raise ValueError("this gallery was opened without a model; give a fingerprint and a dimension")
