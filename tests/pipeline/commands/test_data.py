"""`recog data`: LFW from an archive, aligned faces and triplets; its people are colours."""

from __future__ import annotations

import io
import os
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pytest

from siamese import crops
from siamese.lfw import archive as lfw_archive


def test_faces_are_aligned_once_and_again_when_what_is_there_does_not_fit(
    tmp_path: Path, world: Any, root: Path, detector: Any, recog: Any
) -> None:
    ended = recog("data", "align", "--root", root)
    assert (ended.code, ended.err) == (0, "")
    assert "45 faces aligned; in 0 images none was found" in ended.out
    assert detector.frames == 45
    assert recog("data", "align", "--root", root).code == 0
    assert detector.frames == 45
    (root / "crops" / "faces.json").write_text("{ damaged")
    assert recog("data", "align", "--root", root).code == 0
    assert detector.frames == 90
    # One picture less, and one without a face.
    someone = sorted((root / "lfw-deepfunneled").iterdir())[0]
    (someone / f"{someone.name}_0003.jpg").unlink()
    cv2.imwrite(str(someone / f"{someone.name}_0002.jpg"), world.empty())
    assert (
        "44 faces aligned; in 1 image none was found, its centre"
        in recog("data", "align", "--root", root).out
    )


def test_pictures_without_names_can_be_aligned_too(
    tmp_path: Path, world: Any, detector: Any, recog: Any
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    world.picture(photos / "a.png", world.RED)
    ended = recog("data", "align", "--images", photos, "--out", tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")
    assert crops.read(tmp_path / "out").people == ("",)
    (tmp_path / "file").write_text("")
    recog("data", "align", "--images", photos, "--out", tmp_path / "file" / "out").refused(
        "cannot be written"
    )
    (photos / "b.jpg").write_bytes(b"nonsense")
    recog("data", "align", "--images", photos, "--out", tmp_path / "out").refused("b.jpg")
    (tmp_path / "empty").mkdir()
    recog("data", "align", "--images", tmp_path / "empty").refused("no pictures")
    recog("data", "align", "--root", tmp_path / "no").refused("recog data lfw")


def test_triplets_are_made_of_the_people_to_train_on(
    tmp_path: Path, root: Path, held_out: list[str], recog: Any
) -> None:
    out = tmp_path / "data"
    ended = recog("data", "triplets", "--root", root, "--out", out, "--count", "7")
    assert (ended.code, ended.err) == (0, "")
    assert "7 rows in anchor, positive and negative" in ended.out
    files = {kind: sorted(os.listdir(out / kind)) for kind in ("anchor", "positive", "negative")}
    assert [len(each) for each in files.values()] == [7, 7, 7]
    assert not [name for each in files.values() for name in each if any(who in name for who in held_out)]
    recog("data", "triplets", "--root", tmp_path / "no", "--out", out).refused("peopleDevTrain.txt")
    (out / "anchor" / "mine.jpg").write_text("precious")
    recog("data", "triplets", "--root", root, "--out", out).refused("not made by recog")
    assert (out / "anchor" / "mine.jpg").read_text() == "precious"


def archive(path: Path, root: Path, *more: str) -> Path:
    """The pictures of a folder as a tar file, with empty members of these names."""
    with tarfile.open(path, "w:gz") as tar:
        tar.add(root / "lfw-deepfunneled", "lfw-deepfunneled")
        for name in more:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> None:
    """A complete LFW has as many pictures as `root`, and no protocol."""
    nowhere = lfw_archive.Source("lfw.tgz", 1, "md5:0", ())
    small = lfw_archive.Release(nowhere, (), images=45, people=15)
    monkeypatch.setattr(lfw_archive, "prepare", partial(lfw_archive.prepare, release=small))


def test_lfw_comes_from_an_archive_and_only_once(
    tmp_path: Path, root: Path, recog: Any, release: None
) -> None:
    packed, out = archive(tmp_path / "lfw.tgz", root), tmp_path / "data" / "lfw"
    ended = recog("data", "lfw", "--archive", packed, "--root", out)
    assert (ended.code, ended.err) == (0, "")
    assert "45 images of 15 people, complete" in ended.out
    assert "already complete" in recog("data", "lfw", "--archive", packed, "--root", out).out


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda t, root: t / "no.tgz", "not found"),
        (lambda t, root: root / "peopleDevTrain.txt", "not a tar file"),
        (lambda t, root: archive(t / "a.tgz", root, "../../evil.jpg"), "would leave the folder"),
        (lambda t, root: archive(t / "a.tgz", root, "More_People/More_People_0001.jpg"), "more than the 45"),
    ],
    ids=["missing", "a text", "hostile", "too many"],
)
def test_an_archive_that_is_not_lfw_is_one_line_and_leaves_nothing(
    tmp_path: Path, root: Path, recog: Any, release: None, make: Any, words: str
) -> None:
    out = tmp_path / "out" / "lfw"
    recog("data", "lfw", "--archive", make(tmp_path, root), "--root", out).refused(words)
    assert list(out.iterdir()) == []
    assert not (tmp_path / "evil.jpg").exists()


def test_a_protocol_folder_without_the_protocol_is_one_line(tmp_path: Path, recog: Any) -> None:
    recog("data", "lfw", "--protocol", tmp_path, "--root", tmp_path / "lfw").refused("should hold pairs.txt")
