"""A model that recommends, against a log of what came next."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, require_log
from rectransfer.metrics import (
    CatalogueCoverage,
    HitRate,
    Interval,
    Map,
    Metric,
    Mrr,
    Ndcg,
    Novelty,
    Precision,
    Recall,
    bootstrap_mean,
    ranks_from_lists,
)
from rectransfer.vocabulary import Vocabulary

__all__ = ["Evaluation", "Recommends", "evaluate", "require_on_sale"]

logger = logging.getLogger(__name__)

_MANY: Final = 0.1
"""The share of users above which those whom the model doesn't know are warned of."""


class Recommends(Protocol):
    """A fitted model that gives lists; `Recommender` is one."""

    @property
    def taken(self) -> pl.DataFrame:
        """`user_id` and `item_id`: who took what in the log that the model was fitted on."""
        ...

    @property
    def catalogue(self) -> Vocabulary:
        """The items it recommends from."""
        ...

    def recommend(
        self,
        users: Iterable[Any] | None = None,
        k: int = 10,
        *,
        history: InteractionLog | None = None,
        filter_viewed: bool = True,
    ) -> pl.DataFrame:
        """`user_id`, `item_id`, `score` and `rank` for some users, at most `k` rows each."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """How good a model's lists are.

    Attributes:
        k: The length of the lists.
        means: Mean and interval over users of each metric, by name.
        coverage: The share of the catalogue that stands in a list.
        novelty: Mean self-information of what was recommended, in bits.
        n_users: Users who were measured.
        n_relevant: Pairs of user and item to be found.
        n_viewed: Pairs of the test that the users had before, which were left out.
        n_without_list: Users who were measured and got no list; they count 0.
        n_unknown: Users who were measured and of whom the model knows nothing, here or in a source: a
            `Recommender` gives them best sellers. None for models that don't say.
    """

    k: int
    means: Mapping[str, Interval]
    coverage: float
    novelty: float
    n_users: int
    n_relevant: int
    n_viewed: int
    n_without_list: int
    n_unknown: int | None = None

    def table(self) -> pl.DataFrame:
        """`metric`, `mean`, `low` and `high`; coverage and novelty have no interval."""
        rows = [(name, mean.mean, mean.low, mean.high) for name, mean in self.means.items()]
        extra = [
            (f"{CatalogueCoverage.label}@{self.k}", self.coverage, None, None),
            (f"{Novelty.label}@{self.k}", self.novelty, None, None),
        ]
        numbers = dict.fromkeys(("mean", "low", "high"), pl.Float64())
        return pl.DataFrame([*rows, *extra], schema={"metric": pl.String(), **numbers}, orient="row")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def evaluate(
    model: Recommends,
    test: InteractionLog,
    *,
    k: int = 10,
    histories: InteractionLog | None = None,
    filter_viewed: bool = True,
    seed: int = 0,
) -> Evaluation:
    """Measure a model's lists on what users did next, over its whole catalogue.

    Pairs that a user had before (in the log that the model was fitted on, or in `histories`) are left out of
    the lists and of the test, unless `filter_viewed` is False. Items outside the catalogue stay in, as
    misses; so do users whom the model gives no list. A test that hides random rows asks another question than
    models answer that know the order, which foretell what comes next: a warning says so. So it does where
    the model knows nothing of more than one in ten users.

    Args:
        model: Fitted.
        test: What came after the model's log.
        k: The length of the lists, and where the metrics cut.
        histories: What the test's users did besides the model's own log: those it has never seen, say.
        filter_viewed: Whether lists hold, and the test asks for, what is new to a user only. With False what
            was had may be recommended, and whatever the user took is to be found.
        seed: Of the intervals.

    Raises:
        InputError: What isn't a model or a log; nothing is left in the test, fewer than two users are, none
            of its items is in the catalogue, ids differ in type, or `k` is below 1.
    """
    if not hasattr(model, "recommend"):
        raise InputError(
            f"evaluate(model) takes a fitted model, got a {type(model).__name__}; "
            "rectransfer.load_recommender(folder) reads one"
        )
    require_log(test, "evaluate(test)")
    if histories is not None:
        require_log(histories, "evaluate(histories)")
    metrics: tuple[Metric, ...] = (Ndcg(k), Recall(k), Precision(k), Map(k), Mrr(k), HitRate(k))
    key = [Columns.User, Columns.Item]
    viewed = [model.taken.select(key), *([] if histories is None else [histories.frame.select(key)])]
    for frame in viewed:
        _check_types(test, frame)
    pairs = test.frame.select(key).unique()
    new = pairs.join(pl.concat(viewed), on=key, how="anti") if filter_viewed else pairs
    users = new[Columns.User].unique().sort()
    if users.len() < 2:
        what = "something new" if filter_viewed else "something"
        raise InputError(
            f"{test.name}: {users.len()} users have {what} among {pairs.height:,} pairs of user and "
            "item; intervals need two. Is it the log that the model was fitted on?"
        )
    require_on_sale(test, new[Columns.Item].unique().sort(), model.catalogue)
    _warn_of_hidden_rows(model, test, new)
    n_unknown = _unknown(model, test, users, histories)
    lists = model.recommend(users, k, history=histories, filter_viewed=filter_viewed)
    ranks = ranks_from_lists(lists, new)
    novelty = Novelty(k)
    bits = novelty.per_user(lists, model.taken)[novelty.name].mean()
    return Evaluation(
        k=k,
        means={metric.name: bootstrap_mean(metric.per_user(ranks), seed=seed) for metric in metrics},
        coverage=CatalogueCoverage(k).of(lists, len(model.catalogue)),
        novelty=float(bits) if isinstance(bits, float) else 0.0,
        n_users=users.len(),
        n_relevant=new.height,
        n_viewed=pairs.height - new.height,
        n_without_list=int((Vocabulary.from_ids(lists[Columns.User]).rows(users) < 0).sum()),
        n_unknown=n_unknown,
    )


def _warn_of_hidden_rows(model: Recommends, test: InteractionLog, new: pl.DataFrame) -> None:
    """Warn where most users of a test were seen by the model after they took what is to be found."""
    last_seen = getattr(model, "last_seen", None)
    if last_seen is None or last_seen.schema[Columns.Timestamp] != test.frame.schema[Columns.Timestamp]:
        return
    asked = test.frame.join(new, on=[Columns.User, Columns.Item], how="semi")
    both = asked.join(last_seen, on=Columns.User, suffix="_seen")
    hidden = both.filter(pl.col(Columns.Timestamp) < pl.col(f"{Columns.Timestamp}_seen"))
    n, of = hidden[Columns.User].n_unique(), both[Columns.User].n_unique()
    if n * 2 > of:
        logger.warning(
            "%s: %s of %s users were seen by the model after they took some of what is to be found. Models "
            "that know the order foretell what comes next; if the test hides random rows, pretrain and fit "
            "with log.at_one_moment()",
            test.name,
            f"{n:,}",
            f"{of:,}",
        )


def _unknown(
    model: Recommends, test: InteractionLog, users: pl.Series, histories: InteractionLog | None
) -> int | None:
    """How many of the users the model doesn't know; a warning where these are many."""
    unknown = getattr(model, "unknown", None)
    if unknown is None:
        return None
    strange: pl.Series = unknown(users, history=histories)
    if strange.len() > _MANY * users.len():
        logger.warning(
            "%s: the model knows nothing of %s of %s users, here or in a source, for example %r; they get "
            "best sellers. Are ids spelt as in its log? What new users did before the test is histories=",
            test.name,
            f"{strange.len():,}",
            f"{users.len():,}",
            strange[0],
        )
    return strange.len()


def require_on_sale(test: InteractionLog, items: pl.Series, catalogue: Vocabulary) -> None:
    """Refuse a test on which every model would get 0.

    Args:
        test: For its name.
        items: What its users have new.
        catalogue: What can be recommended to them.

    Raises:
        InputError: None of the items is in the catalogue.
    """
    if not (catalogue.rows(items) >= 0).any():
        raise InputError(
            f"{test.name}: none of the {items.len():,} items that its users have new (for example "
            f"{items[0]!r}) is among the {len(catalogue):,} of the model's catalogue (for example "
            f"{catalogue.ids[0]!r}), so there is nothing to measure. Is it the log of another shop? "
            "Items that the model's log lacks are given to it when it is fitted: fit(target, items=[...])"
        )


def _check_types(test: InteractionLog, viewed: pl.DataFrame) -> None:
    for column in (Columns.User, Columns.Item):
        found, expected = test.frame.schema[column], viewed.schema[column]
        if found != expected:
            raise InputError(
                f"{test.name}: {column} is {found}, and {expected} in the log that the model knows; cast one "
                f"of them, for instance pl.col({column!r}).cast(pl.{expected})"
            )
