import numpy as np
import pytest

from rectransfer.errors import InputError
from rectransfer.evaluation import compare
from rectransfer.metrics import holm, paired_bootstrap

GENERATOR = np.random.default_rng(0)
ALONE = GENERATOR.random(300)
BETTER = ALONE + GENERATOR.normal(0.05, 0.1, 300)
SAME = ALONE + GENERATOR.normal(0.0, 0.1, 300)
WORSE = ALONE + GENERATOR.normal(-0.05, 0.1, 300)


def test_differences_are_those_of_the_paired_bootstrap_with_holms_p():
    outcome = compare({"alone": ALONE, "better": BETTER, "same": SAME}, "alone", seed=3)
    pairs = [paired_bootstrap(values, ALONE, seed=3) for values in (BETTER, SAME)]
    assert outcome["better"].difference == pairs[0]
    assert [outcome["better"].p, outcome["same"].p] == holm([pair.p for pair in pairs]).tolist()
    assert outcome["alone"].difference is None
    assert outcome["better"].mean.mean == pytest.approx(BETTER.mean())


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (BETTER, "m is better than alone: ndcg@10 "),
        (WORSE, "m is worse than alone: ndcg@10 "),
        (ALONE, "m and alone cannot be told apart: ndcg@10 "),
    ],
)
def test_the_verdict_in_words(values, verdict):
    outcome = compare({"alone": ALONE, "m": values}, metric="ndcg@10")
    assert outcome.verdict.startswith(verdict)
    assert "300 users" in str(outcome)


def test_the_frame_has_a_row_a_model():
    frame = compare({"m": BETTER, "alone": ALONE}, "alone").frame()
    assert frame["name"].to_list() == ["m", "alone"]
    assert frame.columns == [
        "name",
        "mean",
        "low",
        "high",
        "difference",
        "difference_low",
        "difference_high",
        "p",
    ]
    assert frame.row(1)[4:] == (None, None, None, None)
    assert frame["difference"][0] == pytest.approx((BETTER - ALONE).mean())


def test_seeds_are_averaged_for_each_user():
    seeds = np.stack([BETTER - 0.2, BETTER + 0.2])
    assert compare({"alone": ALONE, "m": seeds})["m"].mean.mean == pytest.approx(BETTER.mean())


def test_among_many_equal_models_hardly_ever_one_stands_out():
    families = 100
    naive = corrected = 0
    for seed in range(families):
        noise = np.random.default_rng(seed).normal(0.0, 0.1, (8, 100))
        outcome = compare(
            {"alone": ALONE[:100], **{f"m{i}": ALONE[:100] + row for i, row in enumerate(noise)}}, n=500
        )
        others = [model for model in outcome.models if model.difference is not None]
        naive += any(model.difference.excludes_zero for model in others)
        corrected += any(model.differs for model in others)
    assert naive > 0.2 * families  # one in three, for eight comparisons at 5 %
    assert corrected <= 0.12 * families  # 5 % is promised; 12 of 100 is three standard errors above


def test_the_best_may_be_the_reference():
    assert compare({"alone": ALONE, "m": WORSE}).best.name == "alone"


@pytest.mark.parametrize(
    ("values", "reference", "message"),
    [
        ({"a": [1, 2]}, None, "two models at least"),
        ({"a": [1, 2], "b": [1, 2]}, "c", "'c' is not among the models"),
        ({"a": [1, 2], "b": [1, 2, 3]}, "a", "b has 2"),
        ({"a": np.ones((1, 1, 2)), "b": [1, 2]}, "a", r"\(n_seeds, n_users\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(values, reference, message):
    with pytest.raises(InputError, match=message):
        compare(values, reference)


def test_an_unknown_name_is_named():
    with pytest.raises(InputError, match="'z' was not compared"):
        compare({"a": [1.0, 2.0], "b": [1.0, 3.0]})["z"]
