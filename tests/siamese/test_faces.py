"""Assembling what is learned from."""

from __future__ import annotations

import numpy as np
import pytest

from siamese.crops import CropSet
from siamese.faces import assemble


class ColourTeacher:
    """Embeds a crop by its mean colour, as a vector of length one."""

    def embed(self, images: np.ndarray) -> np.ndarray:
        means = images.astype(np.float32).mean(axis=(1, 2)) + 1e-3
        return means / np.linalg.norm(means, axis=1, keepdims=True)


BLUE, GREEN, RED = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def crop_set(faces: list[tuple[str, tuple[int, int, int]]]) -> CropSet:
    images = np.stack([np.full((112, 112, 3), colour, np.uint8) for _, colour in faces])
    files = tuple(f"{person or 'x'}/{row}.jpg" for row, (person, _) in enumerate(faces))
    return CropSet(images, files, tuple(p for p, _ in faces), np.ones(len(faces), np.bool_), "test")


def test_only_people_to_fit_are_learned_from() -> None:
    lfw = crop_set([("anna", BLUE), ("anna", BLUE), ("ben", GREEN), ("cora", RED)])
    faces, left_out = assemble(lfw, ["anna", "cora"], None, [])
    assert faces.labels.tolist() == [0, 0, 1]
    assert (faces.images[2] == RED).all()
    assert (faces.targets, left_out) == ([], 0)


def test_extra_faces_are_nobody_and_have_the_teachers_targets() -> None:
    lfw = crop_set([("anna", BLUE), ("ben", GREEN)])
    faces, left_out = assemble(lfw, ["anna"], crop_set([("", RED), ("", BLUE)]), [ColourTeacher()])  # type: ignore[list-item]
    assert faces.labels.tolist() == [0, -1, -1]
    assert [target.shape for target in faces.targets] == [(3, 3)]
    assert faces.targets[0][1] == pytest.approx([0, 0, 1], abs=1e-4)
    assert left_out == 0


def test_extra_faces_that_resemble_somebody_held_out_are_left_out() -> None:
    lfw = crop_set([("anna", BLUE), ("ben", GREEN)])  # ben is held out
    extra = crop_set([("", RED), ("", GREEN), ("", BLUE)])
    faces, left_out = assemble(lfw, ["anna"], extra, [ColourTeacher()])  # type: ignore[list-item]
    assert left_out == 1
    assert [tuple(image[0, 0]) for image in faces.images] == [BLUE, RED, BLUE]
