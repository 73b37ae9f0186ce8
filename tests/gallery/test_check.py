"""The check finds what was put in wrongly, and nothing where all is well."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery import Gallery, NewTemplate
from gallery.check import Finding, check


def llr(distances: np.ndarray) -> np.ndarray:
    """Of one person 0 to 4 apart, of two 20 or so."""
    return np.asarray(20.0 - 2.0 * np.asarray(distances, np.float64))


def photos(who: int, count: int, start: int = 0, quality: float = 0.9) -> list[NewTemplate]:
    """Photos near a person's own place."""
    chance = np.random.default_rng(1000 * who + start)
    place = np.zeros(16, np.float32)
    place[who] = 10
    return [
        NewTemplate(
            (place + chance.normal(scale=0.08, size=16)).astype(np.float32), None, quality, "file",
            f"{who}-{start + i}",
        )
        for i in range(count)
    ]  # fmt: skip


def findings(path: Path, people: dict[str, list[NewTemplate]], **options: Any) -> list[Finding]:
    with Gallery.open(path, "model", 16, create=True) as gallery:
        gallery.add_people(people, "import")
        return check(gallery, options.pop("llr", llr), 0.4)


WELL = {f"person {who}": photos(who, 3) for who in range(6)}


def test_a_gallery_in_order_has_no_findings(path: Path) -> None:
    assert findings(path, WELL) == []
    assert findings(path.with_name("empty.db"), {}) == []
    assert findings(path.with_name("one.db"), {"only": photos(0, 1)}) == []


def test_one_person_under_two_names_is_found_with_the_command_to_merge(path: Path) -> None:
    (found,) = findings(path, WELL | {"Ada L": photos(2, 2, start=10)})
    assert (found.kind, set(found.people)) == ("same", {"person 2", "Ada L"})
    assert "recog gallery merge" in found.advice
    assert shlex.split(found.advice.partition(": ")[2])[3:] == list(found.people)


def test_the_more_people_the_more_evidence_it_takes(path: Path) -> None:
    """Nearness that is remarkable between two people happens by chance among many."""
    weak = lambda distances: np.asarray(4.0 - 1.0 * np.asarray(distances))  # noqa: E731
    few = {"a": photos(0, 1), "b": photos(0, 1, start=9)}
    assert [each.kind for each in findings(path, few, llr=weak)] == ["same"]
    many = few | {f"other {who}": photos(who, 1) for who in range(1, 15)}
    assert findings(path.with_name("many.db"), many, llr=weak) == []


def test_one_name_for_two_people_is_found(path: Path) -> None:
    mixed = photos(7, 4) + photos(8, 2)
    (found,) = findings(path, WELL | {"mixed": mixed})
    assert (found.kind, found.people, found.photos) == ("two", ("mixed",), (5, 6))
    assert "recog gallery remove mixed --photo 5 --photo 6" in found.advice


def test_a_photo_of_somebody_else_is_found(path: Path) -> None:
    (found,) = findings(path, WELL | {"mixed": [*photos(7, 3), *photos(9, 1)]})
    assert (found.kind, found.photos) == ("outlier", (4,))
    assert found.llr is not None
    assert found.llr < 0


@pytest.mark.parametrize("count", [2, 3])
def test_photos_of_which_no_two_fit_are_one_finding(path: Path, count: int) -> None:
    nobody = [photo for who in range(7, 7 + count) for photo in photos(who, 1)]
    (found,) = findings(path, WELL | {"nobody": nobody})
    assert (found.kind, found.people, found.photos) == ("two", ("nobody",), ())


def test_a_poor_photo_is_found(path: Path) -> None:
    (found,) = findings(path, WELL | {"blurred": [*photos(8, 2), *photos(8, 1, start=5, quality=0.1)]})
    assert (found.kind, found.photos, found.llr) == ("poor", (3,), None)
