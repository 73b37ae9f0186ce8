"""How pure and how complete clusters of unknown faces are, and what "this is not alice" does.

Clusters: people of LFW on whom the model is reported, in two halves. On one the threshold is chosen (the best
F0.5 among 300 people), on the other it is reported: of all pairs of faces that were put together, how many
are of one person (precision), and of all pairs of one person, how many were put together (recall). A face is
one photograph, at most eight of a person; pairs are counted in draws of so many people, and the interval is
over people (bootstrap). Films: tracks as a run with nobody enrolled keeps them, all films together, compared
with `labels/`; nothing was chosen by them.

Corrections: a few people enrolled by three photographs, and a threshold so loose, beyond all reason, that
many strangers are named. Each who is named is said not to be that person, by that one photograph; asked is
which of their other photographs have that name before and after, and who loses a name that is right.

    uv run python benchmarks/review.py --root data/lfw --data DIR --out benchmarks/results/review.json
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lfw_people import Reported, reported_people
from names import SAME, labels_of

from gallery import Gallery, NewTemplate
from gallery.pooled import track as pooled_track
from pipeline import build, detectors
from pipeline.config import Settings
from pipeline.faces.boxes import iou
from pipeline.identity.clusters import JOINED, clusters
from pipeline.identity.evidence import posterior
from pipeline.identity.guarantee import KEY, Guarantee
from pipeline.identity.judge import Judge
from pipeline.outputs.places import output_file
from pipeline.recognition.stream import Models, Stream
from pipeline.sources.open import open_source
from siamese.calibration import Calibration
from siamese.provenance import commit, versions
from siamese.runtime import DEFAULT, Embedder

GRID = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
SIZES, DRAWS, MOST_PHOTOS = (30, 300), 20, 8
FILMS = ("friends.mp4", "hamilton.mp4", "obama.mp4", "dance.mp4", "street.mp4", "signing.mkv")
ENROLLED, PHOTOS, CORRECTED = 10, 3, 40  # people, photographs of each, draws
LOOSE = 0.5  # share of strangers within the threshold: as it is set, too few are ever named to count


def pair_counts(found: np.ndarray, truth: np.ndarray, people: int) -> np.ndarray:
    """Pairs put together, pairs of one person, and pairs that are both, by person (people, 3).

    Half of a pair of two people is either's.
    """
    counts = np.zeros((people, 3))
    same, one = found[:, None] == found, truth[:, None] == truth
    np.fill_diagonal(same, False)
    np.fill_diagonal(one, False)
    for column, pairs in enumerate((same, one, same & one)):
        np.add.at(counts[:, column], truth, pairs.sum(axis=1) / 2)
    return counts


def drawn(data: Reported, people: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Photographs of so many of these people: embeddings (n, d), and whose they are (n,)."""
    dice = np.random.default_rng([seed, count])
    chosen = dice.choice(people, min(count, len(people)), replace=False)
    rows = np.concatenate([dice.permutation(data.photos(person))[:MOST_PHOTOS] for person in chosen])
    return data.embeddings[rows], data.people[rows]


def rounded(share: float) -> float:
    return round(float(share), 4)


def figures(counts: np.ndarray) -> dict[str, Any]:
    """Precision and recall of what was counted by person (n, 3), with intervals: a bootstrap over people."""
    dice = np.random.default_rng(0)

    def both(some: np.ndarray) -> tuple[float, float]:
        together, one, right = some.sum(axis=0)
        return (right / together if together else 1.0), right / one

    again = np.array([both(counts[dice.integers(0, len(counts), len(counts))]) for _ in range(1000)])
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    precision, recall = both(counts)
    return {
        "precision": rounded(precision), "precision, 95 %": [rounded(each[0]) for each in (low, high)],
        "recall": rounded(recall), "recall, 95 %": [rounded(each[1]) for each in (low, high)],
        "F0.5": rounded(1.25 * precision * recall / (0.25 * precision + recall)),
    }  # fmt: skip


def of_photographs(data: Reported, people: np.ndarray, calibration: Calibration, joined: float) -> list[Any]:
    """Figures by how many people there are."""
    rows = []
    for count in SIZES:
        counts = np.zeros((data.count, 3))
        for seed in range(DRAWS):
            embeddings, truth = drawn(data, people, count, seed)
            counts += pair_counts(clusters(embeddings, calibration, joined), truth, data.count)
        rows.append({"people": min(count, len(people)), "draws": DRAWS} | figures(counts[people]))
    return rows


def tracks_of(
    video: Path, embedder: Embedder, settings: Settings
) -> list[tuple[np.ndarray, str | None, int]]:
    """The tracks of a film: all looks as one, whose they are (None: nobody labelled it), how many looks."""
    labels, looks, votes = labels_of(video.name), {}, {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(
            Path(folder) / "g.db", build.fingerprint(embedder), embedder.dimension, create=True
        ) as g,
        open_source(str(video)) as source,
    ):
        made = Models(detectors.tracking_detector(settings), embedder, g)
        stream = Stream(str(video), source, made, settings, None, False, lambda: False, taped=True)
        with stream.run() as results:
            for result, _ in results:
                for look in result.looks:
                    looks.setdefault(look.track, []).append((look.embedding, look.quality))
                here = [(one, box) for one in labels if (box := one.at(result.frame.index)) is not None]
                if not here or not result.faces:
                    continue
                overlaps = iou(np.array([b for _, b in here]), np.array([f.box for f in result.faces]))
                for i, j in zip(*np.nonzero(overlaps >= SAME), strict=True):
                    who = here[i][0].who
                    # Strangers have no names in the labels: one track of them is compared with others only.
                    name = f"stranger {id(here[i][0])}" if who is None else who
                    votes.setdefault(result.faces[j].track, Counter())[name] += 1
    found = []
    for number, each in looks.items():
        embeddings, qualities = (np.array(column, np.float32) for column in zip(*each, strict=True))
        face = pooled_track(embeddings, qualities, settings.evidence.memory)
        top = votes.get(number, Counter()).most_common(1)
        found.append((face, top[0][0] if top and top[0][0] != "?" else None, len(each)))
    return found


def of_films(folder: Path, embedder: Embedder, settings: Settings) -> dict[str, Any]:
    """Clusters over the tracks of all films together, where it is known who is who."""
    faces, truth, films = [], [], {}
    for name in FILMS:
        found = tracks_of(folder / name, embedder, settings)
        films[name] = {
            "tracks with looks": len(found),
            "labelled": sum(who is not None for _, who, _ in found),
        }
        faces += [face for face, _, _ in found]
        truth += [(name, who) for _, who, _ in found]
    numbers = clusters(np.stack(faces), embedder.calibration)
    sizes = Counter(numbers.tolist())
    together = right = one = across = 0
    for i in range(len(faces)):
        for j in range(i):
            same = numbers[i] == numbers[j]
            if truth[i][0] != truth[j][0]:
                across += int(same)  # nobody is in two films
                together += int(same)
                continue
            who, other = truth[i][1], truth[j][1]
            if who is None or other is None or (who.startswith("stranger") and other.startswith("stranger")):
                continue
            together += int(same)
            one += int(who == other)
            right += int(same and who == other)
    return {
        "films": films, "tracks": len(faces), "clusters": len(sizes), "largest": max(sizes.values()),
        "pairs put together": together, "of one person": right, "of two films": across,
        "precision": round(right / together, 4) if together else None,
        "pairs of one person": one, "recall": round(right / one, 4) if one else None,
    }  # fmt: skip


def of_corrections(data: Reported, embedder: Embedder, settings: Settings, seed: int) -> dict[str, int]:
    """What denying a name that was wrong does to that face and to whose name it is."""
    dice = np.random.default_rng(seed)
    counts = np.bincount(data.people)
    able = dice.permutation(np.flatnonzero(counts >= PHOTOS + 2))
    known, strangers = (
        able[:ENROLLED],
        dice.permutation(np.setdiff1d(np.flatnonzero(counts >= 2), able[:ENROLLED])),
    )
    photos = {person: dice.permutation(data.photos(person)) for person in [*known, *strangers]}
    told = Counter[str]()
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(
            Path(folder) / "g.db", build.fingerprint(embedder), embedder.dimension, create=True
        ) as people,
    ):
        for person in known:
            looks = [
                NewTemplate(data.embeddings[row], None, 1.0, "", str(row)) for row in photos[person][:PHOTOS]
            ]
            people.add(str(person), looks)
        firsts = np.array([photos[person][0] for person in strangers])
        nearest = people.search(data.embeddings[firsts], 1, pooled=True).distances[:, 0]
        loose = float(np.quantile(nearest, LOOSE))
        note = Guarantee(
            LOOSE, 0.95, loose, LOOSE, len(firsts), 0, len(known), 0, 0, False, {}, people.newest()
        )
        people.set_note(KEY, note.as_dict() | {"fingerprint": people.fingerprint}, {})

        def named(rows: np.ndarray) -> list[str | None]:
            judge = Judge(people, embedder.calibration, settings.evidence)
            found = []
            for ratios in judge.ratios(data.embeddings[rows]):
                chances, _ = posterior(list(ratios.values()), len(known))
                best = int(np.argmax(chances))
                found.append([*ratios][best] if chances[best] >= 1 - settings.evidence.target_fpir else None)
            return found

        before = named(firsts)
        wrong = [(person, name) for person, name in zip(strangers, before, strict=True) if name is not None]
        others = {person: photos[person][1:] for person, _ in wrong}
        their_own = {person: photos[person][PHOTOS:] for person in known}
        named_before = {person: named(others[person]) for person, _ in wrong}
        own_before = {person: named(their_own[person]) for person in known}
        everybody = named(firsts)
        for person, name in wrong:
            row = photos[person][0]
            people.deny(name, [NewTemplate(data.embeddings[row], None, 1.0, "", str(row))])
        told["strangers"], told["named wrongly"] = len(firsts), len(wrong)
        for person, name in wrong:
            told["that photograph is still named so"] += named(photos[person][:1])[0] == name
            then, now = named_before[person], named(others[person])
            told["their other photographs"] += len(then)
            told["of these had that name"] += then.count(name)
            told["of these have it still"] += now.count(name)
            told["of these got another name"] += sum(
                a != b and b is not None for a, b in zip(then, now, strict=True)
            )
        after = named(firsts)
        told["strangers who got a name by it"] = sum(
            b is not None and a != b for a, b in zip(everybody, after, strict=True)
        )
        denied = {name for _, name in wrong}
        for person in known:
            then, now = own_before[person], named(their_own[person])
            told["own photographs"] += len(then)
            told["of these named rightly"] += then.count(str(person))
            told["of these still so"] += now.count(str(person))
            if str(person) in denied:
                told["own photographs of those denied"] += len(then)
                told["of these named rightly before"] += then.count(str(person))
                told["of these named rightly after"] += now.count(str(person))
    return dict(told)


def total(each: Callable[[int], dict[str, int]], draws: int) -> dict[str, int]:
    """The sum of what is counted over draws."""
    counted = Counter[str]()
    for seed in range(draws):
        counted.update(each(seed))
    return dict(counted)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of LFW and its aligned crops")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds videos/")
    parser.add_argument("--model", type=Path, default=DEFAULT)
    parser.add_argument("--out", type=output_file, default="runs/review.json")
    arguments = parser.parse_args()
    embedder, settings = Embedder(arguments.model), Settings()
    data = reported_people(embedder, arguments.root)
    order = np.random.default_rng(0).permutation(data.count)
    choosing, reporting = order[: data.count // 2], order[data.count // 2 :]
    result = {
        "joined": JOINED,
        "chosen by": {
            joined: of_photographs(data, choosing, embedder.calibration, joined) for joined in GRID
        },
        "reported": of_photographs(data, reporting, embedder.calibration, JOINED),
        "films": of_films(arguments.data / "videos", embedder, settings),
        "corrections": total(lambda seed: of_corrections(data, embedder, settings, seed), CORRECTED),
        "people": [len(choosing), len(reporting)], "embedder": embedder.digest,
        "machine": platform.machine(), "commit": commit(), "versions": versions(),
    }  # fmt: skip
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
