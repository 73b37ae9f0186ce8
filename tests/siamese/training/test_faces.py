"""Assembling what is learned from."""

from __future__ import annotations

import numpy as np
import pytest

from siamese.crops import CropSet
from siamese.training.faces import Joined, assemble


def colours(crops: CropSet) -> np.ndarray:
    """What a teacher who sees nothing but colour says: (n, 3), rows of length one."""
    means = np.asarray(crops.images, np.float32).mean(axis=(1, 2)) + 1e-3
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
    assert (faces.images[np.array([2])] == RED).all()
    assert (faces.targets, left_out) == ([], 0)


def test_extra_faces_are_nobody_and_have_the_teachers_targets() -> None:
    lfw, extra = crop_set([("anna", BLUE), ("ben", GREEN)]), crop_set([("", RED), ("", BLUE)])
    faces, left_out = assemble(lfw, ["anna"], extra, [(colours(lfw), colours(extra))], (2.0,))
    assert faces.labels.tolist() == [0, -1, -1]
    assert [target.shape for target in faces.targets] == [(3, 3)]
    assert faces.targets[0][1] == pytest.approx([0, 0, 1], abs=1e-4)
    assert (left_out, faces.weights) == (0, (2.0,))


def test_extra_faces_that_resemble_somebody_held_out_are_left_out() -> None:
    lfw = crop_set([("anna", BLUE), ("ben", GREEN)])  # ben is held out
    extra = crop_set([("", RED), ("", GREEN), ("", BLUE)])
    faces, left_out = assemble(lfw, ["anna"], extra, [(colours(lfw), colours(extra))])
    assert left_out == 1
    assert [tuple(image[0, 0]) for image in faces.images[np.arange(3)]] == [BLUE, RED, BLUE]


def test_whom_extra_faces_resemble_is_what_the_teachers_find_together() -> None:
    lfw, extra = crop_set([("anna", BLUE), ("ben", GREEN)]), crop_set([("", RED), ("", GREEN)])
    blind = np.tile(np.array([[1, 0, 0]], np.float32), (2, 1))
    apart = (np.eye(3, dtype=np.float32)[[0, 1]], np.eye(3, dtype=np.float32)[[2, 2]])
    # 1 and 0 to ben: the green face is half alike, the red one as well once the other teacher says so.
    assert assemble(lfw, ["anna"], extra, [(colours(lfw), colours(extra)), apart])[1] == 1
    assert assemble(lfw, ["anna"], extra, [(colours(lfw), colours(extra)), (blind, blind)])[1] == 2


def test_when_nobody_is_held_out_no_face_is_left_out() -> None:
    lfw, extra = crop_set([("anna", BLUE)]), crop_set([("", BLUE)])
    assert assemble(lfw, ["anna"], extra, [(colours(lfw), colours(extra))])[1] == 0


def test_rows_of_several_sets_can_be_had_in_any_order() -> None:
    first, second = (
        np.arange(k, k + 5, dtype=np.uint8)[:, None, None, None] + np.zeros((5, 2, 2, 3), np.uint8)
        for k in (0, 10)
    )
    joined = Joined(((first, np.array([4, 1])), (second, np.array([0, 3, 2]))))
    assert len(joined) == 5
    assert joined[np.array([3, 0, 4, 2, 1, 0])][:, 0, 0, 0].tolist() == [13, 4, 12, 10, 1, 4]
    assert joined[np.array([], np.int64)].shape == (0, 2, 2, 3)
