"""Transitions: counts by hand, probabilities that sum to one, and the arrays they are saved as."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import rectransfer.transitions as room
from rectransfer.errors import ArtefactError, InputError
from rectransfer.transitions import Transitions, count_transitions

TEA, MILK, JAM, RICE = range(4)


def counted(*users, n_items=4, **options):
    """Of users who are lists of visits, which are lists of items."""
    rows = [
        (user, step, item)
        for user, visits in enumerate(users)
        for step, visit in enumerate(visits)
        for item in visit
    ]
    owner, step, item = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return count_transitions(owner, step, item, n_items, **options)


class TestCounting:
    def test_by_hand(self):
        """A visit ahead counts 1, and each further one 0.85 of the one before."""
        found = counted([[TEA], [MILK], [JAM], [RICE], [MILK]])
        assert found.counts.toarray()[TEA] == pytest.approx([0, 1 + 0.85**3, 0.85, 0.85**2])
        assert found.counts.toarray()[MILK] == pytest.approx([0, 0, 1, 0.85])  # milk itself is left out
        assert found.counts.toarray()[RICE] == pytest.approx([0, 1, 0, 0])

    @pytest.mark.parametrize(("between", "counts"), [(11, 0.85**11), (12, 0)])
    def test_twelve_visits_ahead_is_the_last_that_counts(self, between, counts):
        found = counted([[TEA], *[[MILK]] * between, [JAM]])
        assert found.counts.toarray()[TEA, JAM] == pytest.approx(counts)

    def test_a_visit_of_many_items_counts_less_for_each(self):
        found = counted([[TEA, MILK, RICE, JAM], [TEA]])
        assert found.counts.toarray()[:, TEA] == pytest.approx([0, 0.5, 0.5, 0.5])

    def test_items_of_one_visit_do_not_follow_each_other(self):
        assert counted([[TEA, MILK, JAM]]).counts.nnz == 0

    def test_an_item_twice_on_a_visit_counts_once(self):
        twice, once = counted([[TEA, TEA], [MILK]]), counted([[TEA], [MILK]])
        assert (twice.counts.toarray() == once.counts.toarray()).all()

    def test_users_do_not_follow_each_other(self):
        assert counted([[TEA]], [[MILK]]).counts.nnz == 0

    def test_totals_are_of_all_counts_and_the_largest_are_kept(self):
        found = counted([[TEA], [MILK], [JAM], [RICE]], keep=1)
        assert found.counts.toarray()[TEA] == pytest.approx([0, 1, 0, 0])
        assert found.totals[TEA] == pytest.approx(1 + 0.85 + 0.85**2)
        assert found.arrivals[RICE] == pytest.approx(1 + 0.85 + 0.85**2)

    def test_of_equal_counts_those_of_lower_rows_are_kept(self):
        found = counted([[TEA], [JAM, MILK, RICE]], keep=2)
        assert found.counts.indices.tolist() == [MILK, JAM]

    def test_nothing(self):
        found = count_transitions(*(np.zeros(0, np.int64),) * 3, 4)
        assert found.counts.shape == (4, 4)
        assert found.lifts(csr_array((2, 4))).tolist() == [[1] * 4] * 2

    def test_nothing_to_keep(self):
        with pytest.raises(InputError, match="keep=0"):
            counted([[TEA], [MILK]], keep=0)

    def test_of_large_logs_users_are_drawn(self, monkeypatch):
        users = [[[TEA], [MILK]]] * 40
        monkeypatch.setattr(room, "_MOST_PAIRS", 10)
        assert counted(*users).counts[TEA, MILK] == 10
        assert counted(*users, seed=1).counts[TEA, MILK] == 10


class TestChances:
    def test_by_hand(self):
        """After tea 60 times milk: 60 of 60 + 50, and the rest goes to what is common, here milk alone."""
        found = counted(*[[[TEA], [MILK]]] * 60, *[[[RICE], [JAM]]] * 60)
        after_tea = found.chances(csr_array(np.eye(4, dtype=np.float32)[[TEA]]))[0]
        smooth = 50 / 110
        assert after_tea == pytest.approx([0, 60 / 110 + smooth / 2, smooth / 2, 0], abs=1e-6)
        lifts = found.lifts(csr_array(np.eye(4, dtype=np.float32)[[TEA]]))[0]
        assert lifts == pytest.approx([1, 2 * after_tea[MILK], smooth, 1], abs=1e-6)

    def test_they_sum_to_one(self):
        rng = np.random.default_rng(0)
        users = [[rng.integers(0, 4, 2).tolist() for _ in range(6)] for _ in range(30)]
        weights = csr_array(np.array([[0.5, 0.25, 0.25, 0], [0, 0, 0, 0]], dtype=np.float32))
        for keep in (1, 200):
            assert counted(*users, keep=keep).chances(weights).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)

    def test_without_a_history_all_lifts_are_one(self):
        found = counted([[TEA], [MILK]], [[MILK], [JAM]])
        assert found.lifts(csr_array((1, 4), dtype=np.float32))[0] == pytest.approx([1] * 4)

    def test_of_single_items_they_are_those_of_histories_of_one(self):
        rng = np.random.default_rng(1)
        found = counted(*[[rng.integers(0, 3, 2).tolist() for _ in range(6)] for _ in range(30)])
        alone = csr_array(np.eye(4, dtype=np.float32)[[JAM, TEA]])
        after = np.array([RICE, TEA, MILK])
        between = found.lifts_between(np.array([JAM, TEA]), after)
        assert between == pytest.approx(found.lifts(alone)[:, after], abs=1e-6)


class TestMoving:
    def test_to_other_rows(self):
        found = counted([[TEA], [MILK], [JAM]]).moved(np.array([JAM, -1, TEA]))
        assert found.counts.toarray() == pytest.approx(np.array([[0, 0, 0], [0, 0, 0], [0.85, 0, 0]]))
        assert found.totals == pytest.approx([0, 0, 1.85])
        assert found.arrivals == pytest.approx([1.85, 0, 0])

    def test_items_that_stand_for_one_share_what_comes_before_them(self):
        found = counted([[TEA], [MILK], [JAM]], [[MILK], [TEA]])
        twins = found.moved(np.array([TEA, MILK, MILK, JAM, RICE]))
        assert twins.totals.tolist() == found.totals[[TEA, MILK, MILK, JAM, RICE]].tolist()
        assert twins.arrivals.sum() == pytest.approx(found.arrivals.sum())
        once, twice = (np.eye(n, dtype=np.float32)[:1] for n in (4, 5))
        lifts, both = found.lifts(csr_array(once)), twins.lifts(csr_array(twice))
        assert both[0, [0, 1, 2, 3]] == pytest.approx(lifts[0, [TEA, MILK, MILK, JAM]])
        assert (twins.chain[1] > 0).all()

    def test_two_logs_together(self):
        one, other = counted([[TEA], [MILK]]), counted([[TEA], [MILK]], [[RICE], [JAM]])
        both = one.plus(other)
        assert both.counts[TEA, MILK] == 2
        assert both.totals.tolist() == [2, 0, 0, 1]

    def test_pruned(self):
        found = counted([[TEA], [MILK], [JAM], [RICE]])
        few = found.pruned(1)
        assert few.counts.toarray()[TEA] == pytest.approx([0, 1, 0, 0])
        assert (few.totals == found.totals).all()
        alone = csr_array(np.eye(4, dtype=np.float32))
        assert few.chances(alone).sum(axis=1) == pytest.approx([1] * 4, abs=1e-5)

    def test_as_arrays_and_back(self):
        found = counted([[TEA], [MILK], [JAM]])
        again = Transitions.from_arrays(found.arrays())
        assert (again.counts.toarray() == found.counts.toarray()).all()
        assert (again.totals == found.totals).all()

    def test_arrays_that_do_not_fit(self):
        arrays = counted([[TEA], [MILK]]).arrays()
        with pytest.raises(ArtefactError, match=r"'indptr' is int\d+ of shape \(5,\)"):
            Transitions.from_arrays({**arrays, "totals": np.zeros(3), "arrivals": np.zeros(3)})
        with pytest.raises(ArtefactError, match="outside of 4 columns"):
            Transitions.from_arrays({**arrays, "indices": np.array([9])})
