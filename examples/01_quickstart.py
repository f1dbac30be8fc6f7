"""The whole main job on planted logs: pretrain, save, fit on a thin target, read the verdict, recommend.

python examples/01_quickstart.py
"""

import logging
import tempfile
from pathlib import Path

import rectransfer as rt


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    planted = rt.plant()
    print("source:", planted.source.describe(), sep="\n  ")
    print("target:", planted.target.describe(), sep="\n  ")

    with tempfile.TemporaryDirectory() as folder:
        rt.pretrain(planted.source, seed=1).save(Path(folder, "source"))
        pretrained = rt.load_pretrained(Path(folder, "source"))

        model = rt.Recommender(pretrained, seed=1).fit(planted.target)
        print("\ncoverage:", model.coverage)
        print("verdict:", model.verdict)
        for name, value in model.verdict.contenders.items():
            print(f"  {name:<40} NDCG@10 {value:.4f}")

        model.save(Path(folder, "target"))
        again = rt.load_recommender(Path(folder, "target"))

    someone = model.users[:1]
    lists = model.recommend(users=someone, k=5)
    print(f"\nfor {someone[0]}:", lists, sep="\n")
    print("the same after loading:", lists.equals(again.recommend(users=someone, k=5)))

    print("\nwho has no history gets what is popular:", model.recommend(users=["someone new"], k=3), sep="\n")


if __name__ == "__main__":
    main()
