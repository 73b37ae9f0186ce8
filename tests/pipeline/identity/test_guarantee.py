"""A calibrated threshold reaches recognition: exactly there a face gets a name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery import Gallery, GalleryError, Matches, NewTemplate
from pipeline.config import EvidenceSettings
from pipeline.identity.evidence import judge
from pipeline.identity.guarantee import KEY, Guarantee, Kind, lapsed, of, own_threshold, stored, too_many
from pipeline.types import State
from siamese.calibration import Calibration

MODEL = Calibration(intercept=26.0, slope=2.8, ceiling=11.5, genuine=900, impostor=290_000)
CLAIM = Guarantee(0.01, 0.95, 7.0, 0.0099, 432, 1, 500, 90, 100, True, {"alice": 0.5, "bob": -0.25})


def matches(*distances: float) -> Matches:
    names = ("alice", "bob", "carol")[: len(distances)]
    return Matches((names,) * 1, np.array([distances], np.float32), 9, 3)


def verdict(distance: float, claim: Guarantee, settings: EvidenceSettings, people: int) -> State:
    """What a track is found to be whose looks together are so far from carol, who has no shift."""
    alone = Matches((("carol",),), np.array([[distance]], np.float32), 1, people)
    ratio = float(claim.ratios(alone, MODEL, settings, people)[0, 0])
    moved = claim.moved(MODEL, settings, people)
    return judge({"carol": ratio}, "carol", people, settings.min_looks, settings, moved=moved).state


@settings(deadline=None)
@given(st.floats(2, 15), st.integers(1, 100_000), st.floats(0.001, 0.1))
def test_no_track_farther_than_the_threshold_is_ever_named(
    threshold: float, people: int, target: float
) -> None:
    chosen, claim = EvidenceSettings(target_fpir=target), replace(CLAIM, distance=threshold)
    assert verdict(threshold * 1.001 + 0.001, claim, chosen, people) is not State.NAMED


@settings(deadline=None)
@given(st.floats(2, 15), st.integers(1, 100_000))
def test_a_track_within_the_threshold_is_named(threshold: float, people: int) -> None:
    chosen, claim = EvidenceSettings(), replace(CLAIM, distance=threshold)
    assert verdict(threshold * 0.999 - 0.001, claim, chosen, people) is State.NAMED


@settings(deadline=None)
@given(st.floats(2, 15), st.floats(0, 30), st.integers(1, 100_000))
def test_who_is_nobody_enrolled_is_said_by_the_model_whatever_the_threshold_is(
    threshold: float, distance: float, people: int
) -> None:
    chosen = EvidenceSettings()
    found = verdict(distance, replace(CLAIM, distance=threshold), chosen, people)
    own = MODEL.intercept - MODEL.slope * distance
    by_model = judge({"carol": own}, "carol", people, chosen.min_looks, chosen).state
    assert found is State.NAMED or (found is State.UNKNOWN) == (by_model is State.UNKNOWN)


def test_the_threshold_without_a_calibration_is_where_an_uncalibrated_gallery_gives_a_name() -> None:
    chosen, last = EvidenceSettings(), own_threshold(MODEL, EvidenceSettings(), 9)
    assert last is not None
    for distance, state in ((last - 0.001, State.NAMED), (last + 0.001, State.UNDECIDED)):
        ratio = {"carol": float(MODEL.of_people(np.array([distance]))[0])}
        assert judge(ratio, "carol", 9, chosen.min_looks, chosen).state is state
    assert own_threshold(MODEL, chosen, 1_000_000) is None  # there nobody is named


def test_everybody_is_judged_with_their_own_shift() -> None:
    assert CLAIM.shifted(matches(6.0, 6.0, 6.0)).tolist() == [[6.5, 5.75, 6.0]]
    padded = Matches((("alice",),), np.array([[6.0, np.inf]], np.float32), 1, 1)
    assert CLAIM.shifted(padded).tolist() == [[6.5, np.inf]]
    ratios = CLAIM.ratios(padded, MODEL, EvidenceSettings(), 1)
    assert ratios[0, 1] <= -MODEL.ceiling


def test_what_was_counted_by_kind_is_kept_and_told_where_a_kind_exceeds_the_target(tmp_path: Path) -> None:
    counted = (Kind("portraits", 1200, 30), Kind("snapshots", 2000, 21), Kind("yours", 2, 0))
    with stranger(tmp_path / "g.db") as gallery:
        claim = replace(CLAIM, kinds=counted)
        gallery.set_note(
            KEY, claim.as_dict() | {"fingerprint": "a model"}, dict(claim.offsets), undoable=False
        )
        found = stored(gallery)
        assert found == claim
        assert found.doubts() == ("of strangers like portraits more than 1% would be named (95% sure)",)
        assert str(counted[0]) == "30 of 1,200 of portraits (2.5%)"
        kept = CLAIM.as_dict()
        del kept["kinds"]  # as 0.15 wrote it
        gallery.set_note(KEY, kept | {"fingerprint": "a model"}, dict(CLAIM.offsets), undoable=False)
        found = stored(gallery)
        assert found is not None
        assert (found.kinds, found.doubts()) == ((), ())


def stranger(path: Path) -> Gallery:
    gallery = Gallery.open(path, "a model", 4, create=True)
    for name in ("alice", "bob"):
        gallery.add(name, [NewTemplate(np.ones(4, np.float32), None, 1.0, name, name)])
    return gallery


def keep(gallery: Gallery, **more: object) -> None:
    note = CLAIM.as_dict() | {"fingerprint": "a model"} | more
    gallery.set_note(KEY, note, dict(CLAIM.offsets), undoable=False)


def test_what_a_gallery_keeps_is_what_was_stored(tmp_path: Path) -> None:
    with stranger(tmp_path / "g.db") as gallery:
        assert of(gallery) is None
        keep(gallery)
        assert of(gallery) == CLAIM
        gallery.remove("bob")
        found = of(gallery)
        assert found is not None
        assert found.offsets == {"alice": 0.5}


def test_a_calibration_of_another_model_or_format_does_not_count_and_a_damaged_one_is_said(
    tmp_path: Path,
) -> None:
    with stranger(tmp_path / "g.db") as gallery:
        for other in ({"fingerprint": "another model"}, {"format": 99}):
            keep(gallery, **other)
            assert of(gallery) is None
        gallery.set_note(KEY, {"fingerprint": "a model", "format": 1}, {}, undoable=False)
        with pytest.raises(GalleryError, match="make it again: recog calibrate"):
            of(gallery)


def enroll(gallery: Gallery, *names: str) -> None:
    for name in names:
        gallery.add(name, [NewTemplate(np.ones(4, np.float32), None, 1.0, name, f"{name} {len(gallery)}")])


def test_a_calibration_is_not_claimed_of_people_it_was_not_made_for(tmp_path: Path) -> None:
    with stranger(tmp_path / "g.db") as gallery:
        enroll(gallery, *(f"p{number}" for number in range(18)))
        keep(gallery, people=20, newest=gallery.newest())
        assert (of(gallery) is None, lapsed(gallery)) == (False, None)
        enroll(gallery, "new one")
        assert of(gallery) is not None, "one of twenty is less than a tenth"
        enroll(gallery, "new two")
        assert of(gallery) is None
        told = lapsed(gallery)
        assert told is not None
        assert "is for 20 people, and 2 people were enrolled or changed since" in told
        assert told.endswith("renew it with: recog calibrate")
        gallery.undo()
        assert of(gallery) is not None


def test_one_who_goes_for_one_who_comes_counts_and_so_do_new_photos(tmp_path: Path) -> None:
    with stranger(tmp_path / "g.db") as gallery:
        keep(gallery, people=2, newest=gallery.newest())
        gallery.remove("bob")
        assert of(gallery) is not None, "the fewer there are, the fewer strangers are near one"
        enroll(gallery, "carol")
        assert of(gallery) is None, "as many as before, but others"
        enroll(gallery, "bob")
        keep(gallery, people=3, newest=gallery.newest())
        assert of(gallery) is not None
        enroll(gallery, "alice")
        assert of(gallery) is None, "she is somewhere else now"


def test_a_calibration_of_an_earlier_version_is_claimed_until_the_gallery_has_grown(tmp_path: Path) -> None:
    with stranger(tmp_path / "g.db") as gallery:
        keep(gallery, people=2, newest=None)
        assert of(gallery) is not None
        enroll(gallery, "carol")
        assert of(gallery) is None
        keep(gallery, people=500, newest=None)
        assert of(gallery) is not None


def test_its_words_say_what_is_claimed_and_from_what() -> None:
    assert str(CLAIM) == (
        "at most 1% of strangers are given a name (95% sure, from 432 strangers and 500 people)"
    )


def test_a_gallery_too_large_for_names_says_so_and_how_many_there_may_be() -> None:
    most = int(np.exp(11.5) / 99)
    assert too_many(most, MODEL, EvidenceSettings()) is None
    assert too_many(0, MODEL, EvidenceSettings()) is None
    told = too_many(most + 1, MODEL, EvidenceSettings())
    assert told is not None
    assert f"out of {most:,} at most; run: recog calibrate" in told
    # That many, and no more, can reach the bound at all.
    for people, named in ((most, True), (most + 1, False)):
        state = judge({"carol": MODEL.ceiling}, "carol", people, 3, EvidenceSettings()).state
        assert (state is State.NAMED) is named
