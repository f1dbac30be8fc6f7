"""What the suite measures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from rectransfer.evaluation import BASELINES, Task, category_launch, movielens, private_label, store_launch
from rectransfer.logs import PublicData, fetch

__all__ = ["ALONE", "OURS", "SEEDS", "SHARES", "SOURCE_SEED", "TASKS", "Benchmark"]

OURS: Final = "rectransfer"
ALONE: Final = "rectransfer_target"

SHARES: Final = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
SEEDS: Final = (0, 1, 2, 3, 4)
SOURCE_SEED: Final = 0
"""Of the pretraining: one source a task."""

# Of users whom the target has never seen the others know nothing: all of them would be popularity once more.
_POOLED: Final = ("popularity", "itemknn_pooled", "ease_pooled", "ials_pooled")

_COLD: Final = (
    "Complete Journey. The source is what all households bought in all departments but this one, weeks 1 to "
    "43. A fifth of the households, drawn once, is cold: nothing they did in the department is learned from. "
    "The target's log is the department's rows of a share of the other households, weeks 1 to 43. Test: what "
    "the cold households buy in the department in weeks 44 to 53. Baselines on the target alone know nothing "
    "of these households, so they are all popularity."
)


@dataclass(frozen=True)
class Benchmark:
    """A task of the suite.

    Attributes:
        title: The heading of its section.
        words: What is asked, in a paragraph.
        make: The task of a share and a seed; the source must not depend on either.
        baselines: The models to measure besides our own.
    """

    title: str
    words: str
    make: Callable[[float, int], Task]
    baselines: tuple[str, ...] = BASELINES


@cache
def _data(name: str) -> PublicData:
    return fetch(name)


def _store(share: float, seed: int) -> Task:
    return store_launch(_data("complete-journey"), share=share, seed=seed)


def _category(department: str, share: float, seed: int) -> Task:
    return category_launch(_data("complete-journey"), department=department, share=share, seed=seed)


def _films(share: float, seed: int) -> Task:
    return movielens(_data("ml-1m"), _data("ml-100k"), share=share, seed=seed)


def _own_brand(share: float, seed: int) -> Task:
    return private_label(_data("complete-journey"), share=share, seed=seed)


TASKS: Final = {
    "store-launch": Benchmark(
        "A grocery chain opens stores",
        "Complete Journey, a year of purchases. A household's home is the store with most of its rows up to "
        "week 43; forty home stores, drawn once, open. The source is the other stores' households, weeks 1 "
        "to 43; the target's log a share of the new stores' households, weeks 40 to 43. Test: what all "
        "households of the new stores buy in weeks 44 to 53 and hadn't bought in weeks 40 to 43, which are "
        "their history.",
        _store,
    ),
    "category-drug-gm": Benchmark(
        "A new department: drugs and general merchandise", _COLD, partial(_category, "Drug gm"), _POOLED
    ),
    "category-meat": Benchmark("A new department: meat", _COLD, partial(_category, "Meat"), _POOLED),
    "category-produce": Benchmark("A new department: produce", _COLD, partial(_category, "Produce"), _POOLED),
    "movielens": Benchmark(
        "From MovieLens 1M to MovieLens 100K",
        "Titles are shared, users are not. A fifth of ML-100K's users, drawn with the seed, is set aside: "
        "the first 80 % of their ratings are history, the rest is to be found. The target's log is a share "
        "of the other users. ML-1M is the later of the two logs, so this is transfer between populations, "
        "and no forecast.",
        _films,
    ),
    "private-label": Benchmark(
        "A chain's own brand in new stores",
        "Complete Journey, the stores of the first task. The source is what the other stores' households "
        "bought of national brands, the target's log what a share of the new stores' households bought of "
        "the chain's own brand. Neither products nor households are shared; a link by the products' "
        "descriptions (department, category, type, size) leads from each product of the own brand to a "
        "national one. "
        "Pooled baselines learn over the products of both; what target households bought counts for the "
        "linked national product, too.",
        _own_brand,
    ),
}
"""By the name that cells and files have."""
