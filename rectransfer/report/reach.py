"""What each source reaches of the target, said by what the two share: items, or users."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.recommend import Recommender
from rectransfer.report.result import Bridge
from rectransfer.transfer import Coverage
from rectransfer.vocabulary import Vocabulary

__all__ = ["reach"]

_BY_ITEMS = ("items", "interactions", "users with at least one of them")
_BY_USERS = ("users known from the source", "what they took: interactions", "what they took: items")
_EITHER = ("items", "interactions", "users")


def reach(model: Recommender) -> tuple[Bridge, ...]:
    """What each source reaches.

    Args:
        model: Fitted.
    """
    return tuple(_bridges(model))


def _bridges(model: Recommender) -> Iterator[Bridge]:
    for place, (name, found) in enumerate(model.state.coverage.items()):
        source = "The source" if name == "source" else f"Source {name.removeprefix('source')}"
        items = (found.items, found.n_items, found.all_items)
        rest = (found.interactions, found.n_interactions, found.all_interactions)
        users = (found.users, found.n_users, found.all_users)
        by_users = _by_users(model, place, name, found)
        words = _EITHER if by_users is None else _BY_USERS if by_users else _BY_ITEMS
        counts = (users, rest, items) if by_users else (items, rest, users)
        rows = zip(words, counts, strict=True)
        yield Bridge(source, tuple((what, share, f"{n:,} of {of:,}") for what, (share, n, of) in rows))


def _by_users(model: Recommender, place: int, name: str, found: Coverage) -> bool | None:
    """Whether it is shared users who were counted, and not shared items.

    A model keeps the counts alone, so they are counted again, by what it knows of the source. A saved model
    that ships without the source knows nothing of it: None, unless only one of the two can be.
    """
    state = model.state
    known = next((one.known for one in state.scene.evidence if one.name == name), None)
    if known is not None:
        n_items, n_users = _counted(state.target, Columns.Item, state.items.take(np.flatnonzero(known)))
        if (n_items, n_users) == (found.n_items, found.n_users):
            return False
        if n_items < found.n_items or n_users < found.n_users:
            return True  # else items are linked, and the source has others under the ids of the target's
    users = _users(model, place)
    if users is None:
        return _likely(model, found) if known is None else False
    return _counted(state.target, Columns.User, users.ids) == (found.n_items, found.n_users)


def _users(model: Recommender, place: int) -> Vocabulary | None:
    """Users of a source, where the model has them."""
    if place < len(model.pretrained):
        return model.pretrained[place].users.vocabulary
    profiles = model.state.scene.profiles
    return None if profiles is None else profiles.users


def _likely(model: Recommender, found: Coverage) -> bool | None:
    """Whether only users, or only items, can make up that many interactions of the target's log."""
    log = model.state.log.frame
    if log.height != found.all_interactions:
        return None
    by_items, by_users = (
        _can_be(np.sort(log.group_by(column).len()["len"].to_numpy()), n, found.n_interactions)
        for column, n in ((Columns.Item, found.n_items), (Columns.User, found.n_users))
    )
    return None if by_items == by_users else by_users


def _can_be(sizes: npt.NDArray[np.int64], n: int, whole: int) -> bool:
    """Whether some `n` of the sizes, ascending, may have that sum."""
    return bool(sizes[:n].sum() <= whole <= sizes[len(sizes) - n :].sum())


def _counted(target: pl.DataFrame, column: str, shared: pl.Series) -> tuple[int, int]:
    """Items and users among the pairs of which an item, or a user, is shared."""
    if shared.dtype != target.schema[column]:
        return 0, 0
    pairs = target.join(shared.alias(column).to_frame(), on=column, how="semi")
    return pairs[Columns.Item].n_unique(), pairs[Columns.User].n_unique()
