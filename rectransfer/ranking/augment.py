"""Sequence augmentation: the same history, a little different each time it is learned from."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError
from rectransfer.ranking.examples import Examples

__all__ = ["Augment"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Augment:
    """Crops, masks and reorders histories; what is to be predicted stays.

    The three operators of CL4SRec (Xie et al. 2022, "Contrastive learning for sequential recommendation",
    section 3.2), on histories of n entries. An example that is augmented meets one of those that are above 0,
    drawn at random. A history keeps at least one entry.

    Attributes:
        crop: Share that is cut away: a run of `n - floor(crop * n)` entries stays, somewhere in the history.
            It is moved up to the cut, so that its last entry is the latest.
        mask: Share that is left out, here and there: `floor(mask * n)` entries.
        reorder: Share that is shuffled: within a run of `floor(reorder * n)` entries the items change places.
        share: Of the examples that are augmented at all.

    Raises:
        InputError: A share out of its range, or nothing to do.

    Examples:
        >>> one = Examples(*np.array([[0]]), 9, *np.array([[0] * 4, [5, 6, 7, 8], [4, 3, 2, 1]]),
        ...     *np.array([[0], [1]]))
        >>> cropped = Augment(crop=0.5, share=1)(one, np.random.default_rng(0))
        >>> cropped.items, cropped.ages, cropped.labels
        (array([5, 6]), array([2, 1]), array([1]))
    """

    crop: float = 0.0
    mask: float = 0.0
    reorder: float = 0.0
    share: float = 0.5

    def __post_init__(self) -> None:
        for name in ("crop", "mask"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise InputError(f"{name}={value}; expected 0 up to, but not, 1")
        if not 0 <= self.reorder <= 1:
            raise InputError(f"reorder={self.reorder}; expected 0 to 1")
        if not 0 < self.share <= 1:
            raise InputError(f"share={self.share}; expected more than 0 and at most 1")
        if not self.crop and not self.mask and not self.reorder:
            raise InputError("crop=0, mask=0, reorder=0; expected one of them above 0 (or no Augment at all)")

    def __call__(self, examples: Examples, rng: np.random.Generator) -> Examples:
        """Augment some of the examples.

        Args:
            examples: n of them; they stay as they are.
            rng: Where randomness comes from.

        Returns:
            n examples in the same order, with the same labels.
        """
        operators = [name for name in ("crop", "mask", "reorder") if getattr(self, name)]
        chosen = rng.integers(len(operators), size=len(examples))
        chosen[rng.random(len(examples)) >= self.share] = -1
        lengths = np.bincount(examples.owner, minlength=len(examples))
        history = _Entries(examples.owner, np.arange(len(examples.owner)), examples.ages, lengths)
        for number, name in enumerate(operators):
            history = getattr(history, name)(getattr(self, name), chosen == number, rng)
        own = None if examples.own is None else examples.own[history.places]
        items = examples.items[history.places]
        return replace(examples, owner=history.owner, items=items, ages=history.ages, own=own)


@dataclass(frozen=True, eq=False)
class _Entries:
    """Histories as flat entries, sorted by owner: whose, where its item stands, and how long ago it was."""

    owner: Rows
    places: Rows
    ages: Rows
    lengths: Rows

    def crop(self, share: float, of: npt.NDArray[np.bool_], rng: np.random.Generator) -> "_Entries":
        """A run stays of each history in `of`."""
        kept = np.where(of, self._left(share), self.lengths)
        first = np.floor(rng.random(len(of)) * (self.lengths - kept + 1)).astype(np.int64)
        place = self._place()
        stays = (place >= first[self.owner]) & (place < (first + kept)[self.owner])
        left = self._only(stays, kept)
        # ages fall along a history: the last one is the least
        latest = left.ages[np.cumsum(kept) - 1] if len(left.ages) else left.ages
        moved = np.where(of & (kept > 0), latest - 1, 0)
        return replace(left, ages=left.ages - moved[left.owner])

    def mask(self, share: float, of: npt.NDArray[np.bool_], rng: np.random.Generator) -> "_Entries":
        """Entries drawn at random leave each history in `of`."""
        kept = np.where(of, self._left(share), self.lengths)
        drawn = np.lexsort((rng.random(len(self.owner)), self.owner))
        stays = np.empty(len(self.owner), dtype=np.bool_)
        stays[drawn] = self._place() < kept[self.owner]
        return self._only(stays, kept)

    def reorder(self, share: float, of: npt.NDArray[np.bool_], rng: np.random.Generator) -> "_Entries":
        """Items of a run change places in each history in `of`; the ages stay where they are."""
        run = np.where(of, np.floor(share * self.lengths), 0).astype(np.int64)
        first = np.floor(rng.random(len(of)) * (self.lengths - run + 1)).astype(np.int64)
        place, start, length = self._place(), first[self.owner], run[self.owner]
        inside = (place >= start) & (place < start + length)
        # keys of the run fall between those of what stands before and after it
        keys = np.where(inside, start + rng.random(len(place)) * length, place)
        return replace(self, places=self.places[np.lexsort((keys, self.owner))])

    def _left(self, share: float) -> Rows:
        """How many entries stay where a share leaves; below 1 that is one at least, if there was one."""
        return np.asarray(self.lengths - np.floor(share * self.lengths), dtype=np.int64)

    def _place(self) -> Rows:
        """Each entry's place in its history, from 0."""
        starts = np.cumsum(self.lengths) - self.lengths
        return np.asarray(np.arange(len(self.owner)) - starts[self.owner], dtype=np.int64)

    def _only(self, stays: npt.NDArray[np.bool_], lengths: Rows) -> "_Entries":
        return _Entries(self.owner[stays], self.places[stays], self.ages[stays], lengths)
