"""`recog verify`: are these two the same person, or is this photo of the person enrolled under a name?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import (
    AsJson,
    Assignments,
    ConfigFile,
    DetectorFile,
    EmbedderFile,
    GalleryFile,
    Overwrite,
    PickFace,
)
from pipeline.outputs.places import Use


def verify(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO [PHOTO]", help="Two photos; one with --name."), Use.READ
    ],
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Compare with this person of the gallery.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the faces side by side, with the answer."),
        Use.NEW,
    ] = None,
    overwrite: Overwrite = False,
    pick: PickFace = None,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Compare two photos, or a photo with somebody enrolled: the same person or not, and how sure that is.

    Cannot-tell is an answer: of photos too alike or too different to say, and of poor photos that differ.
    """
    if len(photos) != (2 if name is None else 1):
        raise typer.BadParameter("give two photos, or one photo and --name")
    import numpy as np

    from pipeline import build
    from pipeline.commands.shared import print_json, settings_from
    from pipeline.drawing.sheet import contact_sheet
    from pipeline.faces.choose import parse_pick
    from pipeline.identity.verify import compare_to_person, compare_two, searched
    from pipeline.outputs.ledger import Ledger
    from pipeline.outputs.video import ImageSink
    from pipeline.sources.images import read_photo

    chosen = parse_pick(pick)
    settings = settings_from(config, assignments, detector, model)
    sink = None if picture is None else ImageSink(picture, private=True)
    embedder = build.embedder(settings)
    cohort = build.cohort(settings, embedder)
    templates = np.zeros((0, embedder.dimension), np.float32)
    other = None
    if name is not None:
        with build.gallery(gallery, embedder) as people:
            looks = searched(people, name)
        templates = np.stack([look.embedding for look in looks])
    examiner = build.examiner(settings, embedder)
    probes = [examiner.probe(read_photo(photo), str(photo), chosen) for photo in photos]
    if name is None:
        pairs = np.zeros(0, np.float32) if cohort is None else cohort.stranger_distances()
        found = compare_two(probes[0], probes[1], embedder.calibration, pairs)
        other, among = (probes[1].crop, photos[1].name), "pairs"
    else:
        strangers = templates[:0] if cohort is None else cohort.one_each
        found = compare_to_person(probes[0], templates, embedder.calibration, strangers)
        nearest = looks[int(np.abs(templates - probes[0].embedding).sum(axis=1).argmin())]
        other, among = (None if nearest.crop is None else (nearest.crop, name)), "strangers"
    if sink is not None:
        faces = [(probes[0].crop, photos[0].name), *([other] if other else [])]
        faces[-1] = (faces[-1][0], f"{faces[-1][1]}, {found.words}")
        with sink:
            sink.write(contact_sheet(faces, columns=len(faces), cell=(360, 360)))
        if name is not None and picture is not None:
            Ledger(build.gallery_path(gallery)).note("picture", picture)
    if as_json:
        names = {"photos": [str(photo) for photo in photos], "name": name}
        print_json(names | found.as_dict() | {"picture": str(picture) if picture else None})
        return
    print(found.words)
    if rarity := found.rarity(among):
        print(rarity)
    for flaw in found.flaws:
        print(f"{flaw}: this is less sure than it would be with a better one")
    if picture is not None:
        print(f"written: {picture}")
