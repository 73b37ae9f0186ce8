"""Who is learned from, who chooses, and who is kept for the figures.

    view1        the people of LFW's View 1 training half learn; its test half is kept
    fold:9,10    all of LFW learns but the people of these folds of View 2, who are kept

In either, a tenth of those who could be learned from are set aside, to choose the best epoch and to
calibrate. The folds of View 2 have no person in common: pairs of a fold that is kept show nobody who was
learned from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from siamese.errors import DataError
from siamese.lfw.files import read_people_folds, split_people, view1_split

VIEW1 = "view1"


@dataclass(frozen=True, slots=True)
class Split:
    """Names of people, nobody in two of them."""

    fit: list[str]  # to learn from
    validation: list[str]  # to choose and to calibrate by
    test: list[str]  # to report on
    hold_out: str  # the choice that made it: `view1`, `fold:9,10`


def split(protocol: Path, hold_out: str = VIEW1) -> Split:
    """The people of LFW by what they are for.

    Args:
        protocol: folder of the protocol files.
        hold_out: `view1`, or `fold:` and numbers of View 2's folds, from 1, with commas.

    Raises:
        DataError: a file is missing or malformed, somebody is on both sides, or `hold_out` is none of these.
    """
    if hold_out == VIEW1:
        train, test = view1_split(protocol)
        return Split(*split_people(train), test, VIEW1)
    kept = folds(hold_out)
    everybody = read_people_folds(protocol / "people.txt")
    if max(kept) > len(everybody):
        raise DataError(f"fold {max(kept)}: {protocol / 'people.txt'} has {len(everybody)} folds")
    test = [person.name for number in kept for person in everybody[number - 1]]
    train = [p.name for n, fold in enumerate(everybody, 1) if n not in kept for p in fold]
    if both := sorted(set(train) & set(test)):
        raise DataError(f"{protocol / 'people.txt'}: {both[0]} is in two folds")
    return Split(*split_people(train), test, "fold:" + ",".join(map(str, kept)))


def folds(hold_out: str) -> list[int]:
    """The numbers in `fold:9,10`, sorted, each once.

    Raises:
        DataError: it is not of this form.
    """
    if not re.fullmatch(r"fold:[1-9]\d*(,[1-9]\d*)*", hold_out, re.ASCII):
        raise DataError(f"{hold_out!r}: give {VIEW1}, or folds of View 2 to hold out, such as fold:9,10")
    return sorted({int(number) for number in hold_out.removeprefix("fold:").split(",")})
