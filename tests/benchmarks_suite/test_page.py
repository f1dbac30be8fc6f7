from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import render
from suite.cells import Key, Store
from suite.figures import learning_curve
from suite.page import page, short
from suite.statistics import PICKED, clustered_bootstrap, points, single_cells, versus

from rectransfer.metrics import holm, paired_bootstrap


def cell(means, n=80, spread=0.02, **more):
    """A summary and users' values whose means are given, but for noise."""
    rng = np.random.default_rng(0)
    hard = rng.uniform(0, 0.3, n)
    values = {name: np.clip(mean + hard + rng.normal(0, spread, n), 0, 1) for name, mean in means.items()}
    summary = {
        "target_users": 10,
        "test_users": n,
        "items": 50,
        "verdict": {"ships": "transfer", "contenders": {"target alone": 0.2, "transfer, averaged": 0.3}},
        "seconds_in_all": 1.0,
        "code": "c",
        "commit": "0123456789abcdef",
        "changed_since": False,
        "date": "2030-01-01",
        "cores": 2,
        "versions": {"numpy": "2"},
    }
    return {**summary, **more}, pl.DataFrame({"user_id": [f"u{i}" for i in range(n)], **values})


@pytest.fixture
def store(tmp_path):
    """MovieLens: better than the best baseline. Meat: worse than without the source."""
    store = Store(tmp_path / "cells")
    better = {"popularity": 0.1, "ease_pooled": 0.2, "ease_target": 0.15}
    for share in (0.1, 1.0):
        for seed in (0, 1):
            own = {"rectransfer_target": 0.2, "rectransfer": 0.25}
            store.write(Key("movielens", share, seed), *cell({**better, **own}))
        own = {"rectransfer_target": 0.3, "rectransfer": 0.2}
        store.write(
            Key("category-meat", share, 0), *cell({"popularity": 0.1, "ease_pooled": 0.2, **own}, code="d")
        )
    return store


def test_wins_losses_and_negative_transfer(store):
    found = points(store)
    assert list(found) == ["category-meat", "movielens"]
    best = versus(found)
    assert [row.other for row in best] == ["ease_pooled"] * 4
    assert [row.better for row in best] == [False, False, True, True]
    alone = versus(found, "rectransfer_target")
    assert [row.worse for row in alone] == [True, True, False, False]
    assert best[2].lift == pytest.approx(best[2].gap.mean / best[2].point.mean("ease_pooled"))
    text = page(found)
    assert "6 cells: 2 tasks, 2 shares, up to 2 seeds." in text
    assert "| the best baseline, all shares | 4 | 2 | 0 | 2 | 2 | 0 |" in text
    assert "| `rectransfer_target`, all shares | 4 | 2 | 2 | 0 | 2 | 2 |" in text
    assert "is significantly below `rectransfer_target` at 2 of 4 points" in text
    assert "in 2 of 6 single cells" in text
    assert "| A new department: meat | 10 % | 0 | -0." in text
    assert "versions of the code" not in text
    one = replace(found["movielens"][0], cells={0: found["movielens"][0].cells[0]})
    assert "1 cell: 1 task, 1 share, 1 seed." in page({"movielens": [one]})
    assert "4 cells: 1 task, 2 shares, 2 seeds." in page({"movielens": found["movielens"]})


def test_the_picked_baseline_is_the_one_that_did_best_inside_the_log(store):
    assert PICKED not in page(points(store))
    means = {"popularity": 0.1, "ease_pooled": 0.2, "rectransfer_target": 0.15, "rectransfer": 0.25}
    for seed, popularity in enumerate((0.5, 0.3)):
        for share in (0.1, 1.0):
            validation = {"popularity": popularity, "ease_pooled": 0.4}
            store.write(Key("movielens", share, seed), *cell(means, validation=validation))
    found = {"movielens": points(store)["movielens"]}
    for point in found["movielens"]:
        assert point.best == "ease_pooled"
        assert PICKED not in point.models
        picked = [point.by_seed("popularity")[0], point.by_seed("ease_pooled")[1]]
        assert point.by_seed(PICKED).tolist() == picked
    row, _ = versus(found, PICKED)
    text = page(found)
    assert f"where settings are chosen, too: **{row.lift:+.1%}** (" in text
    assert f"| *{PICKED}*, 2 to 25 % | 1 | 1 | 0 | 0 | 1 | 0 |" in text
    assert f"| *{PICKED}* | {row.point.mean(PICKED):.4f} |" in text
    assert f"Over the baseline that the target's own log picks it is **{row.lift:+.1%}** (" in short(found)
    assert "own log picks" not in short({"category-meat": points(store)["category-meat"]})


def test_how_much_there_is_to_gain_is_what_the_whole_log_gives(store):
    found = points(store)
    (thin,) = (point for point in found["category-meat"] if point.share == 0.1)
    (whole,) = (point for point in found["category-meat"] if point.share == 1)
    gain = whole.mean("rectransfer_target") / thin.mean("ease_pooled") - 1
    text = page(found)
    assert "| task | 10 % |" in text
    assert f"| A new department: meat | {gain:+.1%} |" in text
    without = {task: [point for point in of_task if point.share < 1] for task, of_task in found.items()}
    assert "How much there is to gain" not in page(without)


def test_what_the_gate_measured_is_a_mean_over_seeds_and_a_cell_unmeasured_is_left_out(store):
    text = page(points(store))
    assert "| contender | 10 % | 100 % |" in text
    assert text.count("| transfer, averaged | 0.3000 | 0.3000 |") == 2
    means = {"popularity": 0.1, "rectransfer_target": 0.1, "rectransfer": 0.2}

    def measured(seed, alone, averaged):
        contenders = {"target alone": alone, "transfer, averaged": averaged}
        store.write(
            Key("category-meat", 0.1, seed),
            *cell(means, verdict={"ships": "transfer", "contenders": contenders}),
        )

    measured(0, 0.1, 0.5)
    measured(1, 0.3, None)
    text = page(points(store))
    assert "| target alone | 0.1000 | 0.2000 |" in text
    measured(0, None, None)
    assert "| contender | 100 % |" in page(points(store))


def test_cells_of_different_code_are_pointed_out(store):
    store.write(
        Key("movielens", 0.1, 0),
        *cell({"popularity": 0.1, "rectransfer_target": 0.1, "rectransfer": 0.2}, code="e"),
    )
    assert "**These cells were measured with 2 versions of the code.**" in page(points(store))


def test_p_values_are_adjusted_over_all_points(store):
    found = points(store)
    rows = versus(found)
    raw = [row.point.difference(row.other).p for row in rows]
    assert [row.p for row in rows] == pytest.approx(holm(raw).tolist())
    assert max(row.p for row in rows) > max(raw[2:])


def test_users_in_several_seeds_are_one_cluster():
    rng = np.random.default_rng(0)
    each = rng.normal(0.02, 0.1, 100)
    once = paired_bootstrap(each, np.zeros(100), n=4000)
    names = np.array([f"u{i}" for i in range(100)])
    again = clustered_bootstrap(np.tile(each, 5), np.tile(names, 5), n=4000)
    apart = clustered_bootstrap(np.tile(each, 5), np.arange(500), n=4000)
    width = once.high - once.low
    assert again.n_users == 100
    assert again.mean == pytest.approx(once.mean)
    assert again.high - again.low == pytest.approx(width, rel=0.1)  # five copies tell no more than one
    assert apart.high - apart.low == pytest.approx(width / np.sqrt(5), rel=0.1)


def test_clusters_of_different_sizes_count_by_their_values():
    values, clusters = np.array([1.0, 1.0, 1.0, 0.0]), np.array(["a", "a", "a", "b"])
    found = clustered_bootstrap(values, clusters, n=500)
    assert found.mean == 0.75
    assert (found.low, found.high) == (0.0, 1.0)


def test_single_cells_have_one_seed_each(store):
    assert [len(of_task) for of_task in single_cells(points(store)).values()] == [2, 4]
    for of_task in single_cells(points(store)).values():
        assert all(point.users["seed"].n_unique() == 1 for point in of_task)


def test_the_readme_has_a_row_a_task_and_keeps_the_rest(store):
    table = short(points(store))
    assert table.count("\n| ") == 3
    text = f"# a\n{render.BEGIN}old{render.END}\nrest"
    assert render.between(text, table) == f"# a\n{render.BEGIN}\n{table}\n{render.END}\nrest"
    with pytest.raises(ValueError, match="to write the table between"):
        render.between("# a", table)


def test_everything_is_written_and_twice_the_same(store, tmp_path):
    where = ["--cells", str(store.folder), "--page", str(tmp_path / "results.md")]
    render.main(where)
    svg = tmp_path / "results" / "movielens.svg"
    first = svg.read_bytes()
    render.main(where)
    assert first == svg.read_bytes()
    assert first.count(b"<path") > 20
    text = (tmp_path / "results.md").read_text()
    assert all(
        (tmp_path / f"results/{task}.svg").exists() and f"results/{task}.svg" in text
        for task in points(store)
    )


def test_a_figure_of_one_seed(store, tmp_path):
    one = [point for point in points(store)["category-meat"] if point.share == 1.0]
    learning_curve(one, tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 5_000
