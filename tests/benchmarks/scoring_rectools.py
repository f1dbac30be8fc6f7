"""RecTools' recommend of everybody, timed: `scoring_rectools.py USERS.parquet N`; prints JSON.

It runs in the environment that has RecTools, which needs an older NumPy than we do, so it imports nothing of
ours. The model is implicit's ALS in RecTools' wrapper, of as many dimensions and threads as the others have;
interactions are in memory, as are users' factors, and the answer is a frame of external ids.
"""

import json
import sys
import time
from importlib.metadata import version

DIMENSIONS, K, THREADS = 64, 10, 2


def main() -> None:
    import pandas as pd
    from implicit.als import AlternatingLeastSquares
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import ImplicitALSWrapperModel

    rows = pd.read_parquet(sys.argv[1], columns=["user_id", "item_id", "timestamp"])
    rows = rows[rows["user_id"] < int(sys.argv[2])].rename(columns={"timestamp": Columns.Datetime})
    dataset = Dataset.construct(rows.assign(**{Columns.Weight: 1.0}))
    als = AlternatingLeastSquares(factors=DIMENSIONS, iterations=1, num_threads=THREADS, random_state=0)
    model = ImplicitALSWrapperModel(als, recommend_n_threads=THREADS).fit(dataset)
    users = rows[Columns.User].unique()
    start = time.perf_counter()
    found = model.recommend(users, dataset, k=K, filter_viewed=True)
    seconds = time.perf_counter() - start
    assert len(found) == len(users) * K
    sys.stdout.write(json.dumps({"seconds": seconds, "version": version("rectools")}) + "\n")


if __name__ == "__main__":
    main()
