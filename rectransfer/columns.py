"""The names of columns, spelt in this file and nowhere else."""

from typing import Final

__all__ = ["Columns"]


class Columns:
    """Column names of logs (in) and recommendations (out), after RecTools' habit."""

    User: Final = "user_id"
    Item: Final = "item_id"
    Timestamp: Final = "timestamp"
    Weight: Final = "weight"
    Session: Final = "session_id"
    Score: Final = "score"
    Rank: Final = "rank"
