"""Assembling what is learned from."""

from __future__ import annotations

import numpy as np
import pytest

from siamese.crops import CropSet
from siamese.training.faces import Joined, Taught, assemble


def colours(crops: CropSet) -> np.ndarray:
    """What a teacher who sees nothing but colour says: (n, 3), rows of length one."""
    means = np.asarray(crops.images, np.float32).mean(axis=(1, 2)) + 1e-3
    return means / np.linalg.norm(means, axis=1, keepdims=True)


BLUE, GREEN, RED = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def crop_set(faces: list[tuple[str, tuple[int, int, int]]]) -> CropSet:
    images = np.stack([np.full((112, 112, 3), colour, np.uint8) for _, colour in faces])
    files = tuple(f"{person or 'x'}/{row}.jpg" for row, (person, _) in enumerate(faces))
    return CropSet(images, files, tuple(p for p, _ in faces), np.ones(len(faces), np.bool_), "test")


def taught(faces: list[tuple[str, tuple[int, int, int]]]) -> Taught:
    made = crop_set(faces)
    return Taught(made, (colours(made),))


def test_only_people_to_fit_are_learned_from() -> None:
    lfw = crop_set([("anna", BLUE), ("anna", BLUE), ("ben", GREEN), ("cora", RED)])
    faces, counts = assemble(Taught(lfw), ["anna", "cora"])
    assert faces.labels.tolist() == [0, 0, 1]
    assert (faces.images[np.array([2])] == RED).all()
    assert (faces.targets, counts.learned, counts.resembling) == ([], 0, 0)


def test_extra_faces_without_names_are_nobody_and_have_the_teachers_targets() -> None:
    lfw, extra = taught([("anna", BLUE), ("ben", GREEN)]), taught([("", RED), ("", BLUE)])
    faces, counts = assemble(lfw, ["anna"], [extra], weights=(2.0,))
    assert faces.labels.tolist() == [0, -1, -1]
    assert [target.shape for target in faces.targets] == [(3, 3)]
    assert faces.targets[0][1] == pytest.approx([0, 0, 1], abs=1e-4)
    assert (counts.learned, counts.named, counts.resembling, faces.weights) == (2, 0, 0, (2.0,))


def test_people_of_several_sets_have_numbers_of_their_own_and_names_of_lfw_are_its_people() -> None:
    yellow, violet, grey = (0, 255, 255), (255, 0, 255), (90, 100, 90)
    # Vectors at right angles, whatever the colours: nobody resembles anybody.
    lfw = Taught(crop_set([("anna", BLUE), ("ben", GREEN)]), (np.eye(6, dtype=np.float32)[[0, 1]],))
    one = Taught(
        crop_set([("zoe", RED), ("zoe", RED), ("anna", BLUE)]), (np.eye(6, dtype=np.float32)[[2, 2, 0]],)
    )
    two = Taught(
        crop_set([("", grey), ("max", yellow), ("zoe", violet)]), (np.eye(6, dtype=np.float32)[[3, 4, 2]],)
    )
    faces, counts = assemble(lfw, ["anna"], [one, two])
    assert faces.labels.tolist() == [0, 1, 1, 0, -1, 2, 1]
    assert (counts.learned, counts.named, counts.doubtful) == (6, 5, 0)
    assert (faces.images[np.array([5])] == yellow).all()


def test_a_name_of_somebody_of_lfw_who_is_held_out_is_not_learned_from_however_they_look() -> None:
    lfw, extra = taught([("anna", BLUE), ("ben", GREEN)]), taught([("ben", RED), ("", RED)])
    faces, counts = assemble(lfw, ["anna"], [extra])
    assert (faces.labels.tolist(), counts.resembling) == ([0, -1], 1)


def test_who_resembles_a_person_of_another_set_keeps_their_faces_and_loses_their_name() -> None:
    lfw, extra = (
        taught([("anna", BLUE), ("ben", GREEN)]),
        taught([("mona", BLUE), ("mona", BLUE), ("rosa", RED)]),
    )
    faces, counts = assemble(lfw, ["anna"], [extra])
    assert faces.labels.tolist() == [0, -1, -1, 1]
    assert (counts.learned, counts.named, counts.doubtful) == (3, 1, 1)
    # Within a set the names say that they are two.
    faces, _ = assemble(lfw, ["anna"], [taught([("rosa", RED), ("ruth", RED)])])
    assert faces.labels.tolist() == [0, 1, 2]


def test_extra_faces_that_resemble_somebody_held_out_are_left_out() -> None:
    lfw = taught([("anna", BLUE), ("ben", GREEN)])  # ben is held out
    extra = taught([("", RED), ("", GREEN), ("", BLUE)])
    faces, counts = assemble(lfw, ["anna"], [extra])
    assert counts.resembling == 1
    assert [tuple(image[0, 0]) for image in faces.images[np.arange(3)]] == [BLUE, RED, BLUE]


def test_a_person_who_resembles_somebody_held_out_in_a_quarter_of_the_pictures_is_left_out_whole() -> None:
    lfw = taught([("anna", BLUE), ("ben", GREEN)])
    often = [("mia", GREEN), ("mia", RED), ("mia", RED), ("mia", RED)]
    assert assemble(lfw, ["anna"], [taught(often)])[1].resembling == 4
    seldom = [*often, ("mia", RED)]
    assert assemble(lfw, ["anna"], [taught(seldom)])[1].resembling == 1


def test_faces_that_resemble_people_set_aside_are_left_out_strangers_less_strictly() -> None:
    def towards(*cosines: float) -> np.ndarray:
        return np.array([(c, (1 - c * c) ** 0.5, 0) for c in cosines], np.float32)

    lfw = Taught(crop_set([("anna", BLUE)]), (np.array([[0, 0, 1]], np.float32),))
    extra = Taught(crop_set([("", RED)] * 4), (towards(0.44, 0.46, 0.54, 0.56),))
    aside = np.array([[1, 0, 0]], np.float32)
    named, stranger = (Taught(crop_set([(name, GREEN)]), (aside,)) for name in ("wim", ""))
    assert assemble(lfw, ["anna"], [extra], [named])[1].resembling == 3
    assert assemble(lfw, ["anna"], [extra], [stranger])[1].resembling == 1


def test_whom_extra_faces_resemble_is_what_the_teachers_find_together() -> None:
    lfw, extra = crop_set([("anna", BLUE), ("ben", GREEN)]), crop_set([("", RED), ("", GREEN)])
    blind = np.tile(np.array([[1, 0, 0]], np.float32), (2, 1))
    apart = (np.eye(3, dtype=np.float32)[[0, 1]], np.eye(3, dtype=np.float32)[[2, 2]])
    # 1 and 0 to ben: the green face is half alike, the red one as well once the other teacher says so.
    for other, expected in ((apart, 1), ((blind, blind), 2)):
        sides = Taught(lfw, (colours(lfw), other[0])), Taught(extra, (colours(extra), other[1]))
        assert assemble(sides[0], ["anna"], [sides[1]])[1].resembling == expected


def test_when_nobody_is_held_out_no_face_is_left_out() -> None:
    assert assemble(taught([("anna", BLUE)]), ["anna"], [taught([("", BLUE)])])[1].resembling == 0


def test_rows_of_several_sets_can_be_had_in_any_order() -> None:
    first, second = (
        np.arange(k, k + 5, dtype=np.uint8)[:, None, None, None] + np.zeros((5, 2, 2, 3), np.uint8)
        for k in (0, 10)
    )
    joined = Joined(((first, np.array([4, 1])), (second, np.array([0, 3, 2]))))
    assert len(joined) == 5
    assert joined[np.array([3, 0, 4, 2, 1, 0])][:, 0, 0, 0].tolist() == [13, 4, 12, 10, 1, 4]
    assert joined[np.array([], np.int64)].shape == (0, 2, 2, 3)
