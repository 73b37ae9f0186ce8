"""Bringing Labeled Faces in the Wild to this disk, whole and verified, from an archive or by download.

    TARGET/lfw-deepfunneled/    the images
    TARGET/pairs.txt, ...       the protocol
    TARGET/lfw.json             written last: all of the above was verified

`siamese.lfw.files` reads what is brought.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from lzma import LZMAError
from pathlib import Path, PurePosixPath

import numpy as np

from siamese.errors import DataError
from siamese.lfw.download import digest, download
from siamese.lfw.files import FOLDER, Photo, find_photos, is_photo

MANIFEST = "lfw.json"
LARGEST = 1 << 22  # bytes of one image; the largest of LFW has 0.03 MB, so more is an attack on the disk

# What is going on, how much of it is done, and how much there is where that is known.
Progress = Callable[[str, int, "int | None"], None]


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the data set, and where it can be had."""

    name: str
    size: int  # bytes
    checksum: str  # as `siamese.lfw.download` takes it
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """What a complete copy consists of."""

    archive: Source
    protocol: tuple[Source, ...]
    images: int
    people: int


def _official(name: str, size: int, checksum: str, figshare: int | None = None) -> Source:
    """A file as the authors published it, with every place known to serve just these bytes."""
    # scikit-learn's mirror, which has the pairs but neither the people nor the deep-funneled images.
    mirrors = [f"https://ndownloader.figshare.com/files/{figshare}"] if figshare else []
    host = f"vis-www.cs.umass.edu/lfw/{name}"
    # The authors' host is often gone from the name service; the Wayback Machine keeps a copy of the site.
    mirrors += [f"http://{host}", f"https://web.archive.org/web/20231118124720if_/https://{host}"]
    return Source(name, size, checksum, tuple(mirrors))


# fmt: off
OFFICIAL = Release(
    # The MD5 is the one on the authors' page.
    archive=_official("lfw-deepfunneled.tgz", 108_761_145, "md5:68331da3eb755a505a502b5aacb3c201"),
    protocol=(
        _official("pairs.txt", 155_335, "sha256:ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592", 5976006),  # noqa: E501
        _official("pairsDevTrain.txt", 56_579, "sha256:1d454dada7dfeca0e7eab6f65dc4e97a6312d44cf142207be28d688be92aabfa", 5976012),  # noqa: E501
        _official("pairsDevTest.txt", 26_002, "sha256:7cb06600ea8b2814ac26e946201cdb304296262aad67d046a16a7ec85d0ff87c", 5976009),  # noqa: E501
        _official("people.txt", 94_770, "sha256:bc8fa2b7f25c895cf7efb6de4f4fc27ca8b8d1cfa63350ad8b96eae2b198d365"),  # noqa: E501
        _official("peopleDevTrain.txt", 66_403, "sha256:2e58df13ba4cc143189336e001cc2c195f1dfa5b29a6475c02857be353c2a2fa"),  # noqa: E501
        _official("peopleDevTest.txt", 28_334, "sha256:c3ed1f90499473401542101a56c14c1d82396bb8218c67a356d7460601047555"),  # noqa: E501
    ),
    images=13_233,
    people=5_749,
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Lfw:
    """A complete and verified copy."""

    root: Path  # the folder with a folder of images for each person
    protocol: Path  # the folder with the protocol files
    images: int
    people: int
    fresh: bool  # False where everything was there already and nothing was done


def prepare(
    target: Path,
    archive: Path | None = None,
    protocol: Path | None = None,
    progress: Progress = lambda what, done, total: None,
    release: Release = OFFICIAL,
) -> Lfw:
    """Bring a complete, verified copy to `target`; where there is one, do nothing.

    Args:
        target: folder to fill; an archive or protocol files that already lie in it are used.
        archive: the images as a tar file, however packed: its content is verified, not its checksum. Without
            it, the official archive is downloaded, and removed once it is unpacked.
        protocol: folder with the protocol files. Without it they are looked for beside the archive, and
            downloaded where missing.
        progress: called with what is going on, how much is done, and of how much where that is known.

    Raises:
        DataError: a file cannot be had, is damaged, hostile, incomplete or not the official one. An archive
            that fails leaves nothing behind.
    """
    root = target / FOLDER
    done = Lfw(root, target, release.images, release.people, fresh=False)
    manifest = {"images": release.images, "people": release.people}
    try:
        if _is_complete(target, manifest, release):
            return done
        target.mkdir(parents=True, exist_ok=True)
        for source in release.protocol:
            _bring_protocol(source, target, archive, protocol, progress)
        if root.exists():
            for number, photo in enumerate(_verified(root, root, release)):
                _check_image((root / photo.file).read_bytes(), f"{root / photo.file}")
                progress("verifying images", number + 1, release.images)
        else:
            _bring_images(release, root, archive, progress)
        _write(target / MANIFEST, json.dumps(manifest).encode())
    except OSError as error:
        raise DataError(f"{target}: LFW cannot be prepared here ({error})") from error
    return replace(done, fresh=True)


def lists_missing(*folders: Path) -> list[str]:
    """The lists of pairs and people that are in none of the folders, and would be downloaded."""
    names = (source.name for source in OFFICIAL.protocol)
    return [name for name in names if not any((folder / name).is_file() for folder in folders)]


def _is_complete(target: Path, manifest: dict[str, int], release: Release) -> bool:
    try:
        noted = json.loads((target / MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    photos = find_photos(target / FOLDER)
    found = {"images": len(photos), "people": len({photo.person for photo in photos})}
    return noted == manifest == found and all(_is_official(target, source) for source in release.protocol)


def _is_official(folder: Path, source: Source) -> bool:
    path = folder / source.name
    return path.is_file() and digest(path, source.checksum) == source.checksum


def _bring_protocol(
    source: Source, target: Path, archive: Path | None, given: Path | None, progress: Progress
) -> None:
    """Copy one protocol file to the target, or download it."""
    if _is_official(target, source):
        return
    path = target / source.name
    folder = given or (archive.parent if archive else target)
    local = folder / source.name
    if _is_official(folder, source):
        _write(path, local.read_bytes())
    elif local.is_file():
        raise DataError(
            f"{local}: not the official file, its checksum is {digest(local, source.checksum)} instead of "
            f"{source.checksum}; remove it, and the official one is downloaded"
        )
    elif given:
        raise DataError(f"{local}: not found; the protocol's folder should hold {source.name}")
    else:
        _fetch(source, path, progress)


def _bring_images(release: Release, root: Path, archive: Path | None, progress: Progress) -> None:
    """Unpack the images, from an archive that is downloaded where there is none."""
    official = root.parent / release.archive.name
    packed = archive or official
    downloaded = archive is None and not official.exists()
    if downloaded:
        _fetch(release.archive, official, progress)
    part = root.with_name(root.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
        part.mkdir()
        for number, (photo, data) in enumerate(_archived(packed)):
            if number == release.images:
                raise DataError(f"{packed}: holds more than the {release.images:,} images of LFW")
            _check_image(data, f"{packed}: {photo.file}")
            (part / photo.person).mkdir(exist_ok=True)
            with (part / photo.file).open("xb") as file:
                file.write(data)
            progress("unpacking images", number + 1, release.images)
        _verified(part, packed, release)
        os.replace(part, root)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if downloaded:
        official.unlink()


def _archived(archive: Path) -> Iterator[tuple[Photo, bytes]]:
    """The images of a tar file. Other files are passed over; what has no place in a data set is refused.

    Members are only read and never extracted by tarfile: person and file name decide alone where an image
    goes, so that no member can reach out of the folder by its path, a link, a device or its permissions.
    """
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts or "\\" in member.name:
                    raise DataError(f"{archive}: refused, {member.name!r} would leave the folder")
                if not (member.isfile() or member.isdir()):
                    raise DataError(f"{archive}: refused, {member.name!r} is a link or a device")
                content = tar.extractfile(member)
                if content is None or len(path.parts) < 2 or not is_photo(path.parts[-2], path.name):
                    continue
                if member.size > LARGEST:
                    raise DataError(f"{archive}: refused, {member.name!r} has {member.size:,} bytes")
                yield Photo(f"{path.parts[-2]}/{path.name}", path.parts[-2]), content.read()
            # tarfile stops at the end mark; only the end of the compressed stream has its checksum verified.
            while tar.fileobj is not None and tar.fileobj.read(1 << 20):
                pass
    except FileNotFoundError as error:
        raise DataError(f"{archive}: not found; give the path of lfw-deepfunneled.tgz") from error
    except (tarfile.TarError, EOFError, zlib.error, LZMAError, OSError) as error:
        what = str(error).partition("\n")[0]  # tarfile goes on to tell of every format it tried
        raise DataError(
            f"{archive}: damaged or cut short, or not a tar file ({what}); get it again"
        ) from error


def _check_image(data: bytes, name: str) -> None:
    """Raise `DataError` unless this is a JPEG that begins, ends and can be decoded."""
    import cv2

    whole = data.startswith(b"\xff\xd8") and data.rstrip(b"\0").endswith(b"\xff\xd9")
    try:  # an eighth of the size, without colour: the quickest way through all of the compressed data
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8) if whole else None
    except cv2.error:
        image = None
    if image is None:
        raise DataError(f"{name}: cannot be read as a JPEG image; get the archive again")


def _verified(folder: Path, origin: Path, release: Release) -> list[Photo]:
    """The images of a folder, or `DataError` about where they come from unless all are there."""
    photos = find_photos(folder)
    people = len({photo.person for photo in photos})
    if (len(photos), people) != (release.images, release.people):
        raise DataError(
            f"{origin}: holds {len(photos):,} images of {people:,} people, expected {release.images:,} of "
            f"{release.people:,}; "
            + ("remove the folder and" if origin == folder else "get it again and")
            + " prepare the data again"
        )
    return photos


def _fetch(source: Source, path: Path, progress: Progress) -> None:
    what = f"downloading {source.name}"
    download(source.urls, path, source.size, source.checksum, lambda done, total: progress(what, done, total))


def _write(path: Path, content: bytes) -> None:
    """Write a file that is never seen in part."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)
