"""Your own model against ours and the usual baselines: same users, same test, paired intervals.

python examples/06_your_own_model.py
"""

from datetime import datetime

import numpy as np

import rectransfer as rt
from rectransfer.evaluation import Task, run_baselines
from rectransfer.logs import PlantedConfig, split_by_time


def main() -> None:
    planted = rt.plant(PlantedConfig(target_users=300, target_steps=12, seed=4))
    split = split_by_time(planted.target, datetime(2024, 3, 22))
    task = Task(
        name="the target from 22 March on",
        source=planted.source,
        target=split.before,
        histories=split.before,
        test=split.after,
        items=planted.target_catalogue,
        guarantee=split.guarantee,
    )
    contest = run_baselines(task, ["popularity", "itemknn_target", "ease_target", "ease_pooled"])

    # lists of a fitted recommender
    model = rt.Recommender(rt.pretrain(planted.source)).fit(task.target, items=task.items.ids)
    contest = contest.add(
        "rectransfer", lists=model.recommend(users=task.users.ids, k=10, items=task.items.ids)
    )

    # or scores of whatever you have, one row a user of the task and one column an item of its catalogue:
    # here the rules that the logs were drawn from, and chance
    rules = planted.best_next(split.before)[split.before.users.rows(task.users.ids)]
    contest = contest.add("the true rules", scores=rules)
    contest = contest.add("chance", scores=np.random.default_rng(0).random(rules.shape))

    print(task.guarantee)
    print(contest.table())
    print(contest.compare("rectransfer").frame())
    print(contest.compare("ease_pooled").verdict)


if __name__ == "__main__":
    main()
