"""Bringing LFW here, from small archives of a few people, and once from the real one."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamese.errors import DataError
from siamese.lfw import archive as lfw_archive
from siamese.lfw import files as lfw
from siamese.lfw.archive import Lfw, Release, Source, lists_missing

PEOPLE = {"Ann_Bo": 3, "Cy_Dee": 1, "Eve_O-Neil": 2}
IMAGES = sum(PEOPLE.values())
PAIRS = "1\nAnn_Bo\t1\t3\nAnn_Bo\t2\tCy_Dee\t1\n"


def jpeg(shade: int = 128, side: int = 250) -> bytes:
    image = np.full((side, side, 3), shade, np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


def files(people: dict[str, int] = PEOPLE) -> dict[str, bytes]:
    """An archive's content, as the official one is laid out."""
    names = [lfw.image_name(person, n + 1) for person, count in people.items() for n in range(count)]
    return {f"{lfw.FOLDER}/{name}": jpeg(20 * i) for i, name in enumerate(names)}


def pack(path: Path, content: dict[str, bytes], mode: str = "w:gz", *extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in extra:
            tar.addfile(member)
    return path


def source(name: str, content: bytes, *urls: str) -> Source:
    return Source(name, len(content), f"sha256:{hashlib.sha256(content).hexdigest()}", urls)


RELEASE = Release(
    source("lfw-deepfunneled.tgz", b"of no use: local archives are not held to it"),
    (source("pairs.txt", PAIRS.encode()),),
    IMAGES,
    len(PEOPLE),
)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A small archive, and the protocol file beside it."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "pairs.txt").write_text(PAIRS)
    return pack(folder / "lfw-deepfunneled.tgz", files())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data"


def prepare(target: Path, archive: Path | None, release: Release = RELEASE) -> Lfw:
    return lfw_archive.prepare(target, archive, release=release)


def assert_nothing_is_left(target: Path) -> None:
    """No images, whole or in part, and no claim that there are any."""
    assert {path.name for path in target.rglob("*")} <= {"pairs.txt"}


def test_an_archive_is_unpacked_with_its_protocol_and_progress_is_told(target: Path, archive: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    done = lfw_archive.prepare(target, archive, progress=lambda *now: told.append(now), release=RELEASE)
    assert done == Lfw(target / lfw.FOLDER, target, IMAGES, len(PEOPLE), fresh=True)
    assert {str(file.relative_to(target)): file.read_bytes() for file in done.root.rglob("*.jpg")} == files()
    assert (target / "pairs.txt").read_text() == PAIRS
    assert told[-1] == ("unpacking images", IMAGES, IMAGES)
    assert {path.name for path in target.iterdir()} == {lfw.FOLDER, "pairs.txt", lfw_archive.MANIFEST}


def test_a_second_run_does_nothing_and_says_so(target: Path, archive: Path) -> None:
    prepare(target, archive)
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    archive.unlink()
    again = prepare(target, archive)
    assert not again.fresh
    assert (again.images, again.people) == (IMAGES, len(PEOPLE))
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("prefix", ["", "./", "lfw/", "some/where/else/"])
def test_it_does_not_matter_how_an_archive_was_packed(
    target: Path, archive: Path, mode: str, prefix: str
) -> None:
    content = {name.replace(f"{lfw.FOLDER}/", prefix): data for name, data in files().items()}
    pack(
        archive,
        content | {f"{prefix}README.txt": b"thanks", f"{prefix}Ann_Bo/._Ann_Bo_0001.jpg": b"mac"},
        mode,
    )
    done = prepare(target, archive)
    assert [photo.file for photo in lfw.images(done.root)] == sorted(
        lfw.image_name(person, n + 1) for person, count in PEOPLE.items() for n in range(count)
    )
    assert not list(target.rglob("README*"))


def test_an_archive_that_lies_in_the_target_is_used_and_kept(target: Path, archive: Path) -> None:
    target.mkdir()
    for path in (archive, archive.with_name("pairs.txt")):
        path.rename(target / path.name)
    assert prepare(target, None).fresh
    assert (target / archive.name).exists()


@pytest.mark.parametrize(
    ("people", "found"),
    [
        ({"Ann_Bo": 3, "Cy_Dee": 1}, r"4 images of 2 people, expected 6 of 3"),
        ({"Ann_Bo": 3, "Cy_Dee": 3}, r"6 images of 2 people, expected 6 of 3"),
        ({"Ann_Bo": 3, "Cy_Dee": 1, "Eve_O-Neil": 3}, r"more than the 6 images"),
        ({}, r"0 images of 0 people"),
    ],
)
def test_an_archive_with_other_counts_is_refused(
    target: Path, archive: Path, people: dict[str, int], found: str
) -> None:
    pack(archive, files(people))
    with pytest.raises(DataError, match=found):
        prepare(target, archive)
    assert_nothing_is_left(target)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_a_truncated_archive_is_one_line_and_leaves_nothing(
    target: Path, archive: Path, mode: str, share: float
) -> None:
    whole = pack(archive, files(), mode).read_bytes()
    archive.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError) as caught:
        prepare(target, archive)
    assert str(archive) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert_nothing_is_left(target)


def test_an_archive_whose_last_bytes_are_wrong_is_damaged(target: Path, archive: Path) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-8] + bytes(4) + whole[-4:])  # gzip's checksum of all of the content
    with pytest.raises(DataError, match="damaged"):
        prepare(target, archive)
    assert_nothing_is_left(target)


def test_an_archive_that_is_none_or_not_there_is_a_data_error(target: Path, archive: Path) -> None:
    archive.write_text("<html>Not found</html>")
    with pytest.raises(DataError, match="not a tar file"):
        prepare(target, archive)
    archive.unlink()
    with pytest.raises(DataError, match="not found"):
        prepare(target, archive)


@pytest.mark.parametrize(
    "name",
    [
        "../Ann_Bo/Ann_Bo_0009.jpg",
        "lfw-deepfunneled/../../Ann_Bo/Ann_Bo_0009.jpg",
        "lfw-deepfunneled/../.._0001.jpg",
        "/tmp/Ann_Bo/Ann_Bo_0009.jpg",
        "lfw-deepfunneled\\..\\Ann_Bo_0009.jpg",
    ],
)
def test_an_archive_with_a_path_out_of_the_folder_is_refused(target: Path, archive: Path, name: str) -> None:
    pack(archive, {name: jpeg()} | files())
    with pytest.raises(DataError, match="would leave the folder"):
        prepare(target, archive)
    assert_nothing_is_left(target)
    assert not list(target.parent.rglob("*_0009.jpg"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_an_archive_with_a_link_or_a_device_is_refused(target: Path, archive: Path, kind: bytes) -> None:
    member = tarfile.TarInfo(f"{lfw.FOLDER}/Ann_Bo")
    member.type, member.linkname = kind, "/etc"
    pack(archive, files(), "w:gz", member)
    with pytest.raises(DataError, match="is a link or a device"):
        prepare(target, archive)
    assert_nothing_is_left(target)


def test_an_image_too_large_for_this_data_set_is_refused(target: Path, archive: Path) -> None:
    pack(archive, {f"{lfw.FOLDER}/Ann_Bo/Ann_Bo_0001.jpg": bytes(lfw_archive.LARGEST + 1)})
    with pytest.raises(DataError, match="4,194,305 bytes"):
        prepare(target, archive)
    assert_nothing_is_left(target)


def test_an_image_that_comes_twice_is_refused(target: Path, archive: Path) -> None:
    pack(archive, files({"Ann_Bo": 1}) | {"lfw/Ann_Bo/Ann_Bo_0001.jpg": jpeg()})
    with pytest.raises(DataError, match="Ann_Bo_0001"):
        prepare(target, archive)
    assert_nothing_is_left(target)


def vast() -> bytes:
    """A small file that claims to be an image of 65,535 x 65,535."""
    data = bytearray(jpeg())
    size = data.index(b"\xff\xc0") + 5  # in the frame header, after marker, length and precision
    data[size : size + 4] = b"\xff" * 4
    return bytes(data)


UNREADABLE = {
    "empty": b"",
    "cut short": jpeg()[:-200],
    "garbage": b"\xff\xd8 no image at all \xff\xd9",
    "a page": b"<html></html>",
    "vast": vast(),
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_an_image_that_cannot_be_read_is_refused(target: Path, archive: Path, data: bytes) -> None:
    pack(archive, files() | {f"{lfw.FOLDER}/Cy_Dee/Cy_Dee_0001.jpg": data})
    with pytest.raises(DataError, match=r"Cy_Dee_0001\.jpg: cannot be read"):
        prepare(target, archive)
    assert_nothing_is_left(target)


def test_an_interrupted_unpacking_is_never_taken_for_complete(target: Path, archive: Path) -> None:
    def interrupt(what: str, done: int, total: int | None) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lfw_archive.prepare(target, archive, progress=interrupt, release=RELEASE)
    assert_nothing_is_left(target)
    killed = target / f"{lfw.FOLDER}.part" / "Ann_Bo"  # what a process leaves that is killed outright
    killed.mkdir(parents=True)
    (killed / "Ann_Bo_0001.jpg").write_bytes(b"half")
    assert prepare(target, archive).fresh
    assert not killed.exists()


def test_a_folder_somebody_unpacked_is_verified_and_taken(target: Path, archive: Path) -> None:
    prepare(target, archive)
    (target / lfw_archive.MANIFEST).unlink()
    archive.unlink()
    assert prepare(target, None).fresh
    assert not prepare(target, None).fresh


@pytest.mark.parametrize("keep_manifest", [True, False])
def test_a_folder_that_lost_an_image_says_what_is_there(
    target: Path, archive: Path, keep_manifest: bool
) -> None:
    done = prepare(target, archive)
    (done.root / "Cy_Dee/Cy_Dee_0001.jpg").unlink()
    if not keep_manifest:
        (target / lfw_archive.MANIFEST).unlink()
    with pytest.raises(DataError, match=r"5 images of 2 people, expected 6 of 3; remove the folder"):
        prepare(target, archive)


def test_a_damaged_image_in_a_folder_somebody_unpacked_is_found(target: Path, archive: Path) -> None:
    done = prepare(target, archive)
    (target / lfw_archive.MANIFEST).write_text("{")
    (done.root / "Cy_Dee/Cy_Dee_0001.jpg").write_bytes(jpeg()[:50])
    with pytest.raises(DataError, match=r"Cy_Dee_0001\.jpg: cannot be read"):
        prepare(target, archive)


def test_protocol_files_may_come_from_another_folder(target: Path, archive: Path, tmp_path: Path) -> None:
    archive.with_name("pairs.txt").rename(tmp_path / "pairs.txt")
    lfw_archive.prepare(target, archive, tmp_path, release=RELEASE)
    assert (target / "pairs.txt").read_text() == PAIRS


def test_a_protocol_folder_that_lacks_a_file_is_a_data_error(
    target: Path, archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"pairs\.txt: not found"):
        lfw_archive.prepare(target, archive, tmp_path, release=RELEASE)


def test_an_altered_protocol_file_is_refused(target: Path, archive: Path) -> None:
    archive.with_name("pairs.txt").write_text(PAIRS.replace("3", "2"))
    with pytest.raises(DataError, match="not the official file"):
        prepare(target, archive)


def test_a_protocol_file_altered_afterwards_is_renewed(target: Path, archive: Path) -> None:
    prepare(target, archive)
    (target / "pairs.txt").write_text("1\n")
    prepare(target, archive)
    assert (target / "pairs.txt").read_text() == PAIRS


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serves the archive's folder."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = partial(Quiet, directory=str(archive.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_without_an_archive_everything_is_downloaded_and_the_archive_removed(
    target: Path, archive: Path, mirror: str
) -> None:
    release = replace(
        RELEASE,
        archive=source(archive.name, archive.read_bytes(), f"{mirror}/gone", f"{mirror}/{archive.name}"),
        protocol=(source("pairs.txt", PAIRS.encode(), f"{mirror}/pairs.txt"),),
    )
    told: set[str] = set()
    done = lfw_archive.prepare(target, progress=lambda what, *_: told.add(what), release=release)
    assert len(lfw.images(done.root)) == IMAGES
    assert told == {"downloading pairs.txt", "downloading lfw-deepfunneled.tgz", "unpacking images"}
    assert {path.name for path in target.iterdir()} == {lfw.FOLDER, "pairs.txt", lfw_archive.MANIFEST}


def test_a_download_that_fails_says_where_a_file_from_elsewhere_should_go(target: Path, mirror: str) -> None:
    release = replace(RELEASE, protocol=(), archive=replace(RELEASE.archive, urls=(f"{mirror}/gone",)))
    with pytest.raises(DataError, match=r"HTTP 404.*save it as .*lfw-deepfunneled\.tgz"):
        prepare(target, None, release)


def test_a_target_that_is_a_file_is_a_data_error(target: Path, archive: Path) -> None:
    target.write_text("taken")
    with pytest.raises(DataError, match="cannot be prepared here"):
        prepare(target, archive)


def test_the_real_archive_holds_what_is_expected_and_is_prepared_once(
    shared: Path, tmp_path: Path, target: Path
) -> None:
    # To unpack all of it takes ten seconds. So of most images only the names are read, and those of the first
    # people are prepared; everything on the real images is in this one test.
    real, photos, some = shared / "lfw/lfw-deepfunneled.tgz", set(), {}
    with tarfile.open(real, "r:gz") as tar:
        for member in filter(tarfile.TarInfo.isfile, tar):
            photos.add(member.name.removeprefix(f"{lfw.FOLDER}/"))
            if len(some) < 300:
                content = tar.extractfile(member)
                assert content is not None
                some[member.name] = content.read()
    official = lfw_archive.OFFICIAL
    assert all(lfw.is_photo(*photo.split("/")) for photo in photos)
    assert (len(photos), len({photo.split("/")[0] for photo in photos})) == (official.images, official.people)
    for name in ("pairs.txt", "pairsDevTrain.txt", "pairsDevTest.txt"):
        for pair in (pair for fold in lfw.read_pairs(real.with_name(name)) for pair in fold):
            assert {pair.first, pair.second} <= photos

    part = replace(official, images=300, people=len({name.split("/")[1] for name in some}))
    packed = pack(tmp_path / "part.tgz", some)
    done = lfw_archive.prepare(target, packed, real.parent, release=part)
    assert done.fresh
    assert not lfw_archive.prepare(target, release=part).fresh
    assert {f"{lfw.FOLDER}/{photo.file}" for photo in lfw.images(done.root)} == set(some)
    assert all((done.root.parent / name).read_bytes() == data for name, data in some.items())


def test_a_list_is_missing_where_no_folder_has_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    names = lists_missing(first, second)
    assert "pairs.txt" in names
    for folder, name in zip((first, second), names, strict=False):
        folder.mkdir()
        (folder / name).touch()
    assert lists_missing(first, second) == names[2:]
