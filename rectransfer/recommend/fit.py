"""Fitting: cross-fit on the target's users, let the gate choose, learn again from everybody."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rectransfer.logs import InteractionLog
from rectransfer.ranking import (
    LEANING,
    Habits,
    Histories,
    Ranker,
    Returns,
    Slate,
    cut_at_random,
    fit_habits,
)
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.folds import Choosers, Fold
from rectransfer.recommend.gate import ALONE, Contender, judge
from rectransfer.recommend.ground import Ground
from rectransfer.recommend.learn import JOINT, TARGET, Chosen, Lesson, learn
from rectransfer.recommend.measured import Measured, measured
from rectransfer.recommend.profiles import as_they_were
from rectransfer.recommend.verdict import Verdict
from rectransfer.recommend.views import SourceView
from rectransfer.scene import Scene, had_elsewhere
from rectransfer.vocabulary import Vocabulary

__all__ = ["Fitted", "fit"]

logger = logging.getLogger(__name__)

FAMILIAR: Final = 1
"""Cuts with all that they had, beside those without, of each user who is met as if new: where most are met
so, hardly an example would show what counts for those who come back."""

_FEW: Final = 200
"""Users of the target up to which the target alone is held back as well."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What ships.

    Attributes:
        scene: Evidence and towers, learned from everybody.
        ranker: Over the scene's signals, or some of them.
        habits: What users take again.
        habits_elsewhere: What they take of what they had elsewhere; None where nothing of that is on sale.
        log: What users did, as far as the model that ships looks at it.
        verdict: Why it ships.
    """

    scene: Scene
    ranker: Ranker
    habits: Habits
    habits_elsewhere: Habits | None
    log: InteractionLog
    verdict: Verdict


def fit(ground: Ground, config: RecommenderConfig, progress: Callable[[str], None]) -> Fitted:
    """Fit a recommender on a ground.

    Args:
        ground: Sources and target.
        config: How.
        progress: Called with each stage's name.
    """
    users = ground.target.users
    folds = min(config.folds, len(users))
    parts = np.array_split(np.random.default_rng(config.seed).permutation(len(users)), folds)
    picked = Chosen()
    views: list[tuple[Fold, Fold | None]] = []
    if folds > 1:
        for number, part in enumerate(parts, 1):
            progress(f"cross-fitting, part {number} of {folds}")
            rest = np.setdiff1d(np.arange(len(users)), part)
            lesson = learn(ground, config, Vocabulary(users.take(rest)), picked, config.seed)
            views.append(_views(ground, config, lesson, Vocabulary(users.take(np.sort(part)))))
    progress("learning from everybody")
    lesson = learn(ground, config, users, picked, config.seed)
    progress("at the gate")
    contenders = _contenders(ground, config, lesson, views)
    chosen, verdict = judge(contenders, config)
    scene = lesson.transferred if chosen.transferred and lesson.transferred is not None else lesson.alone
    ranker = chosen.final(config) if views else chosen.ranker(_empty(scene), config)
    log = ground.merged if chosen.transferred else ground.target
    habits = _habits(ground, config, chosen, lesson.lead)
    return Fitted(scene, ranker, habits, chosen.habits_elsewhere(config), log, verdict)


def _habits(ground: Ground, config: RecommenderConfig, chosen: Contender, lead: SourceView | None) -> Habits:
    """What users take again: learned on the gate's users, from what a source's habits are where it ships."""
    start = lead.pretrained.habits if chosen.transferred and lead is not None else None
    found = [
        some.choice(chosen.trained(config, place))
        for place, fold in enumerate(chosen.folds)
        for some in fold.here
        if len(some.examples)
    ]
    return fit_habits(found, _returns(ground, chosen.transferred), start)


def _elsewhere(ground: Ground) -> Habits | None:
    """Where habits of what was had elsewhere begin; None where nobody had it, or no source has habits."""
    habits = None if ground.had_elsewhere is None else ground.had_elsewhere.pretrained.habits
    return None if habits is None else replace(habits, returns=_returns(ground, True))


def _returns(ground: Ground, transferred: bool, besides: Vocabulary | None = None) -> Returns:
    """How many users come back for each item, in the target but for some of them, and in the sources."""
    n = len(ground.items)
    found = Returns.of(Histories.from_log(ground.target, ground.items), n)
    for view in ground.sources if transferred else ():
        found = found if view.returns is None else found.plus(view.returns)
    if besides is None:
        return found
    return found.without(Returns.of(Histories.from_log(ground.target, ground.items, besides), n))


def _views(
    ground: Ground, config: RecommenderConfig, lesson: Lesson, users: Vocabulary
) -> tuple[Fold, Fold | None]:
    """How the target alone sees some users, and how a transferred model does: measured on the same ones."""
    drawn = _sample(len(users), _most(config), np.random.default_rng(config.seed))
    checked = Vocabulary(users.take(drawn))
    own = measured(ground, ground.target, checked)
    # what is recommended leaves out what was had in the target, so the gate does the same
    alone = _fold(ground, config, lesson.alone, ground.target, users, own, own, transferred=False)
    if lesson.transferred is None:
        return alone, None
    brought = measured(ground, ground.merged, checked)
    scene = as_they_were(lesson.transferred, ground)
    return alone, _fold(ground, config, scene, ground.merged, users, brought, own, transferred=True)


def _most(config: RecommenderConfig) -> int:
    """Cuts, and users who are measured, of each fold."""
    return math.ceil(config.most_cuts / config.folds)


def _fold(
    ground: Ground,
    config: RecommenderConfig,
    scene: Scene,
    log: InteractionLog,
    users: Vocabulary,
    checking: Measured,
    had: Measured,
    *,
    transferred: bool,
) -> Fold:
    own = None if log is ground.target else ground.target
    histories = ground.histories(log, users, own=own)
    rng = np.random.default_rng(config.seed)
    most = _most(config)
    per_user = max(1, min(config.per_user, most // max(1, len(users))))
    learning = cut_at_random(
        histories,
        len(ground.items),
        rng,
        users=_sample(len(users), most, rng),
        per_user=per_user,
        labels_in=ground.on_sale,
        strangers=ground.met_as_new(users),
        familiar=FAMILIAR,
    )
    returns = _returns(ground, transferred, checking.again.who)
    by_habits = transferred and ground.had_elsewhere is not None  # then it isn't the ranker's
    here, elsewhere = [], []
    for some, taken in ((checking.again, had.again), (checking.repeating, had.repeating)):
        found = scene.candidates(some, exclude=some.seen if by_habits else taken.seen)
        here.append(Choosers(some, taken.seen, found, scene.slate(some, found), returns))
        elsewhere.append(replace(here[-1], had=had_elsewhere(some, taken.seen, ground.on_sale)))
    learn_from = scene.lesson(learning, rng, exclude=learning.seen if by_habits else None)
    return Fold(learn_from, checking.examples, tuple(here), tuple(elsewhere))


def _sample(n: int, most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The rows of `n` users, or of some that are drawn."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _contenders(
    ground: Ground, config: RecommenderConfig, lesson: Lesson, views: list[tuple[Fold, Fold | None]]
) -> list[Contender]:
    own = Contender(
        ALONE,
        tuple(alone for alone, _ in views),
        None,
        config.ranker.pull,
        transferred=False,
        names=lesson.alone.names,
    )
    if len(ground.target.users) <= _FEW:
        held = (replace(own, pull=config.ranker.pull * more) for more in (10, 100))
        popular = replace(own, start=_popular(lesson.alone.names, config), pull=None)
        own = replace(own, members=(replace(own), *held, popular))
    found = [own]
    if lesson.transferred is None:
        return found
    folds = tuple(transferred for _, transferred in views if transferred is not None)
    elsewhere = _elsewhere(ground)
    for view in ground.sources:
        label = "transfer" if len(ground.sources) == 1 else f"transfer from {view.name}"
        first = Contender(
            f"{label}, as it comes",
            folds,
            _carried(view, lesson, grow=False),
            None,
            elsewhere=elsewhere,
            distant=view.distant,
        )
        if view.knows_any(ground.on_sale):  # else it has nothing to say as it comes
            found.append(first)
        begun = replace(first, start=_start(view, lesson, ground))
        tuned = [
            replace(begun, name=f"{label}, fine-tuned (pull {pull:g})", pull=pull)
            for pull in sorted(config.pulls, reverse=True)
        ]
        whole = replace(begun, name=f"{label}, as it comes, with all signals")
        members = (whole, *tuned)
        averaged = replace(begun, name=f"{label}, averaged", pull=config.ranker.pull, members=members)
        found += [*tuned, averaged]
    return found


def _carried(view: SourceView, lesson: Lesson, *, grow: bool) -> Callable[[Slate], Ranker]:
    """The source's ranker, over its own signals or grown to all.

    What the source that leads has learned about its signals is said of the joint ones: those are the same,
    gone on with the target's own log.
    """
    assert lesson.transferred is not None  # noqa: S101 (only called where there is one)
    names = lesson.transferred.names
    own = view.ranker
    if view is lesson.lead:
        joint = {name: f"{JOINT}.{name.partition('.')[2]}" for name in own.names}
        own = own.renamed({name: new if new in names else name for name, new in joint.items()})
    own = own.renamed({name: name for name in own.names if name in names})

    def start(slate: Slate) -> Ranker:
        if not grow:
            return own.copy()
        new = tuple(name for name in names if name not in own.names)
        return Ranker(names, own.hidden).grown_from(own).rescale(slate, only=new)

    return start


def _popular(names: tuple[str, ...], config: RecommenderConfig) -> Callable[[Slate], Ranker]:
    """Best sellers alone: what a log that is too thin for anything else comes down to.

    Its network is that of the rankers that it is averaged with, before they were trained.
    """
    how = config.ranker

    def start(slate: Slate) -> Ranker:
        seeds = range(config.seed, config.seed + how.members)
        found = Ranker.mean_of([Ranker.standard(names, how.hidden, seed) for seed in seeds])
        return found.weighing({f"{TARGET}.popularity": 1.0}).rescale(slate)

    return start


def _start(view: SourceView, lesson: Lesson, ground: Ground) -> Callable[[Slate], Ranker]:
    """Where fine-tuning starts: from the source's ranker, if that has ever met signals of what is on sale.

    Else from how common an item is here and what users of a taste lean to.
    """
    assert lesson.transferred is not None  # noqa: S101 (only called where there is one)
    names = lesson.transferred.names
    if view.knows_any(ground.on_sale) or LEANING not in names:
        return _carried(view, lesson, grow=True)

    def start(slate: Slate) -> Ranker:
        found = Ranker(names, view.ranker.hidden).weighing({f"{TARGET}.popularity": 1.0, LEANING: 1.0})
        return found.rescale(slate)

    return start


def _empty(scene: Scene) -> Slate:
    n = len(scene.names)
    none: Any = np.zeros((0, 0))
    return Slate(scene.names, np.zeros((0, 0, n), np.float32), none > 0, none > 0, np.zeros(0, np.float32))
