"""A map of the items: vectors of many dimensions, laid out on a page."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.ranking import Evidence
from rectransfer.report.catalogue import CATEGORY, Catalogue
from rectransfer.report.details import Atlas, Landmark, Point
from rectransfer.vocabulary import Vocabulary

__all__ = ["atlas", "layout"]

_MOST_POINTS: Final = 1_500
_FEWEST: Final = 10
_GROUPS: Final = 8
_LANDMARKS: Final = 8
_NEAR: Final = 3
_NEIGHBOURS: Final = 10
_REST: Final = "Other"

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def atlas(
    evidence: tuple[Evidence, ...],
    items: Vocabulary,
    buyers: pl.DataFrame,
    catalogue: Catalogue,
    *,
    seed: int = 0,
) -> Atlas | None:
    """The items on sale by the vectors of the domain that knows most of them; None with fewer than ten.

    The best sellers among them are placed, as many as stay legible.

    Args:
        evidence: Of the domains, in the rows of `items`.
        items: The items behind the rows.
        buyers: `item_id` and `buyers`, every item on sale.
        catalogue: Titles and categories.
        seed: Of the layout.
    """
    shelf = items.rows(buyers[Columns.Item])
    chosen = max(evidence, key=lambda one: int(one.known[shelf].sum()))
    order = np.lexsort((shelf, -buyers["buyers"].to_numpy()))
    rows = shelf[order][chosen.known[shelf[order]]]
    n_items, rows = len(rows), rows[:_MOST_POINTS]
    if len(rows) < _FEWEST:
        return None
    unit = _unit(chosen.vectors[rows])
    near = np.argsort(-(unit @ unit.T) + 4.0 * np.eye(len(unit)), axis=1, kind="stable")
    ids = items.take(rows)
    categories = catalogue.categories(ids)
    groups, numbers = _groups(categories)
    points = [
        Point(float(x), float(y), int(group))
        for (x, y), group in zip(layout(unit, seed), numbers, strict=True)
    ]
    titles = catalogue.titles(ids).to_list()
    alike, by_chance = _alike(categories, near)
    landmarks = tuple(
        Landmark(points[row], titles[row], categories[row], tuple(titles[n] for n in near[row, :_NEAR]))
        for row in _apart(points)
    )
    return Atlas(chosen.name, tuple(points), groups, landmarks, n_items, alike, by_chance)


def layout(unit: npt.NDArray[np.float32], seed: int) -> Floats:
    """Places in the unit square, like near like: t-SNE from a start by principal components.

    van der Maaten and Hinton 2008, "Visualizing Data using t-SNE".

    Args:
        unit: Vectors of length 1, shape `(n, d)`; n at least 5.
        seed: Where randomness starts.

    Returns:
        Shape `(n, 2)`.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    n, d = unit.shape
    if np.ptp(unit, axis=0).max() == 0:
        return np.full((n, 2), 0.5)
    parts = min(30, d, n - 1)
    reduced = PCA(parts, svd_solver="full").fit_transform(unit.astype(np.float64))
    if parts > 1:
        perplexity = min(30.0, (n - 1) / 3)
        reduced = TSNE(
            2, init="pca", perplexity=perplexity, random_state=seed, max_iter=500, n_jobs=1
        ).fit_transform(reduced)
    flat = np.zeros((n, 2))
    flat[:, : reduced.shape[1]] = reduced[:, :2]
    low, span = flat.min(axis=0), np.ptp(flat, axis=0)
    placed: Floats = (flat - low) / np.where(span > 0, span, 1)
    return placed


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def _groups(categories: pl.Series) -> tuple[tuple[tuple[str, int], ...], Rows]:
    """The most frequent categories with their counts, and the number of each item's."""
    counts = categories.drop_nulls().value_counts().sort("count", CATEGORY, descending=[True, False])
    names = counts[CATEGORY].head(_GROUPS).to_list()
    place = {name: number for number, name in enumerate(names)}
    numbers = np.array([place.get(name, len(names)) for name in categories.to_list()], dtype=np.int64)
    sizes = np.bincount(numbers, minlength=len(names) + 1).tolist()
    rest = [(_REST, sizes[-1])] if sizes[-1] else []
    return (*zip(names, sizes, strict=False), *rest), numbers


def _alike(categories: pl.Series, near: Rows) -> tuple[float | None, float | None]:
    if categories.null_count() == categories.len():
        return None, None
    codes = categories.fill_null("").rank("dense").to_numpy().astype(np.int64)
    told = categories.is_not_null().to_numpy()
    neighbours = near[told][:, : min(_NEIGHBOURS, len(near) - 1)]
    same = codes[neighbours] == codes[told][:, None]
    sizes = np.bincount(codes[told])
    chance = float((sizes * (sizes - 1)).sum() / max(told.sum() * (len(codes) - 1), 1))
    return float(same.mean()), chance


def _apart(points: list[Point]) -> list[int]:
    """Best sellers far enough from each other for their numbers to be read."""
    kept: list[int] = []
    for row, point in enumerate(points):
        if all(np.hypot(point.x - points[other].x, point.y - points[other].y) > 0.09 for other in kept):
            kept.append(row)
        if len(kept) == _LANDMARKS:
            break
    return kept
