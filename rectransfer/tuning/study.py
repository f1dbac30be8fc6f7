"""Trials in an Optuna study: on disk, if wanted, from where a killed run goes on."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rectransfer.errors import ArtefactError, InputError, MissingExtraError
from rectransfer.tuning.space import SearchSpace, Settings

if TYPE_CHECKING:
    import optuna

__all__ = ["Record", "Running", "Study", "opened"]

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]

_NAME: Final = "rectransfer"
_BELONGS: Final = "belongs"
_MEASURED: Final = "measured"
_ERROR: Final = "error"
_AT_RANDOM: Final = 8
"""Trials that are drawn evenly before the sampler draws where it was good."""


@dataclass(frozen=True, eq=False)
class Record:
    """A trial that is over.

    Attributes:
        state: `"finished"`, `"pruned"` (it was behind after some folds), or `"failed"` (its settings were
            refused).
        settings: Values of the space's fields, by name.
        values: NDCG@10 of each user that was measured, the folds' users one after another.
        folds: Folds that were measured.
        seconds: What it took.
        error: Why it failed, or nothing.
    """

    state: Literal["finished", "pruned", "failed"]
    settings: Mapping[str, Any]
    values: Floats
    folds: int
    seconds: float
    error: str


class Running:
    """A trial that is being measured."""

    def __init__(self, trial: "optuna.Trial", settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self._trial = trial

    def report(self, values: Floats, folds: int, seconds: float, lead: float) -> None:
        """Write down what was measured so far.

        Args:
            values: NDCG@10 of each user so far.
            folds: After how many folds.
            seconds: What it has taken.
            lead: Mean over these users, less that of the default on the same users.
        """
        rounded = [round(float(value), 7) for value in values]
        self._trial.set_user_attr(_MEASURED, [rounded, folds, round(seconds, 3)])
        self._trial.report(lead, folds)

    @property
    def hopeless(self) -> bool:
        """Whether it is behind the median of the trials that got as far."""
        return self._trial.should_prune()


class Study:
    """Trials of one search, in order. `opened` gives one."""

    def __init__(self, study: "optuna.Study", space: SearchSpace, base: Settings, seed: int) -> None:
        self._study, self._space, self._base, self._seed = study, space, base, seed

    def records(self) -> list[Record]:
        """The trials that are over; those that were cut off in the middle don't count."""
        from optuna.trial import TrialState

        states: dict[TrialState, Literal["finished", "pruned", "failed"]] = {
            TrialState.COMPLETE: "finished",
            TrialState.PRUNED: "pruned",
            TrialState.FAIL: "failed",
        }
        found = []
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state not in states or (
                trial.state is TrialState.FAIL and _ERROR not in trial.user_attrs
            ):
                continue
            ranges = self._space.ranges
            values, folds, seconds = trial.user_attrs.get(_MEASURED, ([], 0, 0.0))
            found.append(
                Record(
                    state=states[trial.state],
                    settings={name: ranges[name].decode(value) for name, value in trial.params.items()},
                    values=np.asarray(values, dtype=np.float64),
                    folds=folds,
                    seconds=seconds,
                    error=trial.user_attrs.get(_ERROR, ""),
                )
            )
        return found

    def begin(self) -> Running:
        """The next trial: the default first, then what the sampler draws.

        A draw depends on the seed and on the trials before it alone, so that a study that was killed goes on
        as if it hadn't been.
        """
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        number = len(self.records())
        state = np.random.SeedSequence([self._seed, number]).generate_state(1)
        self._study.sampler = TPESampler(n_startup_trials=_AT_RANDOM, seed=int(state[0]))
        if number:
            trial = self._study.ask()
            return Running(trial, self._space.draw(trial))
        held = self._space.holding(self._base)
        if not any(one.state is TrialState.WAITING for one in self._study.get_trials(deepcopy=False)):
            self._study.enqueue_trial(held)
        trial = self._study.ask()
        # what the space doesn't hold stays as it is, and the trial says nothing about it
        return Running(trial, self._space.draw(trial, held))

    def finish(self, running: Running, mean: float) -> None:
        """A trial was measured on all folds."""
        self._study.tell(running._trial, mean)

    def prune(self, running: Running) -> None:
        """A trial is behind."""
        from optuna.trial import TrialState

        self._study.tell(running._trial, state=TrialState.PRUNED)

    def fail(self, running: Running, error: str) -> None:
        """A trial's settings were refused; nothing for `error`: it was cut off, and is drawn again."""
        from optuna.trial import TrialState

        if error:
            running._trial.set_user_attr(_ERROR, error)
        self._study.tell(running._trial, state=TrialState.FAIL)


@contextmanager
def opened(
    path: str | Path | None,
    belongs: Mapping[str, str],
    space: SearchSpace,
    base: Settings,
    seed: int,
) -> Iterator[Study]:
    """A study, new or continued.

    Args:
        path: A file (SQLite), made where there is none; None keeps the study in memory.
        belongs: What its trials can be compared under: digests by name.
        space: What is searched.
        base: What trial 0 is.
        seed: Where the draws start.

    Raises:
        MissingExtraError: The package `optuna` is not installed.
        InputError: The file has a study of something else.
        ArtefactError: The file is something else, or cannot be written.
    """
    optuna = _optuna()
    storage = None if path is None else _storage(Path(path))
    shown = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=_NAME,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=0),
        )
        _check_belongs(study, belongs, path)
        for trial in study.get_trials(deepcopy=False):
            if trial.state is optuna.trial.TrialState.RUNNING:  # whoever ran it was killed
                logger.info("trial %s was cut off; it is drawn again", trial.number)
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        yield Study(study, space, base, seed)
    finally:
        optuna.logging.set_verbosity(shown)
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingExtraError("optuna", extra="tune") from error
    return optuna


def _storage(path: Path) -> Any:
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import DatabaseError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return RDBStorage(f"sqlite:///{path}")
    except (DatabaseError, OSError, RuntimeError) as error:
        raise ArtefactError(
            f"{path} cannot be used as a study: {str(error).splitlines()[0]}; name a file that isn't there "
            "yet, in a folder that can be written"
        ) from error


def _check_belongs(study: "optuna.Study", belongs: Mapping[str, str], path: str | Path | None) -> None:
    kept = study.user_attrs.get(_BELONGS)
    if kept is None:
        study.set_user_attr(_BELONGS, json.dumps(dict(belongs)))
        return
    before = json.loads(kept)
    if other := [name for name in {**before, **belongs} if before.get(name) != belongs.get(name)]:
        raise InputError(
            f"{path} has a study with another {' and '.join(other)}, so its trials cannot be compared with "
            "new ones: go on with what it was begun with, or name another file"
        )
