"""Building the cohort of strangers for a model from people of LFW whom it never learned from.

Two kinds of people are left out of training and are not the same: the validation people, by whom epochs and
calibrations are chosen, and those who are reported on. Thresholds are chosen too, so the cohort is made of
validation people; whoever is reported on is never in it. The model's card says which split it was made with.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.config import Settings
from pipeline.errors import SinkError, SourceError
from siamese.cohort import Cohort, write
from siamese.errors import DataError
from siamese.lfw import read_people_folds, split_people, view1_split
from siamese.runtime import Embedder

VIEW1 = "view1"
# People whose photograph LFW has under another name as well: the six nearest pairs of two names in all of it,
# confirmed by eye. A stranger who is enrolled under another name is none.
SAME_PERSON = (
    ("Bart_Hendricks", "Ricky_Ray"),
    ("Carlos_Beltran", "Raul_Ibanez"),
    ("Gabrielle_Rose", "Martha_Bowen"),
    ("Emmy_Rossum", "Eva_Amurri"),
    ("Andrew_Caldecott", "Andrew_Gilligan"),
    ("Shinya_Taniguchi", "Takahiro_Mori"),
)
TWO_NAMES = frozenset(name for pair in SAME_PERSON for name in pair)
IMAGES = 4  # of each person; the bound takes the first, the others are for whoever wants pairs


def build_cohort(
    embedder: Embedder, root: Path, out: Path, settings: Settings, people: Path | None = None
) -> Cohort:
    """Embed the faces of people the model never saw, and write them to `out`.

    Args:
        root: LFW.
        people: a file with a name on each line, instead of the validation people of the model's split.

    Raises:
        SourceError, SiameseError: data that are missing or damaged, or nobody is left.
        SinkError: `out` cannot be written.
    """
    from pipeline.training import lfw_crops

    hold_out = str(embedder.card.get("held out", VIEW1))
    validation, reported = split(root, hold_out)
    chosen = _names(people) if people is not None else validation
    kept = sorted(set(chosen) - set(reported) - TWO_NAMES)
    crops = lfw_crops(root, settings)
    found = crops.rows(np.flatnonzero(crops.found)).of_people(kept).at_most(IMAGES)
    if not len(found):
        raise DataError(f"none of the {len(chosen)} people is left for a cohort")
    who = "named in a file" if people is not None else "held out for validation"
    cohort = Cohort(
        embedder.embed(found.images),
        found.labels(),
        embedder.digest,
        found.alignment,
        f"LFW, {len(set(found.people))} people {who}; nobody of those reported on ({hold_out})",
    )
    try:
        write(cohort, out)
    except OSError as error:
        raise SinkError(f"{out}: cannot be written ({error.strerror or error})") from error
    return cohort


def split(root: Path, hold_out: str) -> tuple[list[str], list[str]]:
    """The people a model was validated on and those it is reported on, by what its card says was held out.

    Raises:
        DataError: protocol files are missing, or the card says something else than `view1` or `fold:9,10`.
    """
    if hold_out == VIEW1:
        train, test = view1_split(root)
        return split_people(train)[1], test
    kind, _, numbers = hold_out.partition(":")
    folds = read_people_folds(root / "people.txt")
    kept = {int(number) for number in numbers.split(",") if number.isdecimal()}
    if kind != "fold" or not kept <= set(range(1, len(folds) + 1)) or not kept:
        raise DataError(f"the model's card says that {hold_out!r} was held out, which is no split of LFW")
    reported = [person.name for number in sorted(kept) for person in folds[number - 1]]
    others = [p.name for number, fold in enumerate(folds, 1) if number not in kept for p in fold]
    return split_people(others)[1], reported


def _names(file: Path) -> list[str]:
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{file}: cannot be read as a list of names ({error})") from error
