"""Rankers and towers from files: what a card asks for has to be in the file before room is made for it."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rectransfer.artefacts import require_finite
from rectransfer.errors import ArtefactError
from rectransfer.ranking.evidence import Evidence
from rectransfer.ranking.ranker import Ranker
from rectransfer.ranking.tower import TowerConfig
from rectransfer.ranking.towers import Towers

__all__ = ["require_layers", "restored_ranker", "restored_towers"]

_MOST_TOWERS: Final = 100

Layers = Mapping[str, npt.NDArray[np.float32]]


def restored_ranker(names: Any, hidden: Any, arrays: Layers) -> Ranker:
    """A ranker with the weights that `Ranker.arrays` gave.

    Raises:
        ArtefactError: Names or `hidden` aren't any, or don't belong to the weights.
    """
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ArtefactError(f"its signals are {names!r:.60}, no list of names")
    if type(hidden) is not int or hidden < 0 or hidden * (len(names) + 1) > _numbers(arrays):
        raise ArtefactError(
            f"its ranker has {hidden!r:.40} hidden units by the card, and {_numbers(arrays):,} weights"
        )
    require_finite(arrays)
    return Ranker(tuple(names), hidden).load_arrays(arrays)


def restored_towers(evidence: Evidence, config: TowerConfig, layers: Layers) -> Towers:
    """Towers with the layers that `Towers.layers` gave.

    Raises:
        ArtefactError: The layers aren't those of such towers.
    """
    require_layers(config, layers, evidence.vectors.shape[1])
    return Towers.load(evidence, config, layers)


def require_layers(config: TowerConfig, layers: Layers, dimensions: int) -> None:
    """Refuse layers of towers that have fewer numbers than the config asks for, or some that aren't finite.

    Raises:
        ArtefactError: They do.
    """
    sizes = (config.hidden, config.width)
    if any(type(size) is not int for size in sizes):
        raise ArtefactError(f"its tower is {sizes} wide, which are no whole numbers")
    hidden, width = sizes
    n = len({name.partition(".")[0] for name in layers})
    asked = n * (hidden * (2 * dimensions + 1 + width) + 2 * dimensions * width) if hidden else 0
    if n > _MOST_TOWERS or asked > _numbers(layers):
        raise ArtefactError(
            f"its {n} towers have {hidden:,} by {width:,} units by the card, and {_numbers(layers):,} weights"
        )
    require_finite(layers)


def _numbers(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    return sum(array.size for array in arrays.values())
