"""Explanations of a fitted model: what adds up, against what, and what bad input gets."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError, NotFittedError, UnknownUserError
from rectransfer.explain import BASE, Explanations, history, sample_background
from rectransfer.explain.history import Entries, sums
from rectransfer.logs import PlantedDomains
from rectransfer.ranking import Examples, Histories, UserInputs, uncut
from rectransfer.recommend import Recommender, load_recommender
from rectransfer.vocabulary import Vocabulary


def histories(model: Recommender, users: list[Any]) -> Examples:
    state = model._fitted
    return uncut(Histories.from_log(state.log, state.items, Vocabulary.from_ids(users)), len(state.items))


def test_the_recommended_items_are_explained_in_order(model: Recommender, explained: Explanations) -> None:
    expected = model.recommend(model.users[:30], k=5)

    assert explained.users.to_list() == expected["user_id"].to_list()
    assert explained.items.to_list() == expected["item_id"].to_list()
    assert explained.ranks.tolist() == expected["rank"].to_list()
    np.testing.assert_allclose(explained.scores, expected["score"].to_numpy(), rtol=1e-5, atol=1e-5)


def test_contributions_add_up_to_the_score(explained: Explanations) -> None:
    for parts in (explained.contributions, explained.by_group):
        np.testing.assert_allclose(explained.base + parts.sum(axis=1), explained.scores, atol=1e-6, rtol=0)


@pytest.mark.parametrize("by", ["signals", "groups", "history"])
def test_the_rows_of_a_frame_add_up_to_the_score(explained: Explanations, by: Any) -> None:
    frame = explained.frame(by)

    sums = frame.group_by("user_id", "item_id", maintain_order=True).agg(pl.col("contribution").sum())
    assert sums["item_id"].to_list() == explained.items.to_list()
    np.testing.assert_allclose(sums["contribution"].to_numpy(), explained.scores, atol=1e-6, rtol=0)
    names = ["user_id", "item_id", "part", "value", "contribution"]
    assert [name for name in frame.columns if name != "because"] == names
    assert frame.filter(pl.col("part") == BASE).height == len(explained)


def test_the_history_adds_up_to_its_signals(explained: Explanations) -> None:
    told = explained.told

    assert {name.partition(".")[2] for name in told.signals} == {
        *("affinity_recent", "affinity_steady", "neighbours", "tower"),
        *("follows_last", "follows_recent"),
    }
    for place, name in enumerate(told.signals):
        theirs = np.bincount(told.pair, told.contributions[:, place], minlength=len(explained))
        whole = explained.contributions[:, explained.signals.index(name)]
        if not name.endswith("tower"):  # its biases are nobody's history
            np.testing.assert_allclose(theirs, whole, atol=1e-9)
        np.testing.assert_allclose(
            theirs + explained.apart[:, explained.signals.index(name)], whole, atol=1e-12
        )


def test_the_history_is_the_users(model: Recommender, explained: Explanations) -> None:
    had = model._fitted.log.frame.group_by("user_id", "item_id").len("times")
    told = pl.DataFrame(
        [
            explained.users.gather(explained.told.pair).alias("user_id"),
            explained.told.items.alias("item_id"),
            pl.Series("counts", explained.told.counts),
        ]
    )

    found = told.join(had, on=["user_id", "item_id"], how="left")

    assert (found["counts"] == found["times"]).all()
    assert np.bincount(explained.told.pair, minlength=len(explained)).tolist() == explained.lengths.tolist()


def test_sums_over_the_history_are_the_signals_themselves(model: Recommender) -> None:
    """If a signal is computed in another way one day, its split has to follow: this test says so."""
    scene, examples = model._fitted.scene, histories(model, model.users[:12])
    candidates = scene.candidates(examples, exclude=examples.seen)
    users = np.repeat(np.arange(len(examples)), 6)
    items = candidates[:, :6].ravel()

    found = sums(scene, scene.names, Entries.of(examples, users, items), candidates)

    slate = scene.slate(examples, candidates)
    for name, split in found.items():
        signal = slate.columns((name,))[:, :6, 0].ravel()
        if name.endswith(("affinity_recent", "affinity_steady")):
            np.testing.assert_allclose(split.wholes, signal, atol=1e-5)
        elif "follows" in name:
            np.testing.assert_allclose(np.log(split.wholes + 0.1), signal, atol=1e-4)
        elif name.endswith("neighbours"):
            np.testing.assert_allclose(np.log(np.maximum(split.wholes, 0) + 0.03), signal, atol=1e-4)
        np.testing.assert_allclose(
            np.bincount(
                np.repeat(np.arange(len(users)), np.diff(examples.counts.indptr)[users]), split.shares
            ),
            1.0,
        )


def test_the_tower_without_its_history_is_its_bias(model: Recommender) -> None:
    """The history's part is what is lost when all averages are nil and the length stays."""
    scene, examples = model._fitted.scene, histories(model, model.users[:8])
    name, towers = next(iter(scene.towers.items()))
    candidates = scene.candidates(examples, exclude=examples.seen)[:, :5]
    users, items = np.repeat(np.arange(len(examples)), 5), candidates.ravel()
    known = next(one for one in scene.evidence if one.name == name).known[items]

    split = sums(scene, (f"{name}.tower",), Entries.of(examples, users, items), candidates)[f"{name}.tower"]

    expected = np.zeros(len(items))
    for tower in towers.members:
        whole = tower.encode_users(examples)
        inputs = UserInputs.of(examples, tower.vectors.numpy())
        nothing = tower.users(UserInputs(inputs.pooled * 0, inputs.lengths)).detach().numpy()
        gone = (whole - nothing)[users] * tower.encode_items()[items]
        expected += gone.sum(axis=1) / len(towers)
    np.testing.assert_allclose(split.wholes[known], expected[known], atol=2e-5)


def test_a_model_of_few_signals_plays_them_all(alone: Recommender) -> None:
    found = alone.explain(alone.users[:5], k=3)

    assert found.groups == found.signals == alone.signals
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.scores, atol=1e-6)


def test_items_are_explained_as_they_stand(model: Recommender) -> None:
    user, (best, *_) = model.users[3], model.recommend([model.users[3]], k=1)["item_id"].to_list()
    had = model.taken.filter(pl.col("user_id") == user)["item_id"][0]

    found = model.explain([user], items=[best, had])

    place = found.items.to_list().index(best)
    assert set(found.items.to_list()) == {best, had}
    assert found.ranks[place] == 1
    assert found.scores[place] == pytest.approx(model.explain([user], k=1).scores[0], abs=1e-6)


def test_explained_twice_it_says_the_same(model: Recommender, explained: Explanations, tmp_path: Any) -> None:
    model.save(tmp_path / "model")
    again = load_recommender(tmp_path / "model").explain(model.users[:30], k=5)

    assert again.frame().equals(explained.frame())


def test_what_is_kept_of_items_changes_nothing(
    model: Recommender, explained: Explanations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_KEPT", 0)

    again = model.explain(model.users[:30], k=5)

    np.testing.assert_array_equal(again.told.contributions, explained.told.contributions)


def test_users_alone_are_explained_as_among_others(model: Recommender, explained: Explanations) -> None:
    found = model.explain([model.users[4]], k=5)

    rows = [row for row, user in enumerate(explained.users) if user == model.users[4]]
    np.testing.assert_allclose(found.contributions, explained.contributions[rows], atol=1e-5)
    assert explained.take(rows).frame("history").height == found.frame("history").height


def test_lists_of_users_are_explained_as_what_is_recommended(
    model: Recommender, explained: Explanations
) -> None:
    state = model._fitted
    users = explained.users.unique(maintain_order=True).to_list()
    lists = np.full((len(users), 6), -1)
    lists[:, :5] = state.items.rows(explained.items).reshape(-1, 5)[:, ::-1]
    lists[3, 2:] = -1  # fewer than the others
    named, had = Vocabulary(pl.Series(users)), state.viewed(Vocabulary(pl.Series(users)), None)

    parts = model.explainer().listed(histories(model, users), named, lists, exclude=had)
    found = Explanations.joined(list(parts))

    place = {pair: at for at, pair in enumerate(zip(explained.users, explained.items, strict=True))}
    same = explained.take([place[pair] for pair in zip(found.users, found.items, strict=True)])
    assert len(found) == len(explained) - 3
    unknown = found.values[:, found.signals.index("source.unknown")] > 0
    assert 0 < unknown.sum() < len(found)  # these get what all candidates have on average
    np.testing.assert_allclose(found.values, same.values, atol=1e-5)
    np.testing.assert_allclose(found.contributions, same.contributions, atol=1e-5)
    np.testing.assert_allclose(found.told.contributions, same.told.contributions, atol=1e-5)
    ranks = found.ranks[found.users.to_numpy() != users[3]]
    np.testing.assert_array_equal(ranks, np.tile(np.arange(1, 6), len(users) - 1))


def test_a_user_without_history_is_explained_by_popularity(alone: Recommender) -> None:
    found = alone.explain(["nobody", alone.users[0]], k=3)

    popularity = found.signals.index("target.popularity")
    assert found.users.to_list() == ["nobody"] * 3 + [alone.users[0]] * 3
    assert found.items[:3].to_list() == alone.recommend(["nobody"], k=3)["item_id"].to_list()
    assert found.contributions[:3, popularity].tolist() == found.scores[:3].tolist()
    assert np.abs(np.delete(found.contributions[:3], popularity, axis=1)).max() == 0
    nobody = found.frame("history").filter(pl.col("user_id") == "nobody")
    assert nobody["because"].null_count() == nobody.height
    assert alone.explain(["nobody"], on_unknown_users="skip").frame().is_empty()
    with pytest.raises(UnknownUserError, match="nobody"):
        alone.explain(["nobody"], on_unknown_users="raise")


def test_popularity_that_a_model_does_not_look_at_is_its_base(alone: Recommender) -> None:
    state = alone._fitted
    names = {name: name for name in alone.signals if name != "target.popularity"}
    other = Recommender(None)
    other._state = replace(state, ranker=state.ranker.renamed(names))

    found = other.explain(["nobody"], k=3)

    assert found.base.tolist() == found.scores.tolist() == alone.explain(["nobody"], k=3).scores.tolist()
    assert not found.contributions.any()


def test_many_signals_are_grouped(model: Recommender, explained: Explanations) -> None:
    assert explained.signals == model.signals
    assert len(explained.groups) < len(explained.signals) > 12
    for group, columns in enumerate(explained.players.columns):
        np.testing.assert_allclose(
            explained.by_group[:, group], explained.contributions[:, columns].sum(axis=1)
        )


def test_a_user_without_history_and_items_asked_for(model: Recommender) -> None:
    best, second = model.recommend(["nobody"], k=2)["item_id"].to_list()

    found = model.explain(["nobody"], items=[second, best])

    assert dict(zip(found.items, found.ranks.tolist(), strict=True)) == {best: 1, second: 2}


def test_a_history_brought_along(model: Recommender, domains: PlantedDomains) -> None:
    history = domains.target.frame.filter(pl.col("user_id") == model.users[0]).with_columns(
        user_id=pl.lit("guest")
    )

    found = model.explain(k=4, history=history)

    assert found.users.to_list() == ["guest"] * 4
    assert set(found.told.items.to_list()) == set(history["item_id"].to_list())


def test_a_history_without_rows_counts_as_none(model: Recommender) -> None:
    users, empty = model.users[:2], pl.DataFrame({"user_id": [], "item_id": [], "timestamp": []})

    found = model.explain(users, k=2, history=empty)

    assert found.frame().equals(model.explain(users, k=2).frame())
    assert model.reasons(users, k=2, history=empty).equals(model.reasons(users, k=2))
    with pytest.raises(InputError, match="history: no column 'timestamp'"):
        model.explain(users, k=2, history=empty.drop("timestamp"))


def test_what_users_bring_as_persons_is_a_part(only_profiles: Recommender) -> None:
    """Somebody whom the source knows and who has done nothing: the profile is all there is to go by."""
    state = only_profiles._fitted
    assert state.scene.profiles is not None
    stranger = next(user for user in state.scene.profiles.users.ids if user not in set(only_profiles.users))
    model = Recommender(None)
    rows = state.log.frame.filter(pl.col("user_id") != stranger)
    model._state = replace(state, log=state.log.with_frame(rows))

    found = model.explain([stranger, only_profiles.users[0]], k=3)

    assert found.users[:3].to_list() == [stranger] * 3
    assert found.lengths[:3].tolist() == [0, 0, 0]
    assert "profile" in found.groups
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.scores, atol=1e-6)
    assert found.told.pair.min() >= 3
    assert np.abs(found.contributions[:3, found.signals.index("profile.affinity")]).max() > 0


def test_nobody(model: Recommender) -> None:
    found = model.explain([])

    assert len(found) == 0
    assert found.frame("history").columns == [
        "user_id",
        "item_id",
        "part",
        "because",
        "value",
        "contribution",
    ]
    assert model.reasons([]).height == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"items": ["no such item"]}, "1 of the 1 ids in items are not on sale, for example 'no such item'"),
        ({"items": []}, "items is empty"),
        ({"k": 0}, "k=0"),
        ({"users": [7]}, "Int64"),
        ({"on_unknown_users": "guess"}, "guess"),
    ],
)
def test_input_that_cannot_be_used(model: Recommender, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        model.explain(**arguments)


def test_fit_comes_first() -> None:
    with pytest.raises(NotFittedError):
        Recommender(None).explain()


def test_a_frame_of_something_else(explained: Explanations) -> None:
    with pytest.raises(InputError, match="choose one of"):
        explained.frame("dimensions")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="choose"):
        explained.shap("history")  # type: ignore[arg-type]


def test_explanations_of_other_signals_are_not_joined(explained: Explanations, alone: Recommender) -> None:
    with pytest.raises(InputError, match="2 explanations"):
        Explanations.joined([explained, alone.explain(alone.users[:1])])


def test_the_background_is_of_real_users(model: Recommender) -> None:
    state, examples = model._fitted, histories(model, model.users)

    found = sample_background(state.scene, examples, 40, 1, exclude=examples.seen)
    again = sample_background(state.scene, examples, 40, 1, exclude=examples.seen)
    other = sample_background(state.scene, examples, 40, 2, exclude=examples.seen)

    assert len(found) == 40
    np.testing.assert_array_equal(found.signals, again.signals)
    assert not np.array_equal(found.items, other.items)
    assert len(sample_background(state.scene, examples.take(np.arange(2)), 9)) == 9
    with pytest.raises(InputError, match="0 rows"):
        sample_background(state.scene, examples, 0)
    with pytest.raises(InputError, match="0 users"):
        sample_background(state.scene, examples.take(np.zeros(0, np.int64)), 3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"seed": -1}, "seed=-1; expected a whole number from 0"),
        ({"seed": "a"}, "seed='a'; expected a whole number from 0"),
        ({"seed": [1]}, "expected a whole number from 0"),
        ({"seed": 0.5}, "seed=0.5; expected a whole number from 0"),
        ({"background": 0}, "a background of 0 rows; expected a whole number from 1"),
        ({"background": "a"}, "a background of 'a' rows; expected a whole number from 1"),
        ({"background": 2.5}, "a background of 2.5 rows; expected a whole number from 1"),
    ],
)
def test_a_background_that_cannot_be_drawn(model: Recommender, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        model.explainer(**wrong)
