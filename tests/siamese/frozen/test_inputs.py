"""How an embedder wants its input is found out on pairs of people."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from siamese.errors import ModelError
from siamese.frozen.inputs import find_out, told, usual
from siamese.frozen.settings import BackboneSettings

PEOPLE, EACH = 12, 4
LABELS = np.repeat(np.arange(PEOPLE), EACH)


@pytest.fixture(scope="module")
def crops() -> npt.NDArray[np.uint8]:
    """Plain pictures: each person has a colour of their own, each picture a light of its own."""
    random = np.random.default_rng(0)
    colours = random.integers(60, 200, (PEOPLE, 3))[LABELS]
    light = random.integers(-25, 26, (len(LABELS), 1))
    pictures = np.tile((colours + light)[:, None, None], (1, 112, 112, 1))
    return pictures.astype(np.uint8)


class Wants:
    """Embeds by colour; fed otherwise than it wants, what it gives is noise the more, the more it differs."""

    def __init__(self, wanted: BackboneSettings, given: BackboneSettings) -> None:
        self.wanted, self.given = wanted, given

    def _fed(self, crops: npt.NDArray[np.uint8], settings: BackboneSettings) -> npt.NDArray[np.float64]:
        planes = crops[:, 0, 0, :: -1 if settings.colour == "rgb" else 1].astype(np.float64)
        return (planes - np.array(settings.mean)) / np.array(settings.scale)

    def embed(self, crops: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        right, fed = self._fed(crops, self.wanted), self._fed(crops, self.given)
        off = np.abs(right - fed).mean(axis=1, keepdims=True)
        noise = np.random.default_rng(1).normal(size=right.shape)
        hue = right - right.mean(axis=1, keepdims=True)
        return (hue + noise * off).astype(np.float32)


@pytest.mark.parametrize("wanted", list(usual()), ids=lambda settings: settings.words())
def test_the_way_it_wants_is_best(crops: npt.NDArray[np.uint8], wanted: BackboneSettings) -> None:
    ways = list(usual())
    progress: list[tuple[int, int]] = []
    trials = find_out(
        lambda given: Wants(wanted, given), ways, crops, LABELS, lambda *done: progress.append(done)
    )
    # (x - 127.5) / 127.5 and / 128 differ by less than two pictures of a person do.
    assert trials[0].settings.colour == wanted.colour
    assert np.allclose(trials[0].settings.scale, wanted.scale, rtol=0.01)
    assert [trial.cost for trial in trials] == sorted(trial.cost for trial in trials)
    assert (len(trials), progress[0], progress[-1]) == (len(ways), (0, len(ways)), (len(ways), len(ways)))


def test_best_and_next_are_told_and_by_how_much(crops: npt.NDArray[np.uint8]) -> None:
    wanted = BackboneSettings(colour="bgr", mean=0, scale=255)
    line = told(find_out(lambda given: Wants(wanted, given), list(usual()), crops, LABELS))
    assert line.startswith("BGR, x / 255 is best of 10: ")
    assert "; next " in line
    assert "; worst " in line
    known = told(find_out(lambda given: Wants(wanted, given), [wanted], crops, LABELS))
    assert known.startswith("BGR, x / 255: ")
    assert known.endswith("of pairs wrong")


def test_what_tells_nobody_apart_is_no_embedder(crops: npt.NDArray[np.uint8]) -> None:
    class Noise:
        def embed(self, crops: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
            return np.random.default_rng(0).normal(size=(len(crops), 4)).astype(np.float32)

    with pytest.raises(ModelError, match=r"does not tell people apart: in the best of 10 ways .*no face emb"):
        find_out(lambda given: Noise(), list(usual()), crops, LABELS)


def test_a_way_that_fails_is_none_and_all_failing_is_an_error(crops: npt.NDArray[np.uint8]) -> None:
    wanted = BackboneSettings()

    def opened(given: BackboneSettings) -> Wants:
        if given.scale == 1:
            raise ModelError("numbers too large")
        return Wants(wanted, given)

    assert len(find_out(opened, list(usual()), crops, LABELS)) == 8
    with pytest.raises(ModelError, match="numbers too large"):
        find_out(opened, [BackboneSettings(mean=0, scale=1)], crops, LABELS)


def test_settings_are_told_as_people_write_them() -> None:
    assert BackboneSettings().words() == "RGB, (x - 127.5) / 127.5"
    assert BackboneSettings(mean=0, scale=1).words() == "RGB, bytes as they are"
    triple = BackboneSettings(colour="bgr", mean=(1, 2, 3), scale=(4, 5, 6))
    assert triple.words() == "BGR, (x - (1, 2, 3)) / (4, 5, 6)"
