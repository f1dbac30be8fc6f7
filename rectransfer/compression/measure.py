"""Size, speed and quality of a recommender."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.ranking import Examples, Histories, cut_at_share
from rectransfer.recommend import Recommender, State
from rectransfer.vocabulary import Vocabulary

__all__ = ["Measured", "bytes_on_disk", "measure", "validation"]

_MOST_USERS: Final = 500
_TIMED_USERS: Final = 200
_REPEATS: Final = 3


@dataclass(frozen=True, eq=False)
class Measured:
    """How large, fast and good a recommender is.

    Attributes:
        bytes: Of the saved folder.
        milliseconds: Of `recommend(k=10)` a user, median of three times 200 users.
        ndcg: NDCG@10 of each validation user, shape `(n_users,)`.
    """

    bytes: int
    milliseconds: float
    ndcg: npt.NDArray[np.float64]


def validation(state: State, seed: int = 0) -> Examples:
    """The target's users, each cut in time: three quarters of the visits are history, the rest is sought.

    The model has learned from all of it, so its NDCG is high; before and after are measured alike. At most
    500 users are drawn.

    Raises:
        InputError: Fewer than two users have a second visit with something new.
    """
    users = Vocabulary.from_ids(state.target[Columns.User])
    n_items = len(state.items)
    histories = Histories.from_log(state.log, state.items, users)
    histories = histories.to_cut(at_once=histories.at_once)
    examples = cut_at_share(histories, n_items, labels_in=state.scene.on_sale)
    if len(examples) < 2:
        raise InputError(
            f"{len(examples)} of the target's {len(users):,} users have a second visit with something new; "
            "two are needed to measure what compression costs"
        )
    n = min(_MOST_USERS, len(examples))
    rows = np.sort(np.random.default_rng(seed).choice(len(examples), n, replace=False))
    return examples.take(rows)


def measure(model: Recommender, examples: Examples) -> Measured:
    """Save it in a scratch folder, let it recommend, and rank the validation users' items."""
    state = model.state
    users = state.target[Columns.User].unique().sort().head(_TIMED_USERS)
    model.recommend(users=users, k=10)  # builds what is built once
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        model.recommend(users=users, k=10)
        seconds.append(time.perf_counter() - start)
    found = state.scene.ndcg(state.ranker, examples)
    return Measured(bytes_on_disk(model), 1000 * median(seconds) / len(users), found)


def bytes_on_disk(model: Recommender) -> int:
    """What `save` writes."""
    with tempfile.TemporaryDirectory(prefix="rectransfer-") as folder:
        model.save(folder)
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
