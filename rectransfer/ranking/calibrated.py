"""A tower's scores as log-odds, or as numbers from 0 to 1, for losses that look at more than their order."""

from collections.abc import Callable

import torch
from torch import Tensor

from rectransfer.ranking.losses import Scorer
from rectransfer.ranking.tower import UserInputs

__all__ = ["Calibrated"]


class Calibrated:
    """Scores `scale * s + offset` of a tower.

    A tower starts at `W·C + prior`, the log of how likely an item is up to a constant: right for losses that
    compare items, and far off for those that want log-odds (`bce`) or 0 and 1 (`mse`). So a scale and an
    offset are fitted to the tower as it is (Platt 1999, "Probabilistic outputs for support vector machines",
    section 2, with the loss itself as the measure). They don't change the order of items, and aren't kept.

    Attributes:
        tower: What scores.
        scale: A number above 0, shape `()`.
        offset: A number, shape `()`.
    """

    def __init__(self, tower: Scorer) -> None:
        self.tower = tower
        self.scale, self.offset = torch.ones(()), torch.zeros(())

    def users(self, inputs: UserInputs) -> Tensor:
        """User vectors with the offset behind them, shape `(u, w + 1)`."""
        users = self.tower.users(inputs)
        return torch.cat([users * self.scale, self.offset.expand(len(users), 1)], dim=1)

    def items(self, rows: Tensor | None = None) -> Tensor:
        """Item vectors with a one behind them, shape `(n, w + 1)`."""
        items = self.tower.items(rows)
        return torch.cat([items, torch.ones(len(items), 1)], dim=1)

    def fit(self, loss: Callable[[], Tensor]) -> "Calibrated":
        """Choose scale and offset; the tower stays as it is.

        Args:
            loss: The loss of some examples, with this as what scores.
        """
        pair = torch.stack([self.scale, self.offset]).requires_grad_()
        search = torch.optim.LBFGS([pair], max_iter=50, line_search_fn="strong_wolfe")

        def closure() -> float:
            self.scale, self.offset = pair[0], pair[1]
            found = loss()
            (pair.grad,) = torch.autograd.grad(found, [pair])
            return float(found.detach())

        search.step(closure)  # type: ignore[no-untyped-call]
        # a negative scale would turn the tower's order around
        self.scale, self.offset = pair.detach()[0].clamp(min=1e-3), pair.detach()[1]
        return self
