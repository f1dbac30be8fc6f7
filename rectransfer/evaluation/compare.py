"""Models against a reference, measured on the same users."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.errors import InputError
from rectransfer.metrics import Interval, bootstrap_mean, holm, paired_bootstrap

__all__ = ["ComparedModel", "Comparison", "compare"]


@dataclass(frozen=True)
class ComparedModel:
    """One model next to the reference.

    Attributes:
        name: What the caller calls it.
        mean: Its mean over users, with an interval of its own.
        difference: How much better it is than the reference; None for the reference itself.
        p: The p-value of the difference, adjusted by Holm; None for the reference.
    """

    name: str
    mean: Interval
    difference: Interval | None
    p: float | None

    @property
    def differs(self) -> bool:
        """Whether the interval excludes zero and the adjusted p-value is below `1 - level`."""
        if self.difference is None or self.p is None:
            return False
        return self.difference.excludes_zero and self.p < 1 - self.difference.level


@dataclass(frozen=True)
class Comparison:
    """The outcome of `compare`.

    Attributes:
        reference: The name of the model that the others are measured against.
        models: In the order they were given.
        metric: What the values are.
    """

    reference: str
    models: tuple[ComparedModel, ...]
    metric: str

    def __getitem__(self, name: str) -> ComparedModel:
        for model in self.models:
            if model.name == name:
                return model
        raise InputError(f"{name!r} was not compared; there are {[model.name for model in self.models]}")

    @property
    def best(self) -> ComparedModel:
        """The model with the highest mean; of equals the first."""
        return max(self.models, key=lambda model: model.mean.mean)

    @property
    def verdict(self) -> str:
        """One line in words: the best of the others against the reference."""
        others = [model for model in self.models if model.difference is not None]
        model = max(others, key=lambda other: other.mean.mean)
        difference = model.difference
        assert difference is not None  # noqa: S101 (the reference was left out)
        if model.differs:
            claim = f"{model.name} is {'better' if difference.mean > 0 else 'worse'} than {self.reference}"
        else:
            claim = f"{model.name} and {self.reference} cannot be told apart"
        return (
            f"{claim}: {self.metric} {model.mean.mean:.4f} against {self[self.reference].mean.mean:.4f}, "
            f"difference {difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}] at "
            f"{difference.level:.0%} over {difference.n_users:,} users, p = {model.p:.2g} (Holm)"
        )

    def frame(self) -> pl.DataFrame:
        """A row a model: `name`, `mean`, `low`, `high`, `difference`, its low and high, and adjusted `p`."""
        columns = ("difference", "difference_low", "difference_high", "p")
        rows = []
        for model in self.models:
            own = {key: asdict(model.mean)[key] for key in ("mean", "low", "high")}
            gap = model.difference
            values = (None,) * 4 if gap is None else (gap.mean, gap.low, gap.high, model.p)
            rows.append({"name": model.name, **own, **dict(zip(columns, values, strict=True))})
        numbers = dict.fromkeys(("mean", "low", "high", *columns), pl.Float64())
        return pl.DataFrame(rows, schema={"name": pl.String(), **numbers})

    def __str__(self) -> str:
        return self.verdict


def compare(
    values: Mapping[str, npt.ArrayLike],
    reference: str | None = None,
    *,
    metric: str = "value",
    n: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Measure models against a reference on the same users, with paired bootstrap intervals.

    Args:
        values: One value for each user, shape `(n_users,)`, in the same order for every model; or
            `(n_seeds, n_users)`, which is averaged over the seeds first.
        reference: The name of the model that the others are compared to; the first where it isn't given.
        metric: What the values are, for tables and the verdict.
        n: How many times the users are resampled.
        level: Of the intervals; they are not widened for the number of models, the p-values are.
        seed: Of the resampling, common to all models.

    Raises:
        InputError: Fewer than two models, an unknown reference, or models that differ in their users.

    Examples:
        >>> outcome = compare({"alone": [0.1, 0.2, 0.3], "transfer": [0.3, 0.4, 0.5]}, metric="ndcg@10")
        >>> print(outcome["transfer"].difference)
        0.2000 [0.2000, 0.2000]
        >>> outcome.frame().columns[:4]
        ['name', 'mean', 'low', 'high']
    """
    if len(values) < 2:
        raise InputError(f"a comparison needs two models at least, got {list(values)}")
    reference = next(iter(values)) if reference is None else reference
    if reference not in values:
        raise InputError(f"the reference {reference!r} is not among the models {list(values)}")
    users = {name: _over_seeds(array, name) for name, array in values.items()}
    gaps = {
        name: paired_bootstrap(array, users[reference], n, level, seed)
        for name, array in users.items()
        if name != reference
    }
    p_values = [1.0 if gap.p is None else gap.p for gap in gaps.values()]  # a paired interval always has one
    adjusted = dict(zip(gaps, holm(p_values), strict=True))
    models = tuple(
        ComparedModel(
            name,
            bootstrap_mean(array, n, level, seed),
            gaps.get(name),
            float(adjusted[name]) if name in adjusted else None,
        )
        for name, array in users.items()
    )
    return Comparison(reference, models, metric)


def _over_seeds(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or not array.size:
        raise InputError(f"{name}: values have the shape (n_users,) or (n_seeds, n_users), not {array.shape}")
    return array if array.ndim == 1 else array.mean(axis=0)
