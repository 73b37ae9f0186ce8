"""Which faces are shown together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from siamese.training.batches import FacePairs, ListedPairs, pair_batches, people_batches

LABELS = np.array([0, 0, 0, 1, 2, 2, 3, -1, -1, 4, 4, 4, 4], np.int64)


def pairs(length: int = 400, seed: int = 3, labels: np.ndarray = LABELS) -> FacePairs:
    images = (
        np.zeros((len(labels), 2, 2, 3), np.uint8)
        + np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    )
    images.flags.writeable = False  # as where crops are mapped from a file
    return FacePairs(images, labels, length, seed)


def test_a_pair_says_whether_it_shows_one_person_and_every_other_one_does() -> None:
    for index in range(len(pairs())):
        anchor, other, same = pairs()[index]
        first, second = int(anchor[0, 0, 0]), int(other[0, 0, 0])
        assert same == float(index % 2 == 0)
        assert (LABELS[first] == LABELS[second]) == bool(same)
        assert first != second
        assert min(LABELS[first], LABELS[second]) >= 0


def test_the_pairs_follow_from_the_seed() -> None:
    one, again, other = ([made.draw(i) for i in range(50)] for made in (pairs(), pairs(), pairs(seed=4)))
    assert one == again
    assert one != other
    assert len(set(one)) > 20


def test_a_pair_does_not_depend_on_how_many_there_are() -> None:
    assert pairs(10).draw(9) == pairs(1000).draw(9)


def test_pairs_come_as_a_data_set_of_torch() -> None:
    loader = torch.utils.data.DataLoader(pairs(6), batch_size=4)
    shapes = [(tuple(anchor.shape), same.tolist()) for anchor, _, same in loader]
    assert shapes == [((4, 2, 2, 3), [1.0, 0.0, 1.0, 0.0]), ((2, 2, 2, 3), [1.0, 0.0])]
    with pytest.raises(IndexError):
        pairs(6)[6]
    assert len(pairs(6)) == 6


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0], [0, 0, -1], [-1, -1]])
def test_people_who_make_no_pairs_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="two people"):
        pairs(labels=np.array(labels))


def test_batches_of_pairs_go_on_where_the_epoch_before_ended() -> None:
    drawn = pairs(12)
    epochs = [row for epoch in (0, 1) for rows in pair_batches(drawn, 8, epoch) for row in rows.tolist()]
    assert epochs == [row for i in range(24) for row in drawn.draw(i)[:2]]


def test_listed_pairs_are_each_shown_once_a_round_in_an_order_of_its_own() -> None:
    rows, same = np.arange(20).reshape(10, 2), np.arange(10) % 3 == 0
    listed = ListedPairs(rows, same, seed=3)
    assert len(listed) == 10
    rounds = [[listed.draw(first + place) for place in range(10)] for first in (0, 10, 20)]
    expected = sorted((int(a), int(b), float(one)) for (a, b), one in zip(rows, same, strict=True))
    assert [sorted(drawn) for drawn in rounds] == [expected] * 3
    assert rounds[0] != rounds[1] != rounds[2]
    assert ListedPairs(rows, same, seed=3).draw(14) == rounds[1][4]  # whatever was drawn before


@pytest.mark.parametrize("same", [[True, True], [False, False]])
def test_listed_pairs_of_one_kind_teach_nothing(same: list[bool]) -> None:
    with pytest.raises(ValueError, match="pairs of one person and pairs of two"):
        ListedPairs(np.zeros((2, 2), np.int64), np.array(same), 0)


def test_half_of_a_batch_of_people_is_paired_with_the_other_half() -> None:
    seen = []
    labels = np.repeat(LABELS, 10) + np.repeat(np.arange(10) * 10, len(LABELS)) * (np.repeat(LABELS, 10) >= 0)
    for rows in people_batches(labels, 16, seed=1, epoch=0):
        assert len(rows) == 16
        seen.append(rows)
        for anchor, partner in zip(rows[:8], rows[8:], strict=True):
            assert anchor != partner
            if labels[anchor] >= 0 and (labels == labels[anchor]).sum() > 1:
                assert labels[anchor] == labels[partner]
    assert len(seen) == len(labels) // 16


def test_over_an_epoch_images_are_shown_about_once() -> None:
    labels = np.repeat(np.arange(50), 8)
    shown = np.concatenate(list(people_batches(labels, 20, seed=1, epoch=0)))
    anchors = np.concatenate([rows[:10] for rows in people_batches(labels, 20, seed=1, epoch=0)])
    assert len(shown) == len(labels)
    assert len(set(anchors.tolist())) == len(anchors)
    assert np.bincount(shown, minlength=len(labels)).max() <= 6


def test_the_order_follows_from_seed_and_epoch() -> None:
    labels = np.repeat(np.arange(20), 4)

    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(list(people_batches(labels, 8, seed, epoch))).tolist()

    orders = [order(1, 0), order(1, 1), order(2, 0)]
    assert order(1, 0) == orders[0]
    assert all(a != b for a, b in pairwise([*orders, orders[0]]))


def test_fewer_images_than_a_batch_holds_are_one_batch() -> None:
    batches = list(people_batches(np.array([0, 0, 1, 1]), 16, seed=0, epoch=0))
    assert [sorted(rows[:4].tolist()) for rows in batches] == [[0, 1, 2, 3]]
