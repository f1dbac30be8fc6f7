"""What training with gensim has in common: checks, threads, progress."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from gensim.models.callbacks import CallbackAny2Vec
from tqdm import tqdm

from rectransfer.errors import InputError

__all__ = ["Training", "check_training", "epochs_shown", "n_workers"]

logger = logging.getLogger(__name__)

# gensim gives each worker its share of the corpus file, but reads 10,000 tokens at a time: were a share
# not many times that, workers would run into each other's lines and train on them twice
_TOKENS_A_WORKER: Final = 100_000


class Training(Protocol):
    """The hyper-parameters that both models have."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    def epochs(self) -> int:
        """Passes over the data."""

    @property
    def negative(self) -> int:
        """Noise items for each pair."""

    @property
    def ns_exponent(self) -> float:
        """Exponent of the noise distribution."""

    @property
    def sample(self) -> float:
        """Threshold above which items are thinned out."""

    @property
    def min_count(self) -> int:
        """Items seen less often are left out."""

    @property
    def learning_rate(self) -> float:
        """Step size at the start."""

    @property
    def seed(self) -> int:
        """Where randomness starts."""

    @property
    def workers(self) -> int | None:
        """Threads."""

    @property
    def deterministic(self) -> bool:
        """Whether one thread is used."""


def check_training(config: Training) -> None:
    """Check the hyper-parameters.

    Raises:
        InputError: One is out of its range.
    """
    for name in ("dimensions", "epochs", "negative", "min_count"):
        if (value := getattr(config, name)) < 1:
            raise InputError(f"{name}={value}; expected at least 1")
    if not 0 < config.learning_rate < 1:
        raise InputError(f"learning_rate={config.learning_rate}; expected more than 0 and less than 1")
    if not 0 <= config.sample < 1:
        raise InputError(f"sample={config.sample}; expected 0 (keep all) or a share below 1, such as 0.001")
    if not -5 <= config.ns_exponent <= 5:
        raise InputError(f"ns_exponent={config.ns_exponent}; expected -5 to 5, usually 0.75")
    if isinstance(config.seed, bool) or not isinstance(config.seed, int):
        raise InputError(f"seed={config.seed!r}; expected a whole number from 0 to 2**32 - 1")
    if not 0 <= config.seed < 2**32:
        raise InputError(f"seed={config.seed}; expected 0 to 2**32 - 1")
    if config.workers is not None and config.workers < 1:
        raise InputError(f"workers={config.workers}; expected at least 1, or None")
    if config.deterministic and config.workers not in (None, 1):
        raise InputError(
            f"deterministic=True takes one worker, not workers={config.workers}; leave workers out"
        )


def n_workers(config: Training, n_tokens: int) -> int:
    """How many threads to train with."""
    useful = max(1, min(os.cpu_count() or 1, n_tokens // _TOKENS_A_WORKER))
    if not config.deterministic:
        return config.workers or useful
    if useful > 1:
        logger.info(
            "deterministic=True trains on one thread instead of %s: about %s times as long", useful, useful
        )
    return 1


@contextmanager
def epochs_shown(epochs: int, progress: bool) -> Iterator[tuple[CallbackAny2Vec, ...]]:
    """Callbacks for gensim that move a progress bar, one step an epoch; none where it isn't wanted."""
    if not progress:
        yield ()
        return
    with tqdm(total=epochs, desc="epochs", unit="epoch") as bar:
        yield (_Bar(bar),)


class _Bar(CallbackAny2Vec):  # type: ignore[misc]  # gensim has no types
    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def on_epoch_end(self, model: Any) -> None:  # noqa: ARG002 (gensim passes it)
        self.bar.update()
