"""People erased for good: one who asks for it, and all whose time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.api.shared import Shared
from pipeline.authentication.tries import forget_tries
from pipeline.enrolment.expiry import expire as expire_people
from pipeline.outputs.forget import Known, Places, Receipt
from pipeline.outputs.forget import forget as erase
from pipeline.outputs.ledger import Ledger


def forget(
    shared: Shared,
    name: str,
    *,
    tapes: Sequence[str | Path],
    events: Sequence[str | Path],
    snapshots: Sequence[str | Path],
    dry_run: bool,
    elsewhere: Callable[[Known, bool], Mapping[str, int]] | None,
) -> Receipt:
    """As `Recog.forget`."""
    places = Places(*(tuple(Path(each) for each in those) for those in (tapes, events, snapshots)))
    ledger = Ledger(shared.path)
    with shared.gallery() as people, ledger.alone():
        return erase(
            name,
            people,
            shared.judge(people),
            places,
            ledger.entries(),
            tries=lambda names, done: forget_tries(shared.path, names, done),
            elsewhere=elsewhere or (lambda known, done: {}),
            dry_run=dry_run,
        )


def expire(shared: Shared) -> list[str]:
    """As `Recog.expire`."""
    days = shared.settings.keep.people
    if days is None or not shared.present():
        return []
    with shared.turn, shared.gallery() as people:
        return expire_people(people, days)
