"""Settings that suit a target: a small search, stopped and gone on with, and what it is worth on later data.

python examples/07_tuning.py

It needs the extra `tune`.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl

import rectransfer as rt
from rectransfer.embeddings import Item2Vec
from rectransfer.evaluation import evaluate
from rectransfer.logs import PlantedConfig
from rectransfer.recommend import RecommenderConfig
from rectransfer.tuning import Range, choice, log_float, log_integer

SPACE: dict[str, Range] = {
    "item2vec.epochs": log_integer(5, 40),
    "ranker.epochs": log_integer(2, 40),
    "ranker.learning_rate": log_float(1e-3, 1e-1),
    "ranker.hidden": choice(0, 16),
}


def main() -> None:
    planted = rt.plant(PlantedConfig(target_users=240, target_steps=12, seed=4))
    known = pl.col("user_id").is_in(planted.target.users.ids[:120].implode())
    target = planted.target.with_frame(planted.target.frame.filter(known))
    # a poor start, so that there is something to find
    start = RecommenderConfig(item2vec=Item2Vec(dimensions=16, epochs=5), folds=2)
    start = replace(start, train=replace(start.train, epochs=1), ranker=replace(start.ranker, epochs=1))

    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder, "study.db")
        for trials in (3, 8):  # the second call goes on where the first one stopped
            tuned = rt.tune(target, space=SPACE, config=start, trials=trials, folds=2, study=study)
            print(f"after {trials} trials: {tuned}\n")
    print(tuned.trials.sort("gain", descending=True))

    strangers = planted.target.frame.filter(~known)
    history = strangers.filter(pl.int_range(pl.len()).over("user_id") < 8)
    later = planted.target.with_frame(strangers.filter(pl.int_range(pl.len()).over("user_id") >= 8))
    for name, config in {"before": start, "tuned": tuned.config}.items():
        model = rt.Recommender(None, config=config).fit(target)
        found = evaluate(model, later, histories=planted.target.with_frame(history))
        print(f"{name:<6} NDCG@10 of users whom nobody tuned on: {found.means['ndcg@10']}")


if __name__ == "__main__":
    main()
