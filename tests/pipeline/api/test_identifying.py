"""Who is in a picture, and whether two show one person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gallery.errors import GalleryError
from pipeline import api
from pipeline.api import Recog, State


def test_who_is_enrolled_from_files_and_arrays_is_identified(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    file = world.picture(tmp_path / "rosa.png", world.RED)
    array = cv2.imread(str(world.picture(tmp_path / "gil.png", world.GREEN)))
    assert array is not None
    assert [person.name for person in recognition.people()] == []
    assert recognition.enroll("Rosa", [file]).usable
    assert recognition.enroll("Gil", [array]).usable
    assert [(person.name, person.templates) for person in recognition.people()] == [("Gil", 1), ("Rosa", 1)]

    faces = recognition.identify(world.picture(tmp_path / "both.png", world.GREEN, world.BLUE, world.RED))

    assert [face.name for face in faces] == ["Gil", None, "Rosa"]
    assert faces[1].state is State.UNKNOWN
    assert [face.name for face in recognition.identify(array)] == ["Gil"]


def test_with_nobody_enrolled_everybody_is_unknown(recognition: Recog, world: Any) -> None:
    (face,) = recognition.identify(world.face(world.empty(), world.RED, 60, 60, 80))
    assert (face.state, face.name, face.candidates) == (State.UNKNOWN, None, ())
    assert recognition.identify(world.empty()) == []


def test_a_gallery_that_is_spoilt_or_gone_between_two_questions_is_noticed(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    rosa = world.picture(tmp_path / "rosa.png", world.RED)
    recognition.enroll("Rosa", [rosa])
    assert [face.name for face in recognition.identify(rosa)] == ["Rosa"]
    with recognition.gallery() as gallery:
        gallery.back_up(tmp_path / "kept.db")
    recognition.path.unlink()
    assert [face.state for face in recognition.identify(rosa)] == [State.UNKNOWN]
    (tmp_path / "kept.db").replace(recognition.path)
    assert [face.name for face in recognition.identify(rosa)] == ["Rosa"]
    with recognition.gallery() as gallery:
        look = next(gallery.templates("Rosa"))
        gallery.migrate({look.id: np.ones(3, np.float32)}, "another model", 3)
    with pytest.raises(GalleryError, match="migrated to the model another model meanwhile"):
        recognition.identify(rosa)
    recognition.path.write_bytes(b"no gallery" * 1000)
    with pytest.raises(GalleryError, match="damaged"):
        recognition.identify(rosa)


def test_two_pictures_are_compared_and_one_with_a_person(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    rosa, gil = (
        world.picture(tmp_path / f"{i}.png", colour) for i, colour in enumerate((world.RED, world.GREEN))
    )
    recognition.enroll("Rosa", [rosa])
    assert recognition.verify(rosa, rosa).answer is api.Answer.SAME
    assert recognition.verify(rosa, gil).answer is api.Answer.DIFFERENT
    assert recognition.verify_person("Rosa", rosa).answer is api.Answer.SAME
    with pytest.raises(GalleryError, match="Gil"):
        recognition.verify_person("Gil", gil)
