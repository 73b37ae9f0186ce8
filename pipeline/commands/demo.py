"""`recog demo`: the whole path on real input, without a camera or a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import Assignments, Blur, BlurStyle, ConfigFile
from pipeline.outputs.places import Leaves, Use

if TYPE_CHECKING:
    from pipeline.types import Image


def demo(
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Receives everything the demo makes."),
        Use.FOLDER,
        Leaves(()),
    ] = Path("demo"),
    blur: Blur = None,
    blur_style: BlurStyle = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Make a short film, enroll one person, recognise: one is named, the others stay unknown."""
    from pipeline import build
    from pipeline.commands.display import heard, progress, shown
    from pipeline.commands.run_report import report
    from pipeline.commands.shared import settings_from, with_blur
    from pipeline.drawing.sheet import contact_sheet
    from pipeline.errors import SinkError, SourceError
    from pipeline.outputs.demo_film import PERSON, make_film, other_view, photographs
    from pipeline.outputs.ledger import Ledger
    from pipeline.outputs.outputs import Outputs
    from pipeline.recognition.engine import recognise
    from pipeline.sources.open import open_source

    settings = with_blur(settings_from(config, assignments), blur, blur_style)
    photos = photographs()
    _keep_a_real_gallery(out / "gallery.db", PERSON)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for old in ("gallery.db", "gallery.db-wal", "gallery.db-shm", "events.jsonl", "annotated.mp4"):
            (out / old).unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(
            f"{out}: cannot be written ({error.strerror}); give another folder with --out"
        ) from error
    video, photo, gallery = out / "film.mp4", out / "enrolled.jpg", out / "gallery.db"
    annotated, events, sheet = out / "annotated.mp4", out / "events.jsonl", out / "contact-sheet.png"
    embedder = build.embedder(settings)
    build.gallery(gallery, embedder, create=True).close()  # first: it says that the folder is a demo's
    with progress() as display:
        task = display.add_task("making the film", total=None)
        make_film(photos, video, lambda: display.advance(task))
    _write(photo, other_view(photos.known))

    (outcome,) = build.looker(settings, embedder).look([photo])
    if outcome.template is None:
        raise SourceError(f"{photo}: {outcome.reason}; with these settings the demo cannot enroll anybody")
    with build.gallery(gallery, embedder, create=True) as people:
        people.add(PERSON, [outcome.template])
    print(f"{PERSON} is enrolled from another view: {photo}")

    with shown() as told:
        ended = recognise(
            str(video), Outputs(annotated, events, False), gallery, settings, None, *heard(), told
        )
    report(ended, annotated, events)
    if ended.interrupted:
        raise typer.Exit(ended.exit_code)
    with open_source(str(annotated)) as frames:
        chosen = [(frame.image, f"{frame.seconds:.1f} s") for frame in frames if frame.index % 25 == 12]
    _write(sheet, contact_sheet(chosen, columns=4, cell=(480, 270)))
    Ledger(gallery).note("picture", sheet)
    print(f"written: {sheet}")
    print("next: recog enroll --name YOU --images YOUR-PHOTOS/, then recog run --source 0")


def _keep_a_real_gallery(path: Path, person: str) -> None:
    """Refuse a folder that is not an earlier demo's and holds what the demo would replace."""
    from gallery import Gallery
    from pipeline.errors import SinkError

    if not path.exists():
        names = ("film.mp4", "enrolled.jpg", "annotated.mp4", "events.jsonl", "contact-sheet.png")
        found = next((name for name in names if (path.parent / name).exists()), None)
        if found is not None:
            raise SinkError(f"{path.parent / found} exists and is no demo's; give another folder with --out")
        return
    with Gallery.open(path, None, None) as opened:
        others = [each.name for each in opened.people() if each.name != person]
    if others:
        raise SinkError(f"{path} is a gallery with {others[0]} in it; give another folder with --out")


def _write(path: Path, image: Image) -> None:
    """Write a picture that only its owner may read, or say in one line that it cannot be written."""
    import cv2

    from pipeline.outputs.private import private_file

    _, encoded = cv2.imencode(path.suffix, image)
    with private_file(path) as file:
        file.write(encoded.tobytes())
