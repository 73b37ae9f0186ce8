"""A tape asked again: what somebody says of its faces changes what is decided of it, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from gallery import GalleryError
from pipeline.api import Past, Portrait, Portraits, Recog, State
from pipeline.errors import SourceError
from pipeline.recognition.past import by_run
from pipeline.tapes.tape import Tape

RED, GREEN, BLUE = (40, 40, 220), (40, 200, 40), (220, 60, 40)


class Seen(NamedTuple):
    """A film of a red and a green face, Rosa being enrolled with the red one."""

    recog: Recog
    past: Past
    tape: Path
    run: str
    red: int  # tracks
    green: int
    portraits: Portraits


@pytest.fixture
def seen(tmp_path: Path, world: Any, recog: Any, detector: Any, embedder: Any) -> Seen:
    tape, people = tmp_path / "t.tape", tmp_path / "people.db"
    film = world.film(tmp_path / "film.avi", RED, GREEN)
    opened = Recog.open(people)
    opened.enroll("Rosa", [world.picture(tmp_path / "rosa.png", RED)])
    assert recog("run", "--source", film, "--gallery", people, "--tape", tape, "--no-show").code == 0
    portraits, tracks = opened.portraits(), {}
    with opened.follow(film, draw=True) as frames:
        for result in frames:
            portraits.take(result)
            for face in result.faces:
                if face.track >= 0:
                    tracks[face.track] = world.colour_at(result.frame.image, face.box)
    assert sorted(tracks.values()) == [RED, GREEN]
    red, green = sorted(tracks, key=lambda track: tracks[track] != RED)
    with Tape(tape, _fingerprint(embedder)) as read:
        run = read.runs()[0].run
        by_colour = {tuple(look): track for look, track in zip(
            read.looks(run).embeddings.tolist(), read.looks(run).tracks, strict=True)}  # fmt: skip
    assert by_colour[tuple(portraits.of(red)[0].embedding.tolist())] == red
    return Seen(opened, opened.past(tape), tape, run, red, green, portraits)


def _fingerprint(embedder: Any) -> str:
    from pipeline import build

    return build.fingerprint(embedder)


def names(seen: Seen) -> dict[int, str | None]:
    decided = seen.past.decide({seen.run: {seen.red, seen.green}})
    return {track: identity.name for (_, track), identity in decided.items()}


def test_the_verdicts_on_some_tracks_are_those_of_the_run(seen: Seen) -> None:
    assert names(seen) == {seen.red: "Rosa", seen.green: None}
    assert seen.past.decide({"another run": {1}, seen.run: {99}}) == {}


def test_who_is_not_rosa_is_not_named_so_again_until_it_is_undone(seen: Seen) -> None:
    change = seen.recog.deny("Rosa", seen.portraits.of(seen.red), "the film")
    assert names(seen)[seen.red] is None
    with seen.recog.gallery() as gallery:
        assert (gallery.log(1)[0].id, gallery.log(1)[0].action) == (change, "deny")
        gallery.undo()
    assert names(seen)[seen.red] == "Rosa"


def test_the_same_film_is_followed_without_that_name(seen: Seen, tmp_path: Path) -> None:
    seen.recog.deny("Rosa", seen.portraits.of(seen.red), "the film")
    with seen.recog.follow(tmp_path / "film.avi") as frames:
        assert {face.identity.name for result in frames for face in result.faces} == {None}
    assert [face.name for face in seen.recog.identify(tmp_path / "rosa.png")] == [None]


def test_somebody_is_enrolled_from_looks_of_the_film(seen: Seen) -> None:
    enrolled = seen.recog.enroll_looks("Gil", seen.portraits.of(seen.green), "the film")
    assert enrolled.usable
    assert names(seen) == {seen.red: "Rosa", seen.green: "Gil"}
    with seen.recog.gallery() as gallery:
        first = next(gallery.templates("Gil"))
    assert first.origin.startswith("the film at ")
    assert first.crop is not None


def test_what_would_be_decided_after_a_change_leaves_the_gallery_as_it_is(seen: Seen, tmp_path: Path) -> None:
    wanted = {seen.run: {seen.red}}
    decided = seen.past.would_decide(wanted, lambda gallery: gallery.rename("Rosa", "Rose"))
    assert decided[seen.run, seen.red].name == "Rose"
    assert names(seen)[seen.red] == "Rosa"
    with pytest.raises(GalleryError, match="nobody named Zoe"):
        seen.past.would_decide(wanted, lambda gallery: gallery.remove("Zoe"))
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".recog-")]


def test_faces_of_the_tape_are_put_together_and_compared(seen: Seen) -> None:
    keys = [(seen.run, seen.red), (seen.run, seen.green)]
    found = seen.past.faces(by_run(keys))
    faces = np.stack([found[key] for key in keys])
    assert seen.past.clusters(np.concatenate([faces, faces])).tolist() == [0, 1, 0, 1]
    assert seen.past.belongs(faces, faces[:1]).tolist() == [True, False]
    like, unlike = seen.past.looks_like([faces[:1], faces[1:]])
    assert like is not None
    assert (like.name, like.probability > 0.99) == ("Rosa", True)
    assert unlike is None
    assert "times as likely of one person as of two" in seen.past.threshold


def test_with_nobody_enrolled_nobody_looks_like_anybody(embedder: Any, tmp_path: Path) -> None:
    past = Recog.open(tmp_path / "none.db").past(tmp_path / "none.tape")
    assert past.looks_like([np.zeros((2, 8), np.float32)]) == [None]
    assert past.looks_like([]) == []
    with pytest.raises(SourceError, match="no tape"):
        past.faces({"run": {1}})


def test_strangers_are_kept_to_calibrate_by_and_one_person_once(seen: Seen) -> None:
    red, green = (seen.portraits.of(track)[0].embedding for track in (seen.red, seen.green))
    assert seen.recog.add_strangers([green, green]) == 1
    assert seen.recog.add_strangers([green, red]) == 2


def test_old_looks_are_forgotten(seen: Seen) -> None:
    keys = {seen.run: {seen.red, seen.green}}
    assert seen.past.forget(datetime.now(UTC) - timedelta(days=7)) == 0
    assert len(seen.past.faces(keys)) == 2
    assert seen.past.forget(datetime.now(UTC) + timedelta(days=1)) > 0
    assert seen.past.faces(keys) == {}


def test_a_look_without_a_picture_is_evidence_as_well(seen: Seen) -> None:
    face = seen.past.faces({seen.run: {seen.red}})[seen.run, seen.red]
    seen.recog.deny("Rosa", [Portrait(0.0, face, 1.0, None)], "the film")
    assert names(seen)[seen.red] is None


def test_two_faces_in_view_are_judged_together(seen: Seen) -> None:
    """One track that is asked for brings in the one beside it."""
    assert set(seen.past.decide({seen.run: {seen.green}})) == {(seen.run, seen.red), (seen.run, seen.green)}
    assert seen.past.decide({seen.run: {seen.red}})[seen.run, seen.green].state is State.UNKNOWN
