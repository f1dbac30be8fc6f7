"""The loss that a config asks for."""

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rectransfer.ranking.calibrated import Calibrated
from rectransfer.ranking.evidence import Floats
from rectransfer.ranking.examples import Examples
from rectransfer.ranking.imbalance import draw_negatives, label_weights
from rectransfer.ranking.losses import SAMPLED, WHOLE, Scorer
from rectransfer.ranking.tower import Tower, UserInputs
from rectransfer.ranking.train_config import TrainConfig

__all__ = ["Aim"]


class Aim:
    """The loss that a config asks for, on a tower.

    Args:
        tower: What is trained.
        config: How.
        popularity: `log(1 + users)` of each item, shape `(n_items,)`.
        rng: Draws negatives.
    """

    def __init__(
        self, tower: Tower, config: TrainConfig, popularity: Floats, rng: np.random.Generator
    ) -> None:
        self.config, self.popularity, self.rng = config, popularity, rng
        self.tower = tower
        self.weights = label_weights(popularity, config)
        absolute = config.loss in ("bce", "mse")
        self.scorer: Scorer = Calibrated(tower) if absolute else tower
        self.more = {"positive": config.positive_weight} if absolute else {}

    def calibrate(self, inputs: UserInputs, examples: Examples, rows: npt.NDArray[np.int64]) -> None:
        """Fit the scale of the scores to some examples, where the loss depends on it."""
        if isinstance(self.scorer, Calibrated):
            self.tower.eval()
            some, part, drawn = inputs.take(rows), examples.take(rows), self._draw()
            self.scorer.fit(lambda: self._of(some, part, drawn))

    def loss(self, inputs: UserInputs, examples: Examples) -> Tensor:
        """The loss of some examples, over the catalogue or over items drawn for it."""
        return self._of(inputs, examples, self._draw())

    def _of(self, inputs: UserInputs, examples: Examples, drawn: tuple[Tensor, Tensor] | None) -> Tensor:
        name = self.config.loss
        if drawn is None:
            scores = self.scorer.users(inputs) @ self.scorer.items().T
            return WHOLE[name](scores, examples, self.weights, **self.more)
        return SAMPLED[name](self.scorer, inputs, examples, self.weights, *drawn, **self.more)

    def _draw(self) -> tuple[Tensor, Tensor] | None:
        most = self.config.full_up_to
        if self.config.loss == "bpr":  # pairs of labels and items: the whole is out of reach sooner
            most = min(most, self.config.negatives)
        if len(self.popularity) <= most:
            return None
        return draw_negatives(self.popularity, self.config.negatives, self.config.negatives_by, self.rng)
