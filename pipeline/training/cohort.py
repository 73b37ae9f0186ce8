"""Building the cohort of strangers for a model from people of LFW whom it never learned from.

Two kinds of people are left out of training and are not the same: the validation people, by whom epochs and
calibrations are chosen, and those who are reported on. Thresholds are chosen too, so the cohort is made of
validation people; whoever is reported on is never in it. The model's card says which split it was made with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.config import Settings
from pipeline.errors import SinkError, SourceError
from pipeline.progress import Progress, silent
from pipeline.words import counted_people
from siamese import wild
from siamese.cohort import Cohort, write
from siamese.crops import CropSet, read
from siamese.errors import DataError
from siamese.lfw.split import VIEW1, split
from siamese.runtime import Embedder

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
    embedder: Embedder,
    root: Path,
    out: Path,
    settings: Settings,
    people: Path | None = None,
    also: Sequence[Path] = (),
    progress: Progress = silent,
) -> Cohort:
    """Embed the faces of people the model never saw, and write them to `out`.

    Args:
        root: LFW.
        people: a file with a name on each line, instead of the validation people of the model's split.
        also: crop sets of further strangers; a face without a name there is a person of its own. One of
            `recog data wild` says of each face what kind it is; the others are a kind each, by their names.

    Raises:
        SourceError, SiameseError: data that are missing or damaged, or nobody is left.
        SinkError: `out` cannot be written.
    """
    from pipeline.training.network import lfw_crops

    parts = split(root, str(embedder.card.get("held out", VIEW1)))
    chosen = _names(people) if people is not None else parts.validation
    kept = sorted(set(chosen) - set(parts.test) - TWO_NAMES)
    crops = lfw_crops(root, settings, progress)
    found = crops.rows(np.flatnonzero(crops.found)).of_people(kept).at_most(IMAGES)
    if not len(found):
        raise DataError(f"of {counted_people(len(chosen))} nobody is left for a cohort")
    who = "named in a file" if people is not None else "held out for validation"
    kind_of = {(0, file): "LFW" for file in found.files}
    sets = [found]
    for number, folder in enumerate(also, 1):
        given, kinds = _with_kinds(folder)
        kind_of |= {(number, file): kind for file, kind in zip(given.files, kinds, strict=True)}
        sets.append(given)
    sets = [each.rows(np.flatnonzero(each.found)).at_most(IMAGES) for each in sets]
    names = [
        f"{number} {person or file}"
        for number, each in enumerate(sets)
        for person, file in zip(each.people, each.files, strict=True)
    ]
    others = len(set(names)) - len(set(found.people))
    cohort = Cohort(
        np.concatenate([embedder.embed(np.asarray(each.images)) for each in sets]),
        np.unique(names, return_inverse=True)[1].astype(np.int64),
        np.array([kind_of[number, file] for number, each in enumerate(sets) for file in each.files]),
        embedder.digest,
        found.alignment,
        f"LFW, {len(set(found.people))} people {who}; nobody of those reported on ({parts.hold_out})"
        + (f"; {others} people of other sets" if also else ""),
    )
    try:
        write(cohort, out)
    except OSError as error:
        raise SinkError(f"{out}: cannot be written ({error.strerror or error})") from error
    return cohort


def _with_kinds(folder: Path) -> tuple[CropSet, Sequence[str]]:
    """A crop set, and the kind of each of its faces."""
    if (folder / wild.TRAITS).is_file():
        described = wild.read(folder)
        return described.crops, described.sources
    given = read(folder)
    return given, [folder.resolve().name] * len(given)


def _names(file: Path) -> list[str]:
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{file}: cannot be read as a list of names ({error})") from error
