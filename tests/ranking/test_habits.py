"""Habits: who comes back for what is counted, weighed, and laid onto a ranker's scale."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array
from scipy.special import expit

from rectransfer.errors import ArtefactError
from rectransfer.logs import InteractionLog
from rectransfer.ranking import (
    HABIT_SIGNALS,
    Choice,
    Examples,
    Habits,
    Histories,
    Returns,
    cut_at_random,
    fit_habits,
    reference_of,
)
from rectransfer.vocabulary import Vocabulary

ITEMS = Vocabulary.from_ids(["milk", "pan", "salt", "tea"])


def histories(**visits):
    """Each user's visits, in order, as words: `ann="milk,pan milk"` is two visits."""
    rows = [
        (user, item, day)
        for user, words in visits.items()
        for day, visit in enumerate(words.split())
        for item in visit.split(",")
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return Histories.from_log(InteractionLog.from_frame(frame), ITEMS)


def examples(n_users=40, seed=0, n=30):
    """Users who took few items often; they take again what they took often, and little that is new."""
    rng = np.random.default_rng(seed)
    owner, items, ages, who, labels = [], [], [], [], []
    for user in range(n_users):
        for item in rng.choice(n, 8, replace=False):
            times = int(rng.integers(1, 9))
            owner += [user] * times
            items += [item] * times
            ages += list(range(times, 0, -1))
            if rng.random() < expit(1.5 * np.log(times) - 2):
                who.append(user)
                labels.append(item)
    return Examples(np.arange(n_users), n, *(np.array(each) for each in (owner, items, ages, who, labels)))


def choice(found, taken=0.1, seed=0):
    """Their best new items, of which they take a tenth, whatever the score."""
    rng = np.random.default_rng(seed)
    seen = found.seen.toarray() > 0
    new = np.stack([np.flatnonzero(~row)[:12] for row in seen])
    drawn = np.argwhere(rng.random(new.shape) < taken)
    owner = np.concatenate([found.label_owner, drawn[:, 0]])
    labels = np.concatenate([found.labels, new[drawn[:, 0], drawn[:, 1]]])
    order = np.argsort(owner, kind="stable")
    scores = -np.sort(rng.random(new.shape), axis=1).astype(np.float32)
    asked = replace(found, label_owner=owner[order], labels=labels[order])
    return Choice(asked, found.seen, new, scores, no_returns())


def no_returns(n=30):
    return Returns(np.zeros(n, np.float32), np.zeros(n, np.float32))


class TestReturns:
    def test_who_came_back_of_those_who_could(self):
        found = Returns.of(histories(ann="milk,pan milk,salt milk", bob="milk,tea,tea pan", cem="tea"), 4)
        # tea: bob took it twice on one visit and not on the next; cem never came again. salt: ann did come.
        assert found.takers.tolist() == [2, 1, 1, 1]
        assert found.returners.tolist() == [1, 0, 0, 0]

    def test_an_item_of_the_last_visit_alone_says_nothing(self):
        found = Returns.of(histories(ann="milk pan"), 4)
        assert found.takers.tolist() == [1, 0, 0, 0]

    def test_two_domains_add_up_in_the_rows_of_one(self):
        one = Returns(np.array([4, 2], np.float32), np.array([3, 0], np.float32))
        both = one.moved(np.array([1, -1, 0])).plus(
            Returns(np.ones(3, np.float32), np.array([1, 0, 0], np.float32))
        )
        assert both.takers.tolist() == [3, 1, 5]
        assert both.returners.tolist() == [1, 0, 3]

    def test_of_all_but_some(self):
        all_of_them, ann = histories(ann="milk milk", bob="milk,tea pan tea"), histories(ann="milk milk")
        rest = Returns.of(all_of_them, 4).without(Returns.of(ann, 4))
        assert rest.takers.tolist() == [1, 1, 0, 1]
        assert rest.returners.tolist() == [0, 0, 0, 1]

    def test_odds_of_a_rare_item_are_those_of_all(self):
        found = Returns(np.array([1000, 1000, 0], np.float32), np.array([900, 100, 0], np.float32)).odds()
        assert found[0] == pytest.approx(np.log(9), abs=0.1)
        assert found[1] == pytest.approx(-np.log(9), abs=0.1)
        assert found[2] == pytest.approx(0, abs=0.01)

    def test_an_item_that_everybody_comes_back_for(self):
        many = np.full(3, 1e7, np.float32)
        assert np.isfinite(Returns(many, many).odds()).all()

    def test_nobody_anywhere(self):
        assert np.isfinite(no_returns().odds()).all()
        assert Returns.of(histories(ann="milk"), 4).takers.sum() == 0


class TestFitting:
    def test_it_finds_that_what_was_taken_often_is_taken_again(self):
        people = choice(examples(400))
        found = fit_habits([people], no_returns())
        odds = found.odds(people.examples, people.had).tocoo()
        taken = people.examples.relevant.toarray()[odds.row, odds.col]
        times = people.examples.counts.toarray()[odds.row, odds.col]
        for often in (times <= 2, times >= 6):
            assert expit(odds.data[often]).mean() == pytest.approx(taken[often].mean(), abs=0.06)
        level = found.weights[HABIT_SIGNALS.index("new")]
        assert expit(level) == pytest.approx(0.1, abs=0.03)

    def test_parts_are_one_whole(self):
        people = choice(examples(60))
        rows = np.arange(60)
        halves = [
            Choice(
                people.examples.take(part),
                people.had[part],
                people.new[part],
                people.scores[part],
                no_returns(),
            )
            for part in (rows[:25], rows[25:])
        ]
        one, two = (fit_habits(each, no_returns()).weights for each in ([people], halves))
        np.testing.assert_allclose(one, two, atol=1e-3)

    def test_few_users_stay_where_the_other_domain_was(self):
        start = Habits(no_returns(), np.array([-4, 2, 0, 0, 0, 0, 0, -3, 0.5]))
        few, many = (fit_habits([choice(examples(n))], no_returns(), start).weights for n in (2, 4_000))
        assert np.abs(few - start.weights).max() < 0.1
        assert many[HABIT_SIGNALS.index("had")] > -3.9
        assert many[HABIT_SIGNALS.index("new")] > -2.5

    def test_nobody_at_all(self):
        start = fit_habits([choice(examples(100))], no_returns())
        assert fit_habits([], no_returns(), start).weights.tolist() == start.weights.tolist()
        nobody = choice(examples(3)).examples.take(np.zeros(0, np.int64))
        none = np.zeros((0, 0), np.int64)
        empty = fit_habits(
            [Choice(nobody, nobody.seen, none, none.astype(np.float32), no_returns())], no_returns(), start
        )
        assert empty.weights.tolist() == start.weights.tolist()


class TestScores:
    def test_they_stand_on_the_scale_of_what_is_new(self):
        people = examples(5)
        weights = np.array([0.5, 1, 0, 0, 0, 0, 0, -1, 2.0])
        reference = np.arange(5, dtype=np.float32)
        found = Habits(no_returns(), weights).scores(people, people.seen, reference).tocoo()
        times = people.counts.tocoo()
        np.testing.assert_allclose(
            found.data, (0.5 + np.log(times.data) + 1) / 2 + reference[times.row], rtol=1e-5
        )

    def test_a_ranker_whose_scores_say_nothing_is_no_reason_to_divide_by_nothing(self):
        people = choice(examples(200))
        backwards = replace(people, scores=np.where(people.new % 2 > 0, 50, -50).astype(np.float32))
        assert fit_habits([backwards], no_returns()).weights[-1] >= 0.1

    def test_what_is_no_longer_in_the_history_was_had_long_ago(self):
        people = examples(5)
        long_ago = csr_array(np.ones((5, 30), np.float32))
        found = fit_habits([choice(examples())], no_returns()).odds(people, long_ago).toarray()
        kept = people.seen.toarray() > 0
        assert found.shape == (5, 30)
        for user in range(5):
            assert found[user, ~kept[user]].max() < found[user, kept[user]].min()

    def test_the_reference_is_the_mean_of_the_ten_best(self):
        scores = np.array([np.arange(20, 0, -1), [3, 1, *[-np.inf] * 18], [-np.inf] * 20], np.float32)
        assert reference_of(scores).tolist() == [15.5, 2, 0]
        assert reference_of(np.zeros((2, 0), np.float32)).tolist() == [0, 0]

    def test_saved_and_read(self):
        found = fit_habits([choice(examples())], no_returns())
        back = Habits.from_arrays(found.arrays())
        people = examples(9, seed=3)
        assert (
            back.odds(people, people.seen).toarray().tolist()
            == found.odds(people, people.seen).toarray().tolist()
        )
        with pytest.raises(ArtefactError, match="returners"):
            Habits.from_arrays({**found.arrays(), "returners": np.zeros(3, np.float32)})
        with pytest.raises(ArtefactError, match="weights"):
            Habits.from_arrays({**found.arrays(), "weights": np.zeros(3, np.float32)})


def test_cuts_may_ask_again_for_what_was_had():
    people = histories(ann="milk milk milk milk", bob="pan pan salt")
    asked = cut_at_random(people, 4, np.random.default_rng(0), per_user=9, again=True)
    new = cut_at_random(people, 4, np.random.default_rng(0), per_user=9)
    assert 0 not in new.users
    of_ann = asked.labels[np.isin(asked.label_owner, np.flatnonzero(asked.users == 0))]
    assert len(of_ann) == 9
    assert (of_ann == 0).all()
