"""An LFW of invented people whose embeddings are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from siamese.crops import CropSet
from siamese.lfw import files as lfw

FOLDS = 10
TRAIN = {f"Train_{number}": 2 for number in range(80)}
TEST = {f"Test_{number}": 1 + number % 3 for number in range(40)}
PEOPLE = TRAIN | TEST
FILES = [lfw.image_name(person, n + 1) for person, count in PEOPLE.items() for n in range(count)]
MAGENTA = (255, 0, 255)


class Looked:
    """An embedder that looks a crop's embedding up by the number written into its first pixel."""

    def __init__(self, noise: float = 0.5) -> None:
        random = np.random.default_rng(0)
        number = {person: place for place, person in enumerate(PEOPLE)}
        people = np.array([number[file.partition("/")[0]] for file in FILES])
        centres = random.normal(size=(len(PEOPLE), 16))
        self.table = (centres[people] + noise * random.normal(size=(len(FILES), 16))).astype(np.float32)
        self.seen: set[str] = set()

    def embed(self, crops: np.ndarray) -> np.ndarray:
        rows = crops[:, 0, 0, :2].astype(int) @ [1, 256]
        self.seen |= {FILES[row].partition("/")[0] for row in rows}
        return self.table[rows]


@pytest.fixture(scope="session")
def looked() -> type[Looked]:
    return Looked


@pytest.fixture(scope="session")
def crops() -> CropSet:
    images = np.full((len(FILES), 112, 112, 3), MAGENTA, np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(len(FILES)) % 256, np.arange(len(FILES)) // 256
    images.flags.writeable = False
    found = np.array([not file.endswith("_0003.jpg") for file in FILES])
    return CropSet(images, tuple(FILES), tuple(file.partition("/")[0] for file in FILES), found, "invented")


@pytest.fixture(scope="session")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """View 1 with 20 pairs of either kind; View 2 with ten folds of twelve people and three pairs of each."""
    folder = tmp_path_factory.mktemp("protocol")
    for part, people in (("Train", TRAIN), ("Test", TEST)):
        lines = [f"{name}\t{count}" for name, count in people.items()]
        (folder / f"peopleDev{part}.txt").write_text("\n".join([str(len(people)), *lines]))
    several = [name for name, count in TEST.items() if count > 1][:20]
    names = list(TEST)
    same = [f"{name}\t1\t2" for name in several]
    other = [f"{names[i]}\t1\t{names[i + 7]}\t1" for i in range(len(several))]
    (folder / "pairsDevTest.txt").write_text("\n".join([str(len(same)), *same, *other]))
    everybody = list(PEOPLE)
    people_lines, pair_lines = [str(FOLDS)], [f"{FOLDS}\t3"]
    for fold in range(FOLDS):
        theirs = everybody[fold::FOLDS]
        people_lines += [str(len(theirs)), *(f"{name}\t{PEOPLE[name]}" for name in theirs)]
        able = [name for name in theirs if PEOPLE[name] > 1]
        pair_lines += [f"{name}\t1\t2" for name in able[:3]]
        pair_lines += [f"{able[i]}\t1\t{able[i + 1]}\t1" for i in range(3)]
    (folder / "people.txt").write_text("\n".join(people_lines))
    (folder / "pairs.txt").write_text("\n".join(pair_lines))
    return folder
