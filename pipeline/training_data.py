"""The pictures of a folder as aligned crops, made once and kept."""

from __future__ import annotations

from pathlib import Path

from pipeline import align, build
from pipeline.align_set import align_files
from pipeline.commands.shared import progress
from pipeline.config import Settings
from pipeline.errors import SourceError
from pipeline.photos import PHOTO_SUFFIXES
from siamese import crops
from siamese.crops import CropSet

SIZE = 320  # of the detector's input: in pictures of one person the face is large


def align_folder(root: Path, out: Path, settings: Settings, named: bool) -> CropSet:
    """Align the subject of every picture below `root` into the crop set `out`; one that fits is kept as it is.

    Args:
        named: folders below `root` are people's names; else nobody's name is known.

    Raises:
        SourceError: no pictures there, or one that cannot be read.
        DetectorError, siamese.errors.ModelError: the detector cannot be used.
    """
    if not root.is_dir():
        hint = "; bring it with: recog data lfw" if named else ""
        raise SourceError(f"{root}: there is no such folder{hint}")
    inside = out.resolve()
    files = sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.suffix.lower() in PHOTO_SUFFIXES and inside not in path.resolve().parents
    )
    if not files:
        raise SourceError(f"{root}: no pictures in this folder")
    settings = settings.model_copy(update={"det": settings.det.model_copy(update={"size": SIZE})})
    detector = build.detector(settings)
    alignment = f"{align.VERSION}, detector {detector.digest[:16]} at {SIZE}"
    if (out / "faces.json").is_file():
        present = crops.read(out)
        if present.alignment == alignment and present.files == tuple(files):
            return present
    people = [Path(file).parts[0] if named else "" for file in files]
    with progress() as display:
        task = display.add_task("aligning faces", total=len(files))
        made = align_files(root, files, people, detector, alignment, lambda _: display.advance(task))
    crops.write(made, out)
    return crops.read(out)
