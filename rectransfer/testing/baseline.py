"""The contract test of a baseline."""

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from rectransfer.errors import InputError, NotFittedError
from rectransfer.evaluation import Baseline
from rectransfer.testing.promises import refuses, require

__all__ = ["check_baseline"]

_N_ITEMS: Final = 12


def check_baseline(make: Callable[[], Baseline], *, learns: bool = True) -> None:
    """Check a baseline: shapes, types, errors, repeatability, and that it learns a plain pattern.

    The pattern is a checkerboard: two groups of users take two groups of items, and the one item withheld
    from each user has to score above every item of the other group.

    Args:
        make: Makes a new model that isn't fitted.
        learns: Whether it looks at the history at all; False for popularity.

    Raises:
        AssertionError: The promise of `Baseline` that is broken.

    Examples:
        >>> from rectransfer.evaluation import Ease, Popularity
        >>> check_baseline(lambda: Ease(l2=1.0))
        >>> check_baseline(Popularity, learns=False)
    """
    withheld = np.arange(_N_ITEMS)
    same = withheld[:, None] % 2 == withheld % 2
    board = same & (withheld[:, None] != withheld)
    interactions = csr_array(board.astype(np.float32))
    before = interactions.toarray()
    model = make()
    require(isinstance(model, Baseline), f"{type(model).__name__} lacks a method of Baseline")
    require(bool(model.name), "the name is empty")
    refuses(NotFittedError, lambda: model.scores(interactions), "scores before fit")
    require(model.fit(interactions) is model, "fit returns something else than the model itself")
    scores = model.scores(interactions)
    require(scores.shape == board.shape, f"scores have the shape {scores.shape}; expected {board.shape}")
    require(scores.dtype == np.float32, f"scores are {scores.dtype}; expected float32")
    require(bool(np.isfinite(scores).all()), "scores hold NaN or infinity")
    again = make().fit(interactions).scores(interactions)
    require(np.array_equal(scores, again), "fitted twice on the same data, it scores differently")
    require(np.array_equal(interactions.toarray(), before), "it changed the matrix that it was given")
    nobody = model.scores(csr_array((1, _N_ITEMS), dtype=np.float32))
    require(bool(np.isfinite(nobody).all()), "a user without history gets NaN or infinity")
    none = model.scores(interactions[:0])
    require(none.shape == (0, _N_ITEMS), f"no users give scores of the shape {none.shape}")
    refuses(InputError, lambda: model.scores(csr_array((1, _N_ITEMS + 1))), "a history of other items")
    if learns:
        theirs = np.where(same, -np.inf, scores).max(axis=1)
        missed = np.flatnonzero(scores[withheld, withheld] <= theirs)
        require(not len(missed), f"{len(missed)} of {_N_ITEMS} users don't get what their group takes")
