"""A source that misleads: shared ids, other tastes. What the gate makes of it, for several sources.

The gate goes by the higher mean over the target's users. With a hundred of them it can be wrong within the
interval, and the verdict says where it may be chance.

python examples/05_negative_transfer.py
"""

import polars as pl

import rectransfer as rt
from rectransfer.logs import PlantedConfig


def main() -> None:
    rows = []
    for agreement in (1.0, 0.5, 0.0):  # the share of shared items that play the same role in both domains
        planted = rt.plant(PlantedConfig(source_users=250, agreement=agreement, seed=3))
        verdict = rt.Recommender(rt.pretrain(planted.source)).fit(planted.target).verdict
        rows.append(
            (agreement, verdict.ships, verdict.difference, verdict.low, verdict.high, verdict.n_users)
        )
        print(f"agreement {agreement:.0%}: {verdict}")
    print(
        pl.DataFrame(
            rows, schema=["agreement", "ships", "difference", "low", "high", "n_users"], orient="row"
        )
    )


if __name__ == "__main__":
    main()
