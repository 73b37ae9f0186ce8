"""Who is in a picture, and whether two pictures show one person."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from gallery import Gallery
from gallery.address import exists
from gallery.followed import Enrolled
from pipeline.api.pictures import Picture, probe, read
from pipeline.api.shared import Shared
from pipeline.identity.identify import Identified
from pipeline.identity.identify import identify as ranked
from pipeline.identity.verify import Comparison, compare_to_person, compare_two, searched


def identify(shared: Shared, picture: Picture, most: int, opened: Gallery | None) -> list[Identified]:
    """As `Recog.identify`."""
    image, called = read(picture)
    embedder, examiner = shared.embedder(), shared.examiner()
    with shared.turn:
        probes = examiner.every_face(image, called)
    if opened is not None:
        return ranked(probes, shared.judge(opened), most)
    if not exists(shared.path):  # and who was known until now is not known any more
        with closing(Enrolled(shared.path, shared.model(), embedder.dimension)) as nobody:
            return ranked(probes, shared.judge(nobody), most)
    everybody = shared.everybody()
    everybody.catch_up()
    with closing(everybody.view()) as people:
        return ranked(probes, shared.judge(people), most)


def verify(shared: Shared, first: Picture, second: Picture, pick: str | None) -> Comparison:
    """As `Recog.verify`."""
    one, other = (probe(shared, picture, pick) for picture in (first, second))
    cohort = shared.strangers()
    pairs = np.zeros(0, np.float32) if cohort is None else cohort.stranger_distances()
    return compare_two(one, other, shared.embedder().calibration, pairs)


def verify_person(shared: Shared, name: str, picture: Picture, pick: str | None) -> Comparison:
    """As `Recog.verify_person`."""
    with shared.gallery() as people:
        templates = np.stack([look.embedding for look in searched(people, name)])
    cohort = shared.strangers()
    strangers = templates[:0] if cohort is None else cohort.one_each
    return compare_to_person(
        probe(shared, picture, pick), templates, shared.embedder().calibration, strangers
    )
