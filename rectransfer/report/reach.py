"""What each source reaches of the target, said by what the two share: items, or users."""

from rectransfer.recommend import Recommender
from rectransfer.report.result import Bridge
from rectransfer.transfer import Coverage

__all__ = ["reach"]


def reach(model: Recommender) -> tuple[Bridge, ...]:
    """What each source reaches.

    Args:
        model: Fitted.
    """
    return tuple(_bridge(name, found) for name, found in model.state.coverage.items())


def _bridge(name: str, found: Coverage) -> Bridge:
    items = (found.items, found.n_items, found.all_items)
    rest = (found.interactions, found.n_interactions, found.all_interactions)
    users = (found.users, found.n_users, found.all_users)
    if found.by == "users":
        counts = {
            "users known from the source": users,
            "what they took: interactions": rest,
            "what they took: items": items,
        }
    else:
        counts = {"items": items, "interactions": rest, "users with at least one of them": users}
    source = "The source" if name == "source" else f"Source {name.removeprefix('source')}"
    return Bridge(source, tuple((what, share, f"{n:,} of {of:,}") for what, (share, n, of) in counts.items()))
