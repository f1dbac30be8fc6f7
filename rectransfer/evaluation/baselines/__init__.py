"""The models that a transfer has to beat, one a file."""

from rectransfer.evaluation.baselines.baseline import Baseline
from rectransfer.evaluation.baselines.ease import Ease, fit_eases
from rectransfer.evaluation.baselines.ials import Ials
from rectransfer.evaluation.baselines.item_knn import ItemKnn, fit_item_knns
from rectransfer.evaluation.baselines.popularity import Popularity

__all__ = ["Baseline", "Ease", "Ials", "ItemKnn", "Popularity", "fit_eases", "fit_item_knns"]
