"""Which of several sources? Ranked by small models, then fitted to see whether the order was right.

python examples/08_source_selection.py
"""

import numpy as np
import polars as pl

import rectransfer as rt
from rectransfer.logs import InteractionLog, PlantedConfig
from rectransfer.selection import kendall_tau


def mislabelled(log: InteractionLog, share: float) -> InteractionLog:
    """The same log, a share of its items called by each other's ids."""
    ids, draw = log.items.ids, np.random.default_rng(0)
    chosen = draw.permutation(len(ids))[: round(share * len(ids))]
    other = np.arange(len(ids))
    other[np.sort(chosen)] = chosen
    names = dict(zip(ids.to_list(), ids.gather(other).to_list(), strict=True))
    return log.with_frame(log.frame.with_columns(pl.col("item_id").replace_strict(names)))


def main() -> None:
    planted = rt.plant(PlantedConfig(source_users=200, target_users=120, seed=3))
    sources = {
        f"{share:.0%} mislabelled": rt.pretrain(mislabelled(planted.source, share))
        for share in (1.0, 0.0, 0.5)
    }

    selection = rt.select_source(sources, planted.target)
    print(selection)
    print(selection.table.select("name", "rank", "gain", "gain_low", "gain_high", "neighbour_overlap"))

    gains = []
    for name in selection.table["name"]:
        verdict = rt.Recommender(sources[name]).fit(planted.target).verdict
        gains.append(verdict.difference)
        print(f"{name:<17} {verdict}")
    tau = kendall_tau(selection.table["gain"], gains)
    print(f"\nKendall's tau between the small models' gains and the gate's measurement: {tau.mean:.2f}")


if __name__ == "__main__":
    main()
