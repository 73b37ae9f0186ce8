"""The key for programmers: what it exports, how it is opened, and what is loaded when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import api
from pipeline.api import ERRORS, Recog, Settings
from pipeline.errors import ConfigError


def test_the_surface_is_what_all_says_and_each_name_can_be_had() -> None:
    assert set(api.__all__) == {
        *("ERRORS", "Answer", "Candidate", "Comparison", "Enrolment", "Following", "Frame", "Guarantee"),
        *("Identified", "Identity", "Image", "Outcome", "Past", "Person", "Picture", "Portrait", "Portraits"),
        *(
            "Authentication",
            "Probe",
            "Prompt",
            "Recog",
            "Result",
            "Settings",
            "State",
            "TrackedFace",
            "Trust",
            "Verdict",
        ),
        *(
            "Calibrated",
            "Condition",
            "Explanation",
            "Finding",
            "Photograph",
            "Posting",
            "Reach",
            "Sighting",
            "Receipt",
            "TapeWriter",
            "Telling",
        ),
        *("cutout", "demo_film", "drawn", "explain_card", "explain_lines", "shown_source"),
    }
    assert all(getattr(api, name) is not None for name in api.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        api.Nobody  # noqa: B018


def test_every_public_method_says_what_it_does() -> None:
    for kind in (api.Recog, api.Following, api.Past, api.Portraits):
        public = [member for name, member in vars(kind).items() if not name.startswith("_")]
        assert public
        assert all(member.__doc__ for member in public if callable(member) or isinstance(member, property))


def test_all_three_packages_are_typed() -> None:
    root = Path(__file__).parents[3]
    assert all((root / package / "py.typed").is_file() for package in ("pipeline", "siamese", "gallery"))


def test_importing_it_loads_no_model_and_no_library_of_pictures() -> None:
    heavy = "{'cv2', 'faiss', 'onnxruntime', 'torch', 'scipy', 'av'}"
    code = f"import sys, pipeline.api; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_gallery_itself_can_be_had(recognition: Recog, world: Any, tmp_path: Path) -> None:
    recognition.enroll("Rosa", [world.picture(tmp_path / "rosa.png", world.RED)])
    with recognition.gallery() as gallery:
        gallery.rename("Rosa", "Rosalind")
    assert [person.name for person in recognition.people()] == ["Rosalind"]


@pytest.mark.parametrize("given", [{"det": {"size": 640}}, Settings.model_validate({"det": {"size": 640}})])
def test_settings_come_as_values_or_as_they_are(given: Any, embedder: Any, tmp_path: Path) -> None:
    assert Recog.open(tmp_path / "people.db", given).settings.det.size == 640


def test_settings_come_from_a_file(embedder: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("det.size = 640\n")
    assert Recog.open(tmp_path / "people.db", str(file)).settings.det.size == 640


def test_a_setting_that_does_not_exist_is_refused_with_the_one_that_does(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"did you mean det\.size"):
        Recog.open(tmp_path / "people.db", {"det": {"sise": 640}})


def test_a_damaged_gallery_is_refused_when_it_is_opened(embedder: Any, tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    path.write_bytes(b"no gallery at all" * 100)
    with pytest.raises(ERRORS, match=r"people\.db"):
        Recog.open(path)
