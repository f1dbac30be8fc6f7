"""A catalogue as some domains see it: users go in, candidates with their signals come out."""

from rectransfer.scene.ranked import Ranked, list_ndcg
from rectransfer.scene.scene import Scene

__all__ = ["Ranked", "Scene", "list_ndcg"]
