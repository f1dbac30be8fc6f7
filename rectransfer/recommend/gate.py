"""The gate: contenders are measured on users of the target, and the best one ships."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rectransfer.metrics import Interval, paired_bootstrap
from rectransfer.ranking import Choice, Habits, Ranker, Slate, fit_habits, fit_ranker, fit_rankers
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.folds import Fold
from rectransfer.recommend.verdict import Ships, Verdict

__all__ = ["ALONE", "Contender", "judge"]

logger = logging.getLogger(__name__)

ALONE: Final = "target alone"
"""The contender without any source."""

_DISTANT: Final = (
    "a source without shared users, whose items are only like the target's, has to prove that it helps"
)

_UNMEASURED: Final = (float("nan"),) * 3

_DRAWS: Final = 2_000
"""Draws of the users that say how often a member is the best."""

_FEWEST: Final = 5
"""Users below which nothing is measured."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A model that might ship.

    Attributes:
        name: What reports call it.
        folds: Its views of the folds.
        start: Makes the ranker that it begins from, given a slate to measure signals on; None: standard
            rankers of `names`, as there is nothing to begin from.
        pull: How strongly the ranker is held to that start; None: it isn't trained.
        names: The signals, where there is no start.
        transferred: Whether it takes anything from a source.
        members: Where there are any, its ranker is the average of theirs. Each counts as often as it is the
            best in draws of the users (Rubin 1981, "The Bayesian bootstrap", Annals of Statistics 9), so that
            few users average, and many choose.
        elsewhere: Where users have had elsewhere what is on sale here: where its habits of that begin.
        distant: Whether its source shares no users with the target, and of items only what they are like.
    """

    name: str
    folds: tuple[Fold, ...]
    start: Callable[[Slate], Ranker] | None
    pull: float | None
    transferred: bool = True
    names: tuple[str, ...] = ()
    members: tuple["Contender", ...] = ()
    elsewhere: Habits | None = None
    distant: bool = False
    _trained: dict[int | None, Ranker] = field(default_factory=dict, init=False, repr=False)
    _values: list[npt.NDArray[np.float64]] = field(default_factory=list, init=False, repr=False)
    _choices: list[list[Choice]] = field(default_factory=list, init=False, repr=False)

    def ranker(self, slate: Slate, config: RecommenderConfig) -> Ranker:
        """The ranker, trained on a slate."""
        if self.start is None:
            pull = config.ranker.pull if self.pull is None else self.pull
            return fit_rankers(self.names, slate, replace(config.ranker, pull=pull), config.seed)
        ranker = self.start(slate)
        if self.pull is None:
            return ranker
        return fit_ranker(ranker, slate, replace(config.ranker, pull=self.pull), config.seed)

    def trained(self, config: RecommenderConfig, without: int | None = None) -> Ranker:
        """The ranker, trained on every fold but one."""
        if without not in self._trained:
            self._trained[without] = self._train(config, without)
        return self._trained[without]

    def _train(self, config: RecommenderConfig, without: int | None) -> Ranker:
        if self.members:
            weights = self._weights(config, without)
            return Ranker.averaged([member.trained(config, without) for member in self.members], weights)
        learn = [fold.learn for place, fold in enumerate(self.folds) if place != without]
        return self.ranker(Slate.concatenate(learn), config)

    def _weights(self, config: RecommenderConfig, without: int | None) -> npt.NDArray[np.float64]:
        """What each member counts, as the users of every fold but one say."""
        values = []
        for member in self.members:
            found = [one for place, one in enumerate(member.by_fold(config)) if place != without]
            values.append(np.concatenate([*found, np.zeros(0)]))
        return _chances(np.stack(values), config.seed)

    def by_fold(self, config: RecommenderConfig) -> list[npt.NDArray[np.float64]]:
        """NDCG@10 of every user, an array a fold, each by a ranker that learned from the other folds."""
        if not self._values:
            self._values.extend(self._of_fold(out, config) for out in range(len(self.folds)))
        return self._values

    def _of_fold(self, out: int, config: RecommenderConfig) -> npt.NDArray[np.float64]:
        fold = self.folds[out]
        if not len(fold.examples):
            return np.zeros(0)
        return fold.ndcg(self.trained(config, without=out), self.habits_elsewhere(config, without=out))

    def habits_elsewhere(self, config: RecommenderConfig, without: int | None = None) -> Habits | None:
        """What users take of what they had elsewhere, learned on every fold but one; maybe none."""
        if self.elsewhere is None:
            return None
        if not self._choices:
            self._choices.extend(self._choice(place, config) for place in range(len(self.folds)))
        found = [one for place, mine in enumerate(self._choices) if place != without for one in mine]
        return fit_habits(found, self.elsewhere.returns, self.elsewhere)

    def _choice(self, place: int, config: RecommenderConfig) -> list[Choice]:
        """The choices of a fold's users, by a ranker that learned from the other folds."""
        some = [one for one in self.folds[place].elsewhere if len(one.examples)]
        return [one.choice(self.trained(config, place)) for one in some]

    def final(self, config: RecommenderConfig) -> Ranker:
        """The ranker that ships, trained on every fold."""
        return self.trained(config)


def judge(contenders: list[Contender], config: RecommenderConfig) -> tuple[Contender, Verdict]:
    """Measure the contenders on the same users, and choose.

    One of the transferred contenders meets the target alone: the average of a source's, and of several the
    one with the best mean. What it gains is measured without the advantage of having been picked: each fold's
    users count with the contender that is best on the others, and with averages that were weighed on them.

    The target alone ships where that gain is negative in at least `config.confidence` of the bootstrap's
    draws. In doubt the transfer does: the fewer users there are to measure on, the less the target alone has
    learned from them, too. But a source that is so much worse as it comes is suspect, and has to gain. And
    one that is distant has to prove its gain: the whole 95 % interval has to be above zero.

    Args:
        contenders: The transferred ones in the order of how closely they are held to their source.
        config: How sure the gate has to be.

    Returns:
        The contender that ships, and why.
    """
    folds = {one.name: one.by_fold(config) for one in contenders}
    values = {name: np.concatenate([*found, np.zeros(0)]) for name, found in folds.items()}
    means = {name: float(found.mean()) if len(found) else float("nan") for name, found in values.items()}
    alone = next(one for one in contenders if not one.transferred)
    rivals = [one for one in contenders if one.transferred]
    near = [one for one in rivals if not one.distant]
    ready = [one for one in rivals if one.members] or rivals
    n_users = len(values[alone.name])
    for name, mean in means.items():
        logger.info("%s: NDCG@10 %.4f on %s users", name, mean, n_users)
    if not rivals:
        known = (
            f"NDCG@10 {means[ALONE]:.4f} on {n_users} users" if n_users else "unmeasured: nobody came twice"
        )
        reason = f"there is no source: the target alone ships ({known})"
        return alone, _verdict(reason, _UNMEASURED, n_users, alone, means)
    if n_users < _FEWEST:
        chosen = near[0] if near else alone
        return chosen, _verdict(_words_of_few(_ships(chosen), n_users), _UNMEASURED, n_users, chosen, means)
    best = ready[_pick([values[one.name] for one in ready])]
    picked = _picked_by_the_others([folds[one.name] for one in ready])
    gap = paired_bootstrap(picked, values[ALONE], seed=config.seed)
    as_they_come = [values[one.name] for one in rivals if one.pull is None]
    suspect = bool(as_they_come) and all(_worse(one, values[ALONE], config) for one in as_they_come)
    hurts = gap.mean < 0 and (suspect or _worse(picked, values[ALONE], config))
    unproven = best.distant and gap.low <= 0
    if unproven and near:
        chosen, verdict = judge([alone, *near], config)
        return chosen, replace(verdict, contenders=means)
    chosen = alone if hurts or unproven else best
    picked_mean = float(picked.mean())
    reason = _words(_ships(chosen), gap, picked_mean, means[ALONE], n_users, distant=best.distant)
    return chosen, _verdict(reason, (gap.mean, gap.low, gap.high), n_users, chosen, means)


def _chances(values: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """How often each of some models is the best, in draws of the users; ties are shared, few say nothing.

    Args:
        values: NDCG@10, shape `(m, n_users)`.
        seed: Where randomness starts.

    Returns:
        Shape `(m,)`, its sum is 1.
    """
    m, n = values.shape
    if n < _FEWEST:
        return np.full(m, 1 / m)
    draws = np.random.default_rng(seed).exponential(size=(_DRAWS, n))
    means = draws @ values.T / draws.sum(axis=1, keepdims=True)
    best = means >= means.max(axis=1, keepdims=True) - 1e-12
    return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def _worse(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], config: RecommenderConfig) -> bool:
    """Whether one is below the other in at least `config.confidence` of the draws."""
    # the upper end of this interval leaves 1 - confidence above it
    level = max(2 * config.confidence - 1, 1e-6)
    found = paired_bootstrap(one, other, level=level, seed=config.seed)
    return found.mean < 0 and found.high <= 0


def _picked_by_the_others(
    rivals: list[list[npt.NDArray[np.float64]]],
) -> npt.NDArray[np.float64]:
    """Each fold's values of the rival that is picked on the other folds."""
    found = []
    for fold in range(len(rivals[0])):
        others = [np.concatenate([*rival[:fold], *rival[fold + 1 :], np.zeros(0)]) for rival in rivals]
        found.append(rivals[_pick(others)][fold])
    return np.concatenate(found)


def _pick(rivals: list[npt.NDArray[np.float64]]) -> int:
    """The one with the best mean; of equals the first, and where there are few."""
    if len(rivals[0]) < _FEWEST:
        return 0
    return int(np.argmax([one.mean() for one in rivals]))


def _words(
    ships: Ships, gap: Interval, transferred: float, alone: float, n_users: int, *, distant: bool
) -> str:
    numbers = (
        f"NDCG@10 {transferred:.4f} with the source and {alone:.4f} without it, a difference of "
        f"{gap.mean:+.4f} (95 % interval {gap.low:+.4f} to {gap.high:+.4f}) on {n_users} users of the "
        "target, each fold by what was chosen on the others"
    )
    if ships == "transfer":
        sure = "the transfer helps"
        if gap.low <= 0:
            likely = "probably helps" if gap.mean > 0 else "isn't shown to hurt"
            sure = f"the transfer {likely}, but it may be chance"
        return f"the transfer ships, because {sure}: {numbers}"
    sure = "the transfer hurts" if gap.high < 0 else "the transfer probably hurts"
    if distant and gap.high >= 0:
        sure = f"the transfer isn't shown to help ({_DISTANT})"
    return f"the target alone ships, because {sure}: {numbers}"


def _words_of_few(ships: Ships, n_users: int) -> str:
    who = f"only {n_users} users have" if n_users else "no user has"
    why = f"{who} two visits or more, too few to measure anything"
    if ships == "target":
        return f"the target alone ships, because {why} ({_DISTANT}); fit again when the log has grown"
    return (
        f"{why}: the transfer ships unmeasured; fit again when the log has grown, or, if its times aren't "
        "known, with a source that was pretrained without them, too (log.at_one_moment())"
    )


def _ships(chosen: Contender) -> Ships:
    return "transfer" if chosen.transferred else "target"


def _verdict(
    reason: str,
    gap: tuple[float, float, float],
    n_users: int,
    chosen: Contender,
    means: Mapping[str, float],
) -> Verdict:
    return Verdict(_ships(chosen), reason, *gap, n_users, chosen.name, dict(means))
