"""The embedding itself as a target."""

from __future__ import annotations

import numpy as np
import pytest

from siamese.training.faces import Faces
from siamese.training.target import direct, principal
from siamese.training.teacher import unit


def test_similarities_of_a_teacher_of_few_dimensions_are_kept() -> None:
    random = np.random.default_rng(0)
    hidden = random.normal(size=(200, 12)).astype(np.float32)
    teacher = unit(hidden @ random.normal(size=(12, 64)).astype(np.float32))
    faces = Faces(np.zeros((200, 112, 112, 3), np.uint8), np.zeros(200, np.int64), [teacher])
    (target,) = direct(faces, 12).targets
    assert target.shape == (200, 12)
    np.testing.assert_allclose(target @ target.T, teacher @ teacher.T, atol=1e-4)


def test_a_teacher_counts_as_much_as_it_weighs() -> None:
    random = np.random.default_rng(0)
    teachers = [unit(random.normal(size=(50, 8)).astype(np.float32)) for _ in range(2)]
    faces = Faces(np.zeros((50, 112, 112, 3), np.uint8), np.zeros(50, np.int64), teachers, (3.0, 1.0))
    (target,) = direct(faces, 16).targets
    wanted = 0.75 * teachers[0] @ teachers[0].T + 0.25 * teachers[1] @ teachers[1].T
    np.testing.assert_allclose(target @ target.T, wanted, atol=1e-4)


def test_no_coordinate_holds_much_more_than_the_others() -> None:
    random = np.random.default_rng(0)
    vectors = unit((random.normal(size=(500, 32)) * np.linspace(5, 0.1, 32)).astype(np.float32))
    spread = (vectors @ principal(vectors, 16)).std(axis=0)
    assert spread.max() / spread.min() < 4
    assert vectors.std(axis=0).max() / vectors.std(axis=0).min() > 20


def test_more_coordinates_than_the_teachers_have_are_refused() -> None:
    with pytest.raises(ValueError, match="40 coordinates of 32"):
        principal(np.ones((3, 32), np.float32), 40)
