"""Why an item was recommended: contributions that add up, reasons in words, and what comes from the source.

python examples/09_explanations.py
"""

import polars as pl

import rectransfer as rt
from rectransfer.explain import Templates, importance, segments_of, transfer_share
from rectransfer.logs import PlantedConfig

GERMAN = Templates(
    often="Weil Sie oft {items} kaufen.",
    taken="Weil Sie {items} gekauft haben.",
    untitled="Es passt zu dem, was Sie kaufen.",
    signals={"popularity": "Viele andere wählen es auch.", "tower": "Es ist allgemein beliebt."},
    two="{0} und {1}",
)


def main() -> None:
    planted = rt.plant(
        PlantedConfig(source_users=200, target_users=60, source_items=60, target_items=60, seed=2)
    )
    model = rt.Recommender(rt.pretrain(planted.source)).fit(planted.target)
    titles = planted.items.select("item_id", title=pl.lit("Tea no. ") + pl.col("item_id").str.slice(1))

    user = model.users[0]
    explained = model.explain([user], k=1)
    print(f"{user} gets {explained.items[0]} with a score of {explained.scores[0]:.4f}:")
    print(explained.frame("groups"))
    told = explained.frame("history").filter(pl.col("because").is_not_null())
    print("what the history adds to that:")
    print(told.group_by("because").agg(pl.col("contribution").sum()).sort("contribution", descending=True))

    with pl.Config(fmt_str_lengths=90, tbl_width_chars=140):
        print(model.reasons(model.users[:3], k=2, titles=titles).select("user_id", "item_id", "reason"))
        print(model.reasons([user], k=2, titles=titles, templates=GERMAN)["reason"])

    everybody = model.explain(k=5)
    print(importance(everybody).sort("mean", descending=True))
    print(transfer_share(everybody, segments_of(everybody, model.taken)))


if __name__ == "__main__":
    main()
