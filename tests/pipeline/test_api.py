"""The key for programmers: what it exports, and that it does what the commands do."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gallery.errors import GalleryError
from pipeline import api, build
from pipeline.api import ERRORS, Recog, Settings, State, Verdict
from pipeline.authentication import place
from pipeline.authentication.policy import Verdict as Decided
from pipeline.errors import ConfigError, SourceError
from pipeline.sources import devices
from pipeline.sources.rehearsal import Rehearsal

RED, GREEN, BLUE = (40, 40, 220), (40, 200, 40), (220, 60, 40)


@pytest.fixture
def recognition(tmp_path: Path, detector: Any, embedder: Any) -> Recog:
    """With nobody enrolled, on fake models, which find squares and know them by their colour."""
    return Recog.open(tmp_path / "people.db")


def picture(world: Any, path: Path, *colours: tuple[int, int, int]) -> Path:
    return Path(world.picture(path, *colours))


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
    root = Path(__file__).parents[2]
    assert all((root / package / "py.typed").is_file() for package in ("pipeline", "siamese", "gallery"))


def test_importing_it_loads_no_model_and_no_library_of_pictures() -> None:
    heavy = "{'cv2', 'faiss', 'onnxruntime', 'torch', 'scipy', 'av'}"
    code = f"import sys, pipeline.api; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_who_is_enrolled_from_files_and_arrays_is_identified(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    file = picture(world, tmp_path / "rosa.png", RED)
    array = cv2.imread(str(picture(world, tmp_path / "gil.png", GREEN)))
    assert array is not None
    assert [person.name for person in recognition.people()] == []
    assert recognition.enroll("Rosa", [file]).usable
    assert recognition.enroll("Gil", [array]).usable
    assert [(person.name, person.templates) for person in recognition.people()] == [("Gil", 1), ("Rosa", 1)]

    faces = recognition.identify(picture(world, tmp_path / "both.png", GREEN, BLUE, RED))

    assert [face.name for face in faces] == ["Gil", None, "Rosa"]
    assert faces[1].state is State.UNKNOWN
    assert [face.name for face in recognition.identify(array)] == ["Gil"]


def test_a_photograph_in_memory_is_the_same_as_the_file(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    file = picture(world, tmp_path / "rosa.png", RED)
    photograph = api.Photograph(file.read_bytes(), "rosa.png")
    assert (
        recognition.enroll("Rosa", [photograph, api.Photograph(b"no", "x.jpg")]).count(Verdict.REJECTED) == 1
    )
    assert recognition.enroll("Rosa", [file]).count(Verdict.DUPLICATE) == 1
    (face,) = recognition.identify(photograph)
    assert face.name == "Rosa"
    assert [round(float(x) / 10) for x in face.probe.box] == [2, 6, 10, 14]
    with pytest.raises(SourceError, match=r"more than the 0\.01 million|pixels"):
        recognition.identify(api.Photograph(file.read_bytes(), "rosa.png", most_pixels=10_000))


def test_sources_and_questions_share_one_index_of_who_is_enrolled_and_helpers_only_help_between_sources(
    recognition: Recog, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gallery.matching import Matcher

    made = []
    init = Matcher.__init__
    monkeypatch.setattr(Matcher, "__init__", lambda self, *rest: (made.append(self), init(self, *rest))[1])
    rosa = picture(world, tmp_path / "rosa.png", RED)
    recognition.enroll("Rosa", [rosa])
    before = len(made)  # those of enrolling
    assert [face.name for face in recognition.identify(rosa)] == ["Rosa"]
    helpers = recognition._help()
    film = world.film(tmp_path / "film.mp4", RED, GREEN, count=10)
    with recognition.follow(film, delay=0) as first, recognition.follow(film, delay=0) as second:
        assert recognition._help() is None
        for frames in (first, second):
            assert any(face.identity.name == "Rosa" for result in frames for face in result.faces)
        assert [face.name for face in recognition.identify(rosa)] == ["Rosa"]
        assert len(made) == before + 1
        with recognition.gallery() as gallery:
            gallery.rename("Rosa", "Rose")
        assert [face.name for face in recognition.identify(rosa)] == ["Rose"]
    assert recognition._help() is helpers
    assert helpers is not None or build.threads(recognition.settings) < 2


def test_a_gallery_that_is_spoilt_or_gone_between_two_questions_is_noticed(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    rosa = picture(world, tmp_path / "rosa.png", RED)
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


def test_people_of_a_folder_are_enrolled_one_by_one(recognition: Recog, world: Any, tmp_path: Path) -> None:
    for name, colour in (("Gil", GREEN), ("Rosa", RED)):
        (tmp_path / "all" / name).mkdir(parents=True)
        picture(world, tmp_path / "all" / name / "1.png", colour)
    (tmp_path / "all" / "unknown").mkdir()
    told = [
        (each.name, each.usable, done, total)
        for each, done, total in recognition.enroll_people(tmp_path / "all")
    ]
    assert told == [("Gil", True, 1, 3), ("Rosa", True, 2, 3), ("unknown", False, 3, 3)]
    assert [each.kind for each in recognition.check()] == []


def test_what_is_set_aside_names_nobody_and_is_not_enrolled_twice(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    file = picture(world, tmp_path / "rosa.png", RED)
    recognition.enroll("Rosa", [file])
    with recognition.gallery() as gallery:
        gallery.set_aside("Rosa", gallery.photos("Rosa"))

    assert recognition.identify(file)[0].name is None
    with pytest.raises(GalleryError, match="all photos of Rosa are set aside"):
        recognition.verify_person("Rosa", file)
    (outcome,) = recognition.enroll("Rosa", [file]).outcomes
    assert (outcome.verdict, outcome.reason) == (Verdict.DUPLICATE, "already enrolled, but set aside")


def test_the_same_array_is_stored_once_and_another_one_as_well(recognition: Recog, world: Any) -> None:
    first = world.face(world.empty(), RED, 60, 60, 80)
    second = world.face(world.empty(), RED, 80, 40, 100)
    assert recognition.enroll("Rosa", [first]).count(Verdict.ACCEPTED) == 1
    again = recognition.enroll("Rosa", [first.copy()])
    assert (again.count(Verdict.DUPLICATE), again.outcomes[0].origin) == (1, "array 1")
    assert recognition.people()[0].templates == 1
    assert recognition.enroll("Rosa", [second]).outcomes[0].verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE)


def test_a_dry_run_makes_no_gallery(recognition: Recog, world: Any) -> None:
    said = recognition.enroll("Rosa", [world.face(world.empty(), RED, 60, 60, 80)], dry_run=True)
    assert said.count(Verdict.ACCEPTED) == 1
    assert not recognition.path.exists()


def test_a_picture_that_cannot_be_read_is_an_outcome_when_enrolling_and_an_error_otherwise(
    recognition: Recog, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.jpg"
    outcome = recognition.enroll("Rosa", [missing]).outcomes[0]
    assert outcome.verdict is Verdict.REJECTED
    assert "unreadable" in outcome.reason
    with pytest.raises(SourceError, match=r"missing\.jpg"):
        recognition.identify(missing)


def test_with_nobody_enrolled_everybody_is_unknown(recognition: Recog, world: Any) -> None:
    (face,) = recognition.identify(world.face(world.empty(), RED, 60, 60, 80))
    assert (face.state, face.name, face.candidates) == (State.UNKNOWN, None, ())
    assert recognition.identify(world.empty()) == []


def test_it_says_why_nobody_can_be_named(recognition: Recog, world: Any, tmp_path: Path) -> None:
    assert recognition.hindrance() == "nobody is enrolled, so everybody is unknown"
    recognition.enroll("Rosa", [picture(world, tmp_path / "rosa.png", RED)])
    assert (recognition.hindrance(), recognition.guarantee()) == (None, None)
    strict = Recog.open(recognition.path, {"evidence": {"target_fpir": 0.0001}})
    assert "recog calibrate" in str(strict.hindrance())


def test_two_pictures_are_compared_and_one_with_a_person(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    rosa, gil = (picture(world, tmp_path / f"{i}.png", colour) for i, colour in enumerate((RED, GREEN)))
    recognition.enroll("Rosa", [rosa])
    assert recognition.verify(rosa, rosa).answer is api.Answer.SAME
    assert recognition.verify(rosa, gil).answer is api.Answer.DIFFERENT
    assert recognition.verify_person("Rosa", rosa).answer is api.Answer.SAME
    with pytest.raises(GalleryError, match="Gil"):
        recognition.verify_person("Gil", gil)


def test_a_film_is_followed_with_names_and_pictures(recognition: Recog, world: Any, tmp_path: Path) -> None:
    recognition.enroll("Rosa", [picture(world, tmp_path / "rosa.png", RED)])
    film = world.film(tmp_path / "film.mp4", RED, GREEN)
    with recognition.follow(film, draw=True) as frames:
        assert not frames.live
        results = []
        for result in frames:
            results.append(result)
            assert frames.picture is not None
            assert frames.picture.shape == result.frame.image.shape
    assert [result.frame.index for result in results] == list(range(40))
    named = {face.identity.name for result in results for face in result.faces if face.identity.name}
    states = {face.identity.state for face in results[-1].faces}
    assert named == {"Rosa"}
    assert states == {State.NAMED, State.UNKNOWN}
    assert (frames.complaint, frames.dropped) == (None, 0)


def test_leaving_the_loop_ends_every_thread(recognition: Recog, world: Any, tmp_path: Path) -> None:
    film = world.film(tmp_path / "film.mp4", RED, count=200)
    before = threading.active_count()
    with recognition.follow(film) as frames:
        next(frames)
    assert threading.active_count() == before
    assert list(frames) == []


def test_a_film_that_nobody_asked_a_result_of_is_let_go(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    recognition.enroll("Rosa", [picture(world, tmp_path / "rosa.png", RED)])
    before = threading.active_count()
    frames = recognition.follow(world.film(tmp_path / "film.mp4", RED))
    frames.close()
    assert threading.active_count() == before
    assert list(frames) == []


def test_a_stop_from_another_thread_ends_the_film_early(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    film = world.film(tmp_path / "film.mp4", RED, count=400)
    with recognition.follow(film, delay=0) as frames:
        seen = [next(frames)]
        threading.Thread(target=frames.stop).start()
        seen += list(frames)
    assert 0 < len(seen) < 400


def test_who_is_enrolled_while_a_film_is_followed_is_known_in_the_next(
    recognition: Recog, world: Any, tmp_path: Path
) -> None:
    film = world.film(tmp_path / "film.mp4", RED)
    for result in recognition.follow(film):
        assert all(face.identity.name is None for face in result.faces)
    recognition.enroll("Rosa", [picture(world, tmp_path / "rosa.png", RED)])
    last = list(recognition.follow(film))[-1]
    assert [face.identity.name for face in last.faces] == ["Rosa"]


def test_a_gallery_that_does_not_exist_yet_is_not_replaced_by_the_users_own(
    recognition: Recog, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Recog.open() as own:
        own.enroll("Rosa", [picture(world, tmp_path / "rosa.png", RED)])
    film = world.film(tmp_path / "film.mp4", RED, count=20)
    last = list(recognition.follow(film))[-1]
    assert [face.identity.name for face in last.faces] == [None]
    assert not recognition.path.exists()


def test_a_gallery_that_goes_while_a_film_is_followed_is_logged(
    recognition: Recog,
    world: Any,
    detector: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("gallery.followed.PAUSE", 0.01)
    recognition.enroll("Rosa", [picture(world, tmp_path / "rosa.png", RED)])
    detector.before = lambda frame: time.sleep(0.01)
    for result in recognition.follow(world.film(tmp_path / "film.mp4", RED, count=60), delay=0):
        if result.frame.index == 10:
            recognition.path.unlink()
    assert result.faces[0].identity.state is State.UNKNOWN
    assert sum("is gone, so nobody is enrolled" in each for each in caplog.messages) == 1


def test_the_gallery_itself_can_be_had(recognition: Recog, world: Any, tmp_path: Path) -> None:
    recognition.enroll("Rosa", [picture(world, tmp_path / "rosa.png", RED)])
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


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), [[1]]])
def test_what_is_no_picture_is_the_callers_bug(recognition: Recog, wrong: Any) -> None:
    with pytest.raises(ValueError, match="uint8 in BGR order"):
        recognition.identify(wrong)
    with pytest.raises(ValueError, match="uint8 in BGR order"):
        recognition.enroll("Rosa", [wrong])


def test_after_closing_it_is_no_longer_used(recognition: Recog, world: Any) -> None:
    with recognition:
        recognition.identify(world.empty())
    with pytest.raises(ValueError, match="closed"):
        recognition.identify(world.empty())


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: Any) -> list[str]:
    """Camera 0, a device on a bus before a red face, at this machine; and what of it was opened."""
    film = world.film(tmp_path / "camera.avi", world.RED, count=60)
    found, asked = devices.Device("Webcam", True, "on a bus"), list[str]()

    def opened(spec: str, **_: Any) -> Rehearsal:
        asked.append(spec)
        return Rehearsal(film, 200, rate=30.0)

    monkeypatch.setattr(devices, "device", lambda spec: found)
    monkeypatch.setattr("pipeline.sources.open.open_source", opened)
    monkeypatch.setattr(place, "remote", lambda: None)
    return asked


def test_a_face_that_answers_nothing_is_not_let_in_and_the_try_counts(
    recognition: Recog, world: Any, tmp_path: Path, camera: list[str]
) -> None:
    recognition.enroll("alice", [world.picture(tmp_path / "alice.png", world.RED)])
    told: list[api.Prompt] = []

    def show(frame: api.Frame, prompt: api.Prompt) -> bool:
        told.append(prompt)
        return True

    found = recognition.authenticate("alice", intended=lambda frames: bool(next(frames)), show=show)
    assert (found.accepted, found.verdict.accepted, found.charged) == (False, False, True)
    assert told[-1].words == "thank you"
    assert (told[0].done, told[0].of) == (0, 3)


def test_the_camera_stays_off_while_nobody_has_asked_for_it(
    recognition: Recog, world: Any, tmp_path: Path, camera: list[str]
) -> None:
    recognition.enroll("alice", [world.picture(tmp_path / "alice.png", world.RED)])
    with pytest.raises(SourceError, match="nobody asked for it"):
        recognition.authenticate("alice", intended=False)
    with pytest.raises(GalleryError, match="bob"):
        recognition.authenticate("bob", intended=True)
    assert camera == []


def test_a_rehearsal_accepts_nobody_even_where_a_camera_would(
    recognition: Recog, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognition.enroll("alice", [world.picture(tmp_path / "alice.png", world.RED)])
    monkeypatch.setattr("pipeline.authentication.session.decide", lambda findings: Decided(True, "fine"))
    film = world.film(tmp_path / "film.avi", world.RED, count=8)
    found = recognition.authenticate("alice", str(film), intended=True, rehearsal=True)
    assert (found.verdict.accepted, found.accepted, found.as_dict()["accepted"]) == (True, False, False)
    assert not (tmp_path / "people.db.tries").exists()
