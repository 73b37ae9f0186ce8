"""One person let in by the face: from the camera to the verdict, with the tries that are counted."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pipeline.api.shared import Shared
from pipeline.authentication import place
from pipeline.authentication.parts import Prompt, parts, shown
from pipeline.authentication.policy import Part
from pipeline.authentication.session import Authentication, circumstances, judge, refused_before
from pipeline.authentication.tries import Tries, tries_path
from pipeline.config import Settings
from pipeline.errors import SourceError
from pipeline.recognition.newest import newest
from pipeline.sources import devices
from pipeline.types import Frame


def authenticate(
    shared: Shared,
    name: str,
    source: str,
    *,
    intended: bool | Callable[[Iterator[Frame]], bool],
    timeout: float,
    allow_remote: bool,
    allow_bent: bool,
    rehearsal: bool,
    liveness_model: str | Path | None,
    licensed: Callable[[str | None], None],
    show: Callable[[Frame, Prompt], bool],
) -> Authentication:
    """As `Recog.authenticate`."""
    spoof = None if liveness_model is None else Path(liveness_model)
    made = parts(shared.settings, shared.path, name, shared.embedder(), spoof)
    licensed(made.licence)
    tries, camera = Tries(tries_path(shared.path), name), _camera(source, rehearsal)
    with tries.held(), closing(_frames(source, shared.settings)) as seen:
        known = circumstances(
            None if rehearsal else tries.refusal(),
            None if allow_remote else place.remote(),
            camera.real or rehearsal,
            camera.why,
            intended=True,
        )
        refused = refused_before(known)
        # What comes before the camera (too many tries, a session from afar) refuses without one, too.
        if camera.missing and (refused is None or refused.verdict.part is Part.CAMERA):
            raise SourceError(f"{camera.why}; see which there are: recog doctor")
        if refused is not None:
            return replace(refused, rehearsal=rehearsal)
        if not (intended(seen) if callable(intended) else intended):
            raise SourceError("no key was pressed, so nobody asked for it")
        attempt, charged = made.attempt(timeout, allow_bent), None if rehearsal else tries
        outcome = judge(seen, made.watch, attempt, known, made.claimed.claim, charged, shown(attempt, show))
        return replace(outcome, rehearsal=rehearsal)


def _camera(source: str, rehearsal: bool) -> devices.Device:
    """What the source is, as far as this machine knows.

    Raises:
        SourceError: it is a camera and a recording was to be judged.
    """
    found = devices.device(source)
    if rehearsal and found.real:
        raise SourceError("a rehearsal is for recordings; leave it out for a camera")
    return found


def _frames(source: str, settings: Settings) -> Generator[Frame]:
    """The source's frames; the camera goes on with the first that is asked for."""
    with newest(source, settings) as each:
        yield from each
