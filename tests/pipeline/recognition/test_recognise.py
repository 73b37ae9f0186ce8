"""What a recogniser remembers belongs to it alone, and what cannot be judged is not embedded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gallery.types import Matches
from pipeline.build import fingerprint
from pipeline.config import DetectSettings, QualitySettings, Settings
from pipeline.recognition.recognise import Recogniser
from pipeline.recognition.suited import for_stills
from pipeline.tracking.shots import marked
from pipeline.types import Frame, Image, Result, State

SETTINGS = Settings(det=DetectSettings(every=1), quality=QualitySettings(min_face=28, min_sharpness=12))


class FakePeople:
    """A gallery in memory, in which `names` maps colours to people."""

    def __init__(self, embedder: Any, **names: tuple[int, int, int]) -> None:
        self.embedder, self.changed = embedder, False
        self.names = names

    @property
    def people_count(self) -> int:
        return len(self.names)

    def knows(self, name: str) -> bool:
        return name in self.names

    def search(self, embeddings: Any, people: int = 5, pooled: bool = False) -> Matches:
        crops = np.array([np.full((112, 112, 3), colour) for colour in self.names.values()], np.uint8)
        enrolled = self.embedder.embed(crops)
        distances = np.abs(embeddings[:, None] - enrolled[None]).sum(axis=2)
        order = np.argsort(distances, axis=1)
        names = tuple(tuple([*self.names][i] for i in row) for row in order)
        nearest = np.take_along_axis(distances, order, 1).astype(np.float32)
        return Matches(names, nearest, len(enrolled), len(enrolled))

    def refresh(self) -> bool:
        changed, self.changed = self.changed, False
        return changed

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.embedder)

    def note(self, key: str) -> Any:
        return None

    def person_notes(self, key: str) -> dict[str, Any]:
        return {}

    def changed_since(self, template: int) -> int:
        return 0


def frame(image: Image, index: int, fps: float = 20.0) -> Frame:
    return Frame(image, index, index / fps, "film")


def names(result: Result) -> list[str | None]:
    return [face.identity.name for face in result.faces]


def test_two_recognisers_share_neither_tracks_nor_evidence(world: Any, detector: Any, embedder: Any) -> None:
    people = FakePeople(embedder, Rosa=world.RED)
    first, second = (Recogniser(detector, embedder, people, SETTINGS) for _ in range(2))
    films = zip(world.frames(20, world.RED), world.frames(20, world.GREEN), strict=True)
    for index, (red, green) in enumerate(films):
        one, other = first(frame(red, index)), second(frame(green, index))
    assert (names(one), names(other)) == (["Rosa"], [None])
    assert other.faces[0].identity.state is State.UNKNOWN
    assert [face.track for face in (*one.faces, *other.faces)] == [0, 0]


@pytest.mark.parametrize(("side", "sharp"), [(20, True), (64, False)], ids=["too small", "blurred"])
def test_a_face_that_cannot_be_judged_is_followed_but_not_embedded(
    world: Any, detector: Any, embedder: Any, side: int, sharp: bool
) -> None:
    recogniser = Recogniser(detector, embedder, FakePeople(embedder, Rosa=world.RED), SETTINGS)
    embedder.embedded = 0
    for index in range(20):
        result = recogniser(frame(world.face(world.empty(), world.RED, 20, 20, side, sharp), index))
    (face,) = result.faces
    assert (face.track, face.identity.state, face.identity.looks) == (0, State.UNDECIDED, 0)
    assert embedder.embedded == 0


def test_a_usable_look_counts_beside_one_that_is_not(world: Any, detector: Any, embedder: Any) -> None:
    recogniser = Recogniser(detector, embedder, FakePeople(embedder, Rosa=world.RED), SETTINGS)
    for index in range(20):
        image = world.face(world.empty(), world.RED, 20, 20, sharp=False)
        result = recogniser(frame(world.face(image, world.RED, 150, 20), index))
    verdicts = {int(face.box[0]): face.identity.name for face in result.faces}
    assert verdicts == {20: None, 150: "Rosa"}


def test_once_decided_a_track_is_looked_at_seldom(world: Any, detector: Any, embedder: Any) -> None:
    recogniser = Recogniser(detector, embedder, FakePeople(embedder, Rosa=world.RED), SETTINGS)
    looks = []
    for index, image in enumerate(world.frames(60, world.RED)):
        (face,) = recogniser(frame(image, index)).faces
        looks.append(face.identity.looks)
    assert looks[10] >= 3  # within half a second
    assert looks[-1] - looks[10] <= 3  # in two and a half more


def test_a_changed_gallery_is_noticed_and_everybody_is_judged_anew(
    world: Any, detector: Any, embedder: Any
) -> None:
    people = FakePeople(embedder, Rosa=world.RED)
    recogniser = Recogniser(detector, embedder, people, SETTINGS)
    verdicts = []
    for index, image in enumerate(world.frames(90, world.RED, world.GREEN)):
        if index == 30:
            people.names, people.changed = {"Greta": world.GREEN}, True
        if index == 60:
            people.names, people.changed = {}, True
        verdicts.append(names(recogniser(frame(image, index))))
    assert verdicts[29] == ["Rosa", None]
    assert verdicts[30] == [None, "Greta"], "what was kept of her is enough"
    assert verdicts[45] == [None, "Greta"]
    assert verdicts[60] == [None, None]
    assert recogniser.enrolled == 0


def test_nobody_loses_a_name_to_the_enrolment_of_others(world: Any, detector: Any, embedder: Any) -> None:
    people = FakePeople(embedder, Rosa=world.RED)
    recogniser = Recogniser(detector, embedder, people, SETTINGS)
    verdicts, looks = [], []
    for index, image in enumerate(world.frames(60, world.RED)):
        if index >= 20:  # a commit before every frame
            people.names, people.changed = people.names | {f"Greta {index}": world.GREEN}, True
        (face,) = recogniser(frame(image, index)).faces
        verdicts.append(face.identity.name)
        looks.append(face.identity.looks)
    assert set(verdicts[20:]) == {"Rosa"}
    assert looks == sorted(looks)
    assert looks[-1] - looks[20] <= 3, "and nobody is looked at more often for it"


def test_somebody_seen_while_nobody_was_enrolled_is_looked_at_afresh(
    world: Any, detector: Any, embedder: Any
) -> None:
    people = FakePeople(embedder)
    recogniser = Recogniser(detector, embedder, people, SETTINGS)
    verdicts = []
    for index, image in enumerate(world.frames(90, world.RED)):
        if index == 30:
            assert embedder.embedded == 0
            people.names, people.changed = {"Rosa": world.RED}, True
        if index == 60:
            people.names, people.changed = {}, True
        if index == 75:
            people.names, people.changed = {"Rosa": world.RED}, True
        (face,) = recogniser(frame(image, index)).faces
        verdicts.append((face.identity.state, face.identity.name))
    assert verdicts[29] == (State.UNKNOWN, None)
    assert verdicts[30] == (State.UNDECIDED, None)
    assert verdicts[59] == (State.NAMED, "Rosa")
    assert verdicts[74] == (State.UNKNOWN, None)
    assert verdicts[75] == (State.NAMED, "Rosa"), "her looks were kept while nobody was enrolled"


def test_one_name_is_never_on_two_faces_of_a_frame(world: Any, detector: Any, embedder: Any) -> None:
    recogniser = Recogniser(detector, embedder, FakePeople(embedder, Rosa=world.RED), SETTINGS)
    frames = world.frames(40, world.RED, world.RED)
    named = [names(recogniser(frame(image, index))).count("Rosa") for index, image in enumerate(frames)]
    assert max(named) == 1
    assert named[-1] == 1, "nobody is named, so that no name could be on two faces"


def test_a_name_does_not_survive_a_camera_cut(world: Any, detector: Any, embedder: Any) -> None:
    recogniser = Recogniser(detector, embedder, FakePeople(embedder, Rosa=world.RED), SETTINGS)
    films = list(world.frames(21, world.RED))
    for index, image in enumerate(films[:20]):
        before = recogniser(frame(image, index))
    after = recogniser.identify(replace(recogniser.detect(frame(films[20], 20)), cut=True))
    assert (names(before), names(after)) == (["Rosa"], [None])
    assert [face.track for face in after.faces] == [-1]


def test_no_faces_is_a_result_like_any_other(world: Any, detector: Any, embedder: Any) -> None:
    recogniser = Recogniser(detector, embedder, FakePeople(embedder), SETTINGS)
    result = recogniser(frame(world.empty(), 0))
    assert result.faces == ()
    assert set(result.seconds) == {"detect", "track", "look", "decide"}


def test_pictures_need_one_sighting_and_one_look(world: Any, detector: Any, embedder: Any) -> None:
    people = FakePeople(embedder, Rosa=world.RED)
    image = world.face(world.empty(), world.RED, 20, 20)
    assert names(Recogniser(detector, embedder, people, for_stills(SETTINGS))(frame(image, 0))) == ["Rosa"]
    assert names(Recogniser(detector, embedder, people, SETTINGS)(frame(image, 0))) == [None]


def test_the_fingerprint_tells_models_apart(embedder: Any) -> None:
    before = fingerprint(embedder)
    embedder.digest = "2" * 64
    assert fingerprint(embedder) != before


def slide(world: Any, colour: Any, side: int = 64, sharp: bool = True) -> Image:
    return world.face(world.empty(), colour, 100, 60, side, sharp)


@pytest.mark.parametrize("fps", [1.0, 2.0])
def test_in_a_slide_show_without_a_cut_everybody_is_told_and_nobody_by_anothers_name(
    world: Any, detector: Any, embedder: Any, fps: float
) -> None:
    recogniser = Recogniser(detector, embedder, FakePeople(embedder, Rosa=world.RED), SETTINGS)
    shown = [world.RED, world.GREEN, world.RED, world.RED, world.GREEN]
    slides = (frame(slide(world, colour), index, fps) for index, colour in enumerate(shown))
    results = [recogniser(each) for each in marked(slides, SETTINGS.track.patience)]
    assert not any(result.cut for result in results)
    assert [names(result) for result in results] == [["Rosa"], [None], ["Rosa"], ["Rosa"], [None]]
    assert [result.faces[0].track for result in results] == [0, 1, 2, 2, 3]
    assert results[1].faces[0].identity.state is State.UNKNOWN


def test_a_slide_whose_face_cannot_be_judged_inherits_no_name_and_hands_none_on(
    world: Any, detector: Any, embedder: Any
) -> None:
    people = FakePeople(embedder, Rosa=world.RED, Greta=world.GREEN)
    recogniser = Recogniser(detector, embedder, people, SETTINGS)
    blurred = slide(world, world.BLUE, sharp=False)
    shown = [slide(world, world.RED), blurred, slide(world, world.GREEN)]
    results = [recogniser(replace(frame(each, i, 1.0), brief=True)) for i, each in enumerate(shown)]
    assert [names(result) for result in results] == [["Rosa"], [None], ["Greta"]]
    assert len({result.faces[0].track for result in results}) == 3


def test_in_a_film_the_next_portrait_in_the_same_place_is_another_track_from_its_first_frame_on(
    world: Any, detector: Any, embedder: Any
) -> None:
    settings = SETTINGS.model_copy(update={"det": DetectSettings(every=5)})
    recogniser = Recogniser(detector, embedder, FakePeople(embedder, Rosa=world.RED), settings)
    for index in range(33):
        rosa = recogniser(frame(slide(world, world.RED, 120), index))
    assert names(rosa) == ["Rosa"]
    result = recogniser(frame(slide(world, world.GREEN, 120), 33))  # no frame that is looked at by itself
    assert (names(result), result.cut) == ([None], False)
    assert result.faces[0].track != rosa.faces[0].track


def test_a_face_that_turns_into_another_without_a_jump_is_another_after_two_looks(
    world: Any, detector: Any, embedder: Any
) -> None:
    recogniser = Recogniser(detector, embedder, FakePeople(embedder, Rosa=world.RED), SETTINGS)
    tracks, verdicts = [], []
    for index in range(90):
        image = world.face(world.empty(), world.RED if index < 40 else world.GREEN, 20 + index, 60)
        image[:, 200:] = 80 + abs(index * 9 % 60 - 30)  # something else that moves all the time
        result = recogniser(frame(image, index))
        face = min(result.faces, key=lambda each: abs(float(each.box[0]) - 20 - index))
        tracks.append(face.track)
        verdicts.append(face.identity.name)
    assert verdicts[39] == "Rosa"
    assert len({each for each in tracks if each >= 0}) == 2
    assert verdicts[-1] is None
