"""Fitting: cross-fit on the target's users, let the gate choose, learn again from everybody."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog
from rectransfer.ranking import (
    Examples,
    Histories,
    Ranker,
    Slate,
    cut_at_random,
    uncut,
)
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.gate import ALONE, Contender, Fold, Verdict, judge
from rectransfer.recommend.ground import Ground, SourceView
from rectransfer.recommend.learn import JOINT, Chosen, Lesson, learn
from rectransfer.scene import Scene
from rectransfer.vocabulary import Vocabulary

__all__ = ["Fitted", "fit"]

logger = logging.getLogger(__name__)

_HISTORY: Final = 0.5
"""The share of a user's visits that the gate takes as history; the rest is to be found."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What ships.

    Attributes:
        scene: Evidence and towers, learned from everybody.
        ranker: Over the scene's signals, or some of them.
        log: What users did, as far as the model that ships looks at it.
        verdict: Why it ships.
    """

    scene: Scene
    ranker: Ranker
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
    return Fitted(scene, ranker, log, verdict)


def _views(
    ground: Ground, config: RecommenderConfig, lesson: Lesson, users: Vocabulary
) -> tuple[Fold, Fold | None]:
    alone = _fold(ground, config, lesson.alone, ground.target, users)
    if lesson.transferred is None:
        return alone, None
    return alone, _fold(ground, config, lesson.transferred, ground.merged, users)


def _fold(
    ground: Ground, config: RecommenderConfig, scene: Scene, log: InteractionLog, users: Vocabulary
) -> Fold:
    n_items = len(ground.items)
    histories = Histories.from_log(log, ground.items, users)
    rng = np.random.default_rng(config.seed)
    most = math.ceil(config.most_cuts / config.folds)
    per_user = max(1, min(config.per_user, most // max(1, len(users))))
    # every second one as if new here, where users are shared: such users will come
    strangers = ground.on_sale if ground.shares_users else None
    learning = cut_at_random(
        histories,
        n_items,
        rng,
        users=_sample(len(users), most, rng),
        per_user=per_user,
        labels_in=ground.on_sale,
        strangers_in=strangers,
    )
    checked = Vocabulary(users.take(_sample(len(users), most, rng)))
    checking = _measured(ground, log, checked)
    # what is recommended leaves out what was had in the target, so the gate does the same
    viewed = _measured(ground, ground.target, checked).seen
    return Fold(
        learn=scene.lesson(learning, rng),
        examples=checking,
        candidates=(found := scene.candidates(checking, exclude=viewed)),
        slate=scene.slate(checking, found),
    )


def _sample(n: int, most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The rows of `n` users, or of some that are drawn."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _measured(ground: Ground, log: InteractionLog, users: Vocabulary) -> Examples:
    """What the gate measures on: the first half of each user's visits to the target.

    `log` may add what shared users did elsewhere before that. The labels are what is new in the target
    afterwards. Where users are shared, every second one is met as if new to the target: its history has
    nothing of it, and whatever is taken afterwards is a label.
    """
    frame = ground.target.frame.filter(pl.Series(users.rows(ground.target.frame[Columns.User]) >= 0))
    visit = Columns.Session if ground.target.has_sessions else Columns.Timestamp
    number = pl.col(visit).rle_id().over(Columns.User)
    last = number.max().over(Columns.User)
    cut = ((last + 1) * _HISTORY).round().clip(1, last).cast(pl.Int64)
    marked = frame.with_columns(late=(number.cast(pl.Int64) >= cut) & (last > 0))
    first_late = (
        marked.filter("late").group_by(Columns.User).agg(pl.col(Columns.Timestamp).min().alias("cut"))
    )
    key = [Columns.User, Columns.Item]
    measured = Vocabulary.from_ids(first_late[Columns.User])
    new_here = measured.ids.gather_every(2, offset=1) if ground.shares_users else measured.ids.clear()
    early = marked.filter(~pl.col("late"), ~pl.col(Columns.User).is_in(new_here.implode()))
    early = early.select(frame.columns)
    past = early
    if log is not ground.target:
        others = log.frame.join(ground.target.frame, on=[*key, Columns.Timestamp], how="anti")
        before = others.join(first_late, on=Columns.User).filter(pl.col(Columns.Timestamp) < pl.col("cut"))
        names = [*key, Columns.Timestamp]
        past = pl.concat([before.select(names), early.select(names)]).sort(Columns.User, Columns.Timestamp)
    histories = Histories.from_log(InteractionLog.from_frame(past), ground.items, measured)
    whole = uncut(histories, len(ground.items))
    late = marked.filter("late").select(key).unique()
    late = late.join(early.select(key).unique(), on=key, how="anti").sort(key)
    owner, label = measured.rows(late[Columns.User]), ground.items.rows(late[Columns.Item])
    order = np.argsort(owner, kind="stable")
    found = Examples(
        whole.users, whole.n_items, whole.owner, whole.items, whole.ages, owner[order], label[order], measured
    )
    return found.take(np.unique(owner))


def _contenders(
    ground: Ground, config: RecommenderConfig, lesson: Lesson, views: list[tuple[Fold, Fold | None]]
) -> list[Contender]:
    found = [
        Contender(
            ALONE,
            tuple(alone for alone, _ in views),
            None,
            config.ranker.pull,
            transferred=False,
            names=lesson.alone.names,
        )
    ]
    if lesson.transferred is None:
        return found
    folds = tuple(transferred for _, transferred in views if transferred is not None)
    for view in ground.sources:
        label = "transfer" if len(ground.sources) == 1 else f"transfer from {view.name}"
        start = _carried(view, lesson, grow=True)
        tuned = [
            Contender(f"{label}, fine-tuned (pull {pull:g})", folds, start, pull)
            for pull in sorted(config.pulls, reverse=True)
        ]
        members = (Contender(f"{label}, as it comes, with all signals", folds, start, None), *tuned)
        found += [
            Contender(f"{label}, as it comes", folds, _carried(view, lesson, grow=False), None),
            *tuned,
            Contender(f"{label}, averaged", folds, start, config.ranker.pull, members=members),
        ]
    return found


def _carried(view: SourceView, lesson: Lesson, *, grow: bool) -> Callable[[Slate], Ranker]:
    """The source's ranker, over its own signals or grown to all.

    What it has learned about the source's signals is said of the joint ones: those are the same, gone on with
    the target's own log.
    """
    assert lesson.transferred is not None  # noqa: S101 (only called where there is one)
    names = lesson.transferred.names
    joint = {name: f"{JOINT}.{name.partition('.')[2]}" for name in view.ranker.names}
    own = view.ranker.renamed({name: new if new in names else name for name, new in joint.items()})
    own = own.renamed({name: name for name in own.names if name in names})

    def start(slate: Slate) -> Ranker:
        if not grow:
            return own.copy()
        new = tuple(name for name in names if name not in own.names)
        return Ranker(names, own.hidden).grown_from(own).rescale(slate, only=new)

    return start


def _empty(scene: Scene) -> Slate:
    n = len(scene.names)
    none: Any = np.zeros((0, 0))
    return Slate(scene.names, np.zeros((0, 0, n), np.float32), none > 0, none > 0, np.zeros(0, np.float32))
