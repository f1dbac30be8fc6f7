"""Augmented histories: what changes, what stays, and how much of it."""

from itertools import pairwise

import numpy as np
import pytest

from rectransfer.errors import InputError
from rectransfer.ranking import Augment, Examples, cut_at_random
from rectransfer.ranking.tower import UserInputs

LENGTHS = np.array([7, 1, 0, 10, 2, 30])


def examples():
    """Histories of various lengths, one of them empty; item = 100 * owner + place, two entries a visit."""
    owner = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    place = np.concatenate([np.arange(n) for n in LENGTHS])
    ages = (LENGTHS[owner] - 1 - place) // 2 + 1
    label_owner = np.repeat(np.arange(len(LENGTHS)), 2)
    labels = 1000 + np.arange(2 * len(LENGTHS))
    return Examples(np.arange(len(LENGTHS)), 2000, owner, owner * 100 + place, ages, label_owner, labels)


def histories_of(found):
    return [
        (found.items[found.owner == row] - 100 * row, found.ages[found.owner == row])
        for row in range(len(found))
    ]


ALWAYS = [
    Augment(crop=0.4, share=1),
    Augment(mask=0.4, share=1),
    Augment(reorder=0.6, share=1),
    Augment(crop=0.99, mask=0.99, reorder=1, share=1),
    Augment(crop=0.3, mask=0.2, reorder=0.5),
]


@pytest.mark.parametrize("augment", ALWAYS, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_what_holds_for_all(augment, seed):
    before = examples()
    copies = [array.copy() for array in (before.owner, before.items, before.ages)]
    found = augment(before, np.random.default_rng(seed))
    assert all(map(np.array_equal, copies, (before.owner, before.items, before.ages)))
    assert (np.diff(found.owner) >= 0).all()
    assert np.array_equal(found.labels, before.labels)
    assert np.array_equal(found.label_owner, before.label_owner)
    assert np.array_equal(found.users, before.users)
    left = np.bincount(found.owner, minlength=6)
    assert (left[LENGTHS > 0] >= 1).all()
    assert left[2] == 0
    assert (left <= LENGTHS).all()
    for (items, ages), length in zip(histories_of(found), LENGTHS, strict=True):
        assert len(set(items)) == len(items)
        assert set(items) <= set(range(length))
        assert (ages >= 1).all()
        assert (np.diff(ages) <= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_crop_is_a_run_that_ends_at_the_cut(seed):
    found = histories_of(Augment(crop=0.4, share=1)(examples(), np.random.default_rng(seed)))
    for (items, ages), (_, whole), length in zip(found, histories_of(examples()), LENGTHS, strict=True):
        assert len(items) == length - int(0.4 * length)
        assert (np.diff(items) == 1).all()
        if length:
            assert ages[-1] == 1
            assert np.array_equal(ages - ages[0], whole[items] - whole[items[0]])


def test_a_crop_starts_everywhere():
    firsts = {
        int(histories_of(Augment(crop=0.4, share=1)(examples(), np.random.default_rng(seed)))[0][0][0])
        for seed in range(60)
    }
    assert firsts == {0, 1, 2}  # 5 of 7 entries stay


@pytest.mark.parametrize("seed", range(5))
def test_masked_entries_leave_and_the_others_keep_their_ages(seed):
    found = histories_of(Augment(mask=0.4, share=1)(examples(), np.random.default_rng(seed)))
    for (items, ages), (_, whole), length in zip(found, histories_of(examples()), LENGTHS, strict=True):
        assert len(items) == length - int(0.4 * length)
        assert (np.diff(items) > 0).all()
        assert np.array_equal(ages, whole[items])


def test_every_entry_is_masked_now_and_then():
    kept = np.zeros(30)
    for seed in range(200):
        kept[histories_of(Augment(mask=0.5, share=1)(examples(), np.random.default_rng(seed)))[5][0]] += 1
    assert (np.abs(kept / 200 - 0.5) < 0.16).all()


@pytest.mark.parametrize("seed", range(5))
def test_items_of_one_run_change_places_and_ages_stay(seed):
    found = histories_of(Augment(reorder=0.5, share=1)(examples(), np.random.default_rng(seed)))
    for (items, ages), (_, whole), length in zip(found, histories_of(examples()), LENGTHS, strict=True):
        assert sorted(items) == list(range(length))
        assert np.array_equal(ages, whole)
        moved = np.flatnonzero(items != np.arange(length))
        if len(moved):
            assert moved[-1] - moved[0] < int(0.5 * length)
    assert any((items != np.sort(items)).any() for items, _ in found)


def test_a_share_of_the_examples_is_left_alone():
    many = examples().take(np.full(2000, 5))
    found = Augment(mask=0.5, share=0.3)(many, np.random.default_rng(0))
    lengths = np.bincount(found.owner, minlength=2000)
    assert set(lengths) == {15, 30}
    assert (lengths == 15).mean() == pytest.approx(0.3, abs=0.04)


def test_an_example_meets_one_operator():
    many = examples().take(np.full(3000, 5))
    found = Augment(crop=0.5, mask=0.2, reorder=0.9, share=1)(many, np.random.default_rng(0))
    lengths = np.bincount(found.owner, minlength=3000)
    shares = [(lengths == n).mean() for n in (15, 24, 30)]
    assert sum(shares) == 1
    assert shares == pytest.approx([1 / 3] * 3, abs=0.04)


def test_the_same_randomness_gives_the_same_and_no_example_is_no_trouble(histories):
    cuts = cut_at_random(histories, 30, np.random.default_rng(0))
    augment = Augment(crop=0.3, mask=0.3, reorder=0.3)
    first, again = (augment(cuts, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.items, again.items)
    inputs = UserInputs.of(first, np.eye(30, dtype=np.float32))
    np.testing.assert_allclose(inputs.pooled.sum(dim=1), 2, rtol=1e-5)  # two averages, none of nothing
    assert len(augment(cuts.take(np.zeros(0, np.int64)), np.random.default_rng(7))) == 0


def test_all_places_of_a_run_are_equally_likely():
    ends = np.zeros((3, 3))
    one = Examples(*np.array([[0]]), 9, *np.array([[0] * 3, [0, 1, 2], [3, 2, 1]]), *np.array([[0], [5]]))
    for seed in range(600):
        for place, item in enumerate(Augment(reorder=1, share=1)(one, np.random.default_rng(seed)).items):
            ends[place, item] += 1
    assert (np.abs(ends / 600 - 1 / 3) < 0.08).all()
    assert all(abs(left - right).max() < 100 for left, right in pairwise(ends))


@pytest.mark.parametrize(
    "settings",
    [
        {"crop": 1.0},
        {"crop": -0.1},
        {"mask": 1.0},
        {"mask": float("nan")},
        {"reorder": 1.1},
        {"share": 0.0, "crop": 0.5},
        {"share": 1.1, "crop": 0.5},
        {},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings), "one of them above 0")):
        Augment(**settings)
