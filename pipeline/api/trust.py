"""What may be said of strangers: whether anybody can be named, and how surely nobody else is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from gallery import Gallery
from pipeline.api.shared import Shared
from pipeline.enrolment.vetting import copy_distance
from pipeline.errors import ConfigError
from pipeline.identity import calibrate as calibration
from pipeline.identity import guarantee as guarantees
from pipeline.identity.calibrate import Calibrated
from pipeline.identity.guarantee import Guarantee
from pipeline.types import Floats


@dataclass(frozen=True, slots=True)
class Trust:
    """What may be said of strangers."""

    people: int  # enrolled
    claim: Guarantee | None  # the last calibration
    lapsed: str | None  # why it does not stand for who is enrolled now
    too_many: str | None  # why nobody is named without one
    own_strangers: int  # kept to calibrate by, besides those that ship with the model


def guarantee(shared: Shared, opened: Gallery | None) -> Guarantee | None:
    """As `Recog.guarantee`."""
    with nullcontext(opened) if opened is not None else shared.gallery() as people:
        return guarantees.of(people)


def hindrance(shared: Shared, opened: Gallery | None) -> str | None:
    """As `Recog.hindrance`."""
    nobody = "nobody is enrolled, so everybody is unknown"
    if opened is None and not shared.present():
        return nobody
    with nullcontext(opened) if opened is not None else shared.gallery() as people:
        enrolled, claim = people.people_count, guarantees.of(people)
    if not enrolled:
        return nobody
    return None if claim is not None else _too_many(shared, enrolled)


def trust(shared: Shared) -> Trust:
    """As `Recog.trust`."""
    if not shared.present():
        return Trust(0, None, None, None, 0)
    with shared.gallery() as people:
        enrolled = people.people_count
        return Trust(
            enrolled,
            guarantees.stored(people),
            guarantees.lapsed(people),
            _too_many(shared, enrolled),
            len(calibration.own_strangers(people)),
        )


def calibrate(
    shared: Shared,
    target: float,
    *,
    strangers: Floats | None,
    normalise: bool,
    stored: Callable[[], bool],
) -> Calibrated:
    """As `Recog.calibrate`."""
    if not 0 < target < 0.5:
        raise ConfigError(f"a target of {target}: give a share of strangers under a half, such as 0.001")
    embedder, cohort = shared.embedder(), shared.strangers()
    with shared.gallery() as people:
        people.must_write()
        own = calibration.own_strangers(people) if strangers is None else strangers
        known = own[:0] if cohort is None else cohort.one_each
        copy = copy_distance(embedder.calibration)
        kinds = None if cohort is None else cohort.kinds_each
        made = calibration.calibrate(people, known, own, target, copy, normalise, kinds)
        if stored():
            calibration.keep(people, made.guarantee, own, undoable=True)
        return made


def add_strangers(shared: Shared, faces: Sequence[Floats]) -> int:
    """As `Recog.add_strangers`."""
    with shared.turn, shared.gallery() as gallery:
        return calibration.add_strangers(gallery, faces, shared.embedder().calibration)


def _too_many(shared: Shared, enrolled: int) -> str | None:
    """Why nobody can be named among so many without a calibration; None where people can."""
    return guarantees.too_many(enrolled, shared.embedder().calibration, shared.settings.evidence)
