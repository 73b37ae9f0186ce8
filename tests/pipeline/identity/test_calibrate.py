"""`recog calibrate`, from strangers to a threshold that `recog run` uses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gallery import Gallery, GalleryError, NewTemplate
from gallery.calibration import TooFewError
from gallery.exchange import export_bytes
from pipeline import build
from pipeline.commands.calibrate import parse_share
from pipeline.enrolment.people import look_at_people
from pipeline.enrolment.photos import Outcome, Verdict
from pipeline.enrolment.strangers import different_people
from pipeline.errors import ConfigError
from pipeline.identity.calibrate import calibrate, calibrate_again, keep, own_strangers
from pipeline.identity.guarantee import Kind, of
from siamese.cohort import Cohort, write

DIMENSION = 16


def faces(random: np.random.Generator, count: int) -> Any:
    return random.normal(0, 1, (count, DIMENSION)).astype(np.float32)


def look(embedding: Any, digest: str) -> NewTemplate:
    return NewTemplate(np.asarray(embedding, np.float32), None, 1.0, digest, digest)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    random = np.random.default_rng(0)
    opened = Gallery.open(tmp_path / "g.db", "a model", DIMENSION, create=True)
    for person, centre in enumerate(faces(random, 30)):
        looks = centre + 0.1 * faces(random, 3)
        opened.add(f"person {person}", [look(each, f"{person} {i}") for i, each in enumerate(looks)])
    return opened


@pytest.fixture
def cohort() -> Cohort:
    embeddings = faces(np.random.default_rng(1), 400)
    return Cohort(embeddings, np.arange(400), np.full(400, ""), "a model", "", "strangers made up")


@pytest.mark.parametrize("normalise", [False, True])
def test_strangers_stay_out_and_the_enrolled_are_recognised(
    gallery: Gallery, cohort: Cohort, normalise: bool
) -> None:
    made = calibrate(gallery, cohort.one_each, cohort.embeddings[:0], 0.01, normalise=normalise)
    claim = made.guarantee
    assert (claim.strangers, claim.people, claim.tried) == (400, 30, 90)
    assert claim.recognised == 90
    assert claim.bound <= 0.01
    assert made.overlaps == ()
    unseen = gallery.search(faces(np.random.default_rng(2), 4000), 5)
    named = (claim.shifted(unseen).min(axis=1) <= claim.distance).mean()
    assert named <= 0.01
    assert len(claim.offsets) == 30 * normalise


def test_strangers_are_counted_by_kind_and_a_kind_that_comes_too_near_is_told(
    gallery: Gallery, cohort: Cohort
) -> None:
    _, _, enrolled = gallery.embeddings()
    strangers = np.concatenate([cohort.embeddings, cohort.embeddings, enrolled[:4] + 0.2])
    kinds = np.array(["far"] * 800 + ["near"] * 4)
    own = faces(np.random.default_rng(5), 50)
    made = calibrate(gallery, strangers, own, 0.02, kinds=kinds)
    assert made.kinds[0] == Kind("near", 4, 4)
    assert {kind.name: kind.tried for kind in made.kinds} == {"near": 4, "far": 800, "yours": 50}
    assert sum(kind.named for kind in made.kinds) == made.guarantee.named
    assert [kind.exceeds(0.02) for kind in made.kinds] == [True, False, False]
    assert [kind.name for kind in calibrate(gallery, strangers, own, 0.02).kinds] == ["yours"]


def test_too_few_strangers_are_refused_with_the_count_and_nothing_is_stored(
    gallery: Gallery, cohort: Cohort
) -> None:
    with pytest.raises(TooFewError, match="it takes 2995"):
        calibrate(gallery, cohort.one_each, cohort.embeddings[:0], 0.001)
    own = faces(np.random.default_rng(3), 2600)
    assert calibrate(gallery, cohort.one_each, own, 0.001).guarantee.strangers == 3000


def test_a_stranger_who_is_enrolled_with_the_very_same_photo_is_no_stranger(
    gallery: Gallery, cohort: Cohort
) -> None:
    same = next(gallery.templates("person 3")).embedding[None] + 0.01
    strangers = np.concatenate([cohort.one_each, same])
    assert calibrate(gallery, strangers, same[:0], 0.01, copy=1.0).guarantee.strangers == 400
    assert calibrate(gallery, strangers, same[:0], 0.01).guarantee.strangers == 401


def test_nobody_enrolled_is_said(tmp_path: Path, cohort: Cohort) -> None:
    with (
        Gallery.open(tmp_path / "e.db", "a model", DIMENSION, create=True) as empty,
        pytest.raises(GalleryError, match="nobody is enrolled"),
    ):
        calibrate(empty, cohort.one_each, cohort.embeddings[:0], 0.01)


def test_two_people_who_are_one_are_reported_as_close(gallery: Gallery, cohort: Cohort) -> None:
    twin = next(gallery.templates("person 3")).embedding + 0.05
    gallery.add("twin", [look(twin, "twin")])
    overlaps = calibrate(gallery, cohort.one_each, cohort.embeddings[:0], 0.05).overlaps
    assert {(overlaps[0].first, overlaps[0].second)} <= {("twin", "person 3"), ("person 3", "twin")}


def test_a_gallery_that_grew_is_calibrated_again_with_the_strangers_of_before(
    gallery: Gallery, cohort: Cohort
) -> None:
    assert calibrate_again(gallery, cohort) is None
    own = faces(np.random.default_rng(3), 50)
    made = calibrate(gallery, cohort.one_each, own, 0.01, normalise=True)
    keep(gallery, made.guarantee, own, undoable=True)
    np.testing.assert_array_equal(own_strangers(gallery), own)
    gallery.add("new", [look(faces(np.random.default_rng(4), 1)[0], "new")])
    again = calibrate_again(gallery, replace(cohort, kinds=np.full(400, "snapshots")))
    assert again is not None
    assert {kind.name: kind.tried for kind in again.kinds} == {"snapshots": 400, "yours": 50}
    assert (again.people, again.strangers, again.target, again.normalised) == (31, 450, 0.01, True)
    assert of(gallery) == again


def test_a_person_in_several_photos_of_strangers_counts_once(embedder: Any) -> None:
    def outcome(place: float, quality: float, name: str) -> Outcome:
        embedding = np.array([place] + [0] * 7, np.float32)
        return Outcome(name, NewTemplate(embedding, None, quality, name, name))

    photos = [outcome(0, 0.5, "a"), outcome(1, 0.9, "b"), outcome(40, 0.4, "c")]
    photos.append(Outcome("d", None, "no face found", Verdict.REJECTED))
    found, names = different_people(photos, embedder)
    assert sorted(names) == ["b", "c"]
    assert found.shape == (2, 8)
    assert different_people(photos[3:], embedder)[0].shape == (0, 8)


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.1 %", 0.001), ("0.02", 0.02)])
def test_a_share_is_a_percentage_or_a_number(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "0", "50%", "-1%", "one", "nan"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="give a share under a half"):
        parse_share(text)


@pytest.fixture
def calibrated(
    tmp_path: Path, world: Any, detector: Any, embedder: Any, recog: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """The command in a world of colours, with 400 strangers of two kinds, the first 4 nearer to everybody."""
    random = np.random.default_rng(0)
    embeddings = np.zeros((400, 8), np.float32)
    embeddings[:, 0] = random.uniform(5, 15, 400)
    path = tmp_path / "strangers.cohort.npz"
    kinds = np.array(["near"] * 100 + ["far"] * 300)
    embeddings[:100, 0] -= 4
    write(Cohort(embeddings, np.arange(400), kinds, embedder.digest, "", "made up"), path)
    photo = world.picture(tmp_path / "red.png", world.RED)
    assert recog("enroll", "--name", "Rosa", photo).code == 0
    monkeypatch.setattr("siamese.cohort.cohort_path", lambda model: path)
    return lambda *more: recog("calibrate", *more)


def test_the_command_stores_the_threshold_and_run_shows_and_uses_it(
    tmp_path: Path, world: Any, recog: Any, calibrated: Any
) -> None:
    plot = tmp_path / "plot.png"
    ended = calibrated("--target-fpir", "1%", "--plot", plot)
    assert (ended.code, ended.err) == (0, "")
    claim = "at most 1% of strangers are given a name (95% sure, from 400 strangers and 1 person)"
    assert ended.out.splitlines()[0] == f"stored: {claim}"
    assert "nobody has two photos" in ended.out
    assert cv2.imread(str(plot)).shape == (540, 960, 3)
    film = world.film(tmp_path / "film.avi", world.RED)
    shown = recog("run", "--source", film)
    assert f"calibrated: {claim}" in shown.out
    values = json.loads(recog("run", "--source", film, "--json").out)
    assert values["guarantee"]["target"] == 0.01
    assert [person["name"] for person in values["people"]] == ["Rosa"]


def test_a_dry_run_stores_nothing_and_json_says_all(recog: Any, calibrated: Any, embedder: Any) -> None:
    values = json.loads(calibrated("--dry-run", "--json", "--normalise").out)
    assert values["stored"] is False
    assert values["cohort"] == "made up"
    assert list(values["offsets"]) == ["Rosa"]
    with build.gallery(None, embedder) as people:
        assert of(people) is None


def test_the_command_says_which_strangers_come_nearer_than_others(calibrated: Any) -> None:
    told = calibrated("--target-fpir", "5%", "--dry-run").out
    assert (
        "of them within it, by where they are from: 12 of 100 of near (12.0%), 0 of 300 of far (0.0%)" in told
    )
    assert "of strangers like near more than 5% would be named (95% sure)" in told
    kinds = json.loads(calibrated("--target-fpir", "5%", "--dry-run", "--json").out)["kinds"]
    assert [(kind["name"], kind["over_target"]) for kind in kinds] == [("near", True), ("far", False)]


def test_a_claim_that_the_data_do_not_allow_ends_in_one_line(calibrated: Any) -> None:
    ended = calibrated("--target-fpir", "0.1%")
    assert ended.code == 1
    assert "it takes 2995: give 2595 more people with --strangers DIR" in ended.err
    assert ended.err.count("\n") == 1


def test_the_users_strangers_count_and_growth_renews_the_calibration(
    tmp_path: Path, world: Any, recog: Any, calibrated: Any, embedder: Any
) -> None:
    folder = tmp_path / "strangers"
    (folder / "inside").mkdir(parents=True)
    world.picture(folder / "1.png", world.BLUE)
    world.picture(folder / "inside" / "2.png", world.BLUE, side=90)
    values = json.loads(calibrated("--strangers", folder, "--json").out)
    assert (values["own_photos"], values["own_strangers"], values["strangers"]) == (2, 1, 401)
    ended = recog("enroll", "--name", "Greta", world.picture(tmp_path / "g.png", world.GREEN))
    assert "calibrated again for 2 people" in ended.out
    with build.gallery(None, embedder) as people:
        claim = of(people)
    assert claim is not None
    assert (claim.people, claim.strangers) == (2, 401)


def claimed(embedder: Any) -> int | None:
    """For how many people the user's own gallery claims its calibration."""
    with build.gallery(None, embedder) as people:
        claim = of(people)
    return None if claim is None else claim.people


def exported(tmp_path: Path, embedder: Any, count: int) -> Path:
    """An export with so many people, who are far from each other and from the strangers."""
    with build.gallery(tmp_path / "other.db", embedder, create=True) as other:
        for number in range(count):
            place = np.array([0, 0, 0, 100 + 50 * number, 0, 0, 0, 0], np.float32)
            other.add(f"p{number}", [look(place, f"p{number}")])
        content = export_bytes(other, None, True, None)
    (tmp_path / "people.recog").write_bytes(content)
    return tmp_path / "people.recog"


def test_an_import_renews_the_calibration_that_it_outgrows(
    tmp_path: Path, world: Any, recog: Any, calibrated: Any, embedder: Any
) -> None:
    assert calibrated().code == 0
    ended = recog("gallery", "import", exported(tmp_path, embedder, 20))
    assert ended.out.splitlines()[1].startswith("calibrated again for 21 people: at most 1% of strangers")
    assert claimed(embedder) == 21
    again = json.loads(recog("gallery", "import", tmp_path / "people.recog", "--json").out)
    assert (again["stored"], again["calibrated"]) == (0, None)


def test_a_calibration_that_cannot_be_renewed_is_not_claimed_any_more(
    tmp_path: Path, world: Any, recog: Any, calibrated: Any, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calibrated().code == 0
    monkeypatch.setattr("siamese.cohort.cohort_path", lambda model: tmp_path / "none.npz")
    said = "the calibration is for 1 person, and 20 people were enrolled or changed since"
    assert said in recog("gallery", "import", exported(tmp_path, embedder, 20)).out
    assert claimed(embedder) is None
    film = world.film(tmp_path / "film.avi", world.RED)
    shown = recog("run", "--source", film)
    assert said in shown.out
    assert "calibrated: " not in shown.out
    assert json.loads(recog("run", "--source", film, "--json").out)["guarantee"] is None
    assert said in recog("identify", tmp_path / "red.png").out


def test_a_dry_run_of_an_enrolment_changes_no_calibration(
    tmp_path: Path, world: Any, recog: Any, calibrated: Any, embedder: Any
) -> None:
    assert calibrated().code == 0
    with build.gallery(None, embedder) as people:
        people.add("Greta", [look(100 * np.eye(8)[1], "greta")])  # so that it is due
    before = build.gallery_path(None).read_bytes()
    blue = world.picture(tmp_path / "blue.png", world.BLUE)
    (tmp_path / "many" / "Blue").mkdir(parents=True)
    world.picture(tmp_path / "many" / "Blue" / "1.png", world.BLUE)
    for what in (["--name", "Blue", blue], ["--people", tmp_path / "many"]):
        ended = recog("enroll", *what, "--dry-run")
        assert ended.code == 0
        assert "the calibration is for 1 person" in ended.out
        assert "calibrated again" not in ended.out
    assert build.gallery_path(None).read_bytes() == before
    assert claimed(embedder) is None


def test_cameras_have_a_calibration_to_rely_on_while_many_are_enrolled(
    tmp_path: Path, world: Any, recog: Any, calibrated: Any, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calibrated().code == 0
    claims = []

    def watched(root: Any, looker: Any, threads: int) -> Any:
        for found in look_at_people(root, looker, threads):
            claims.append(claimed(embedder))
            yield found

    monkeypatch.setattr("pipeline.enrolment.people.look_at_people", watched)
    for name, colour in (("A", world.GREEN), ("B", world.BLUE), ("C", world.RED)):
        (tmp_path / "many" / name).mkdir(parents=True)
        world.picture(tmp_path / "many" / name / "1.png", colour, side=90)
    ended = recog("enroll", "--people", tmp_path / "many", "--force")
    assert "calibrated again for 4 people" in ended.out
    assert claims == [1, 2, 3]
    assert claimed(embedder) == 4


def test_a_model_without_strangers_says_how_to_make_them(recog: Any, calibrated: Any, tmp_path: Path) -> None:
    ended = calibrated("--cohort", tmp_path / "none.npz")
    assert ended.code == 1
    assert "make one with: recog calibrate cohort" in ended.err
