"""Items were renamed: a link table says which is which, and without it nothing goes over.

python examples/03_link_table.py
"""

import polars as pl

import rectransfer as rt
from rectransfer.errors import CoverageError


def main() -> None:
    planted = rt.plant()
    pretrained = rt.pretrain(planted.source)

    # the new shop's numbers for the same items
    numbers = {old: f"sku-{row:04d}" for row, old in enumerate(planted.target.items.ids)}
    target = rt.read_log(
        planted.target.frame.with_columns(pl.col("item_id").replace_strict(numbers)), name="the new shop"
    )
    try:
        rt.Recommender(pretrained).fit(target)
    except CoverageError as error:
        print("without a link table:", error, sep="\n  ")

    link = pl.DataFrame({"target_id": list(numbers.values()), "source_id": list(numbers)})
    known = link.filter(pl.col("source_id").is_in(planted.source.items.ids.implode()))
    print(f"\n{known.height} of {link.height} items have a counterpart in the source")

    model = rt.Recommender(pretrained).fit(target, link=known)
    print("coverage:", model.coverage)
    print("verdict:", model.verdict)
    print(model.recommend(users=model.users[:1], k=5))


if __name__ == "__main__":
    main()
