"""A catalogue as some domains see it: users go in, candidates with their signals come out."""

from rectransfer.scene.choices import choice_of, had_elsewhere, with_had
from rectransfer.scene.ranked import Ranked, list_ndcg, ranked_ndcg, top_of
from rectransfer.scene.scene import Scene

__all__ = [
    "Ranked",
    "Scene",
    "choice_of",
    "had_elsewhere",
    "list_ndcg",
    "ranked_ndcg",
    "top_of",
    "with_had",
]
