"""Measured transfer learning for recommenders: pretrain on a mature domain, start a new one with it.

    import rectransfer as rt

    pretrained = rt.pretrain(rt.read_log("source.parquet"))
    model = rt.Recommender(pretrained).fit(rt.read_log("target.parquet"))
    model.verdict
    model.recommend(k=10)

Names are imported when they are first used, so `import rectransfer` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rectransfer.compression import compress
    from rectransfer.embeddings import EmbeddingTable, Item2Vec, User2Vec
    from rectransfer.errors import RectransferError
    from rectransfer.evaluation import Comparison, compare
    from rectransfer.logs import InteractionLog, fetch, plant, read_log, spill_log
    from rectransfer.pretrained import Pretrained, load_pretrained, pretrain
    from rectransfer.recommend import Recommender, load_recommender
    from rectransfer.selection import select_source
    from rectransfer.transfer import align
    from rectransfer.tuning import tune

    __version__: str

__all__ = [
    "Comparison",
    "EmbeddingTable",
    "InteractionLog",
    "Item2Vec",
    "Pretrained",
    "Recommender",
    "RectransferError",
    "User2Vec",
    "__version__",
    "align",
    "compare",
    "compress",
    "fetch",
    "load_pretrained",
    "load_recommender",
    "plant",
    "pretrain",
    "read_log",
    "select_source",
    "spill_log",
    "tune",
]

_HOMES: Final = {
    "compression": ("compress",),
    "embeddings": ("EmbeddingTable", "Item2Vec", "User2Vec"),
    "errors": ("RectransferError",),
    "evaluation": ("Comparison", "compare"),
    "logs": ("InteractionLog", "fetch", "plant", "read_log", "spill_log"),
    "pretrained": ("Pretrained", "load_pretrained", "pretrain"),
    "recommend": ("Recommender", "load_recommender"),
    "selection": ("select_source",),
    "transfer": ("align",),
    "tuning": ("tune",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}
_ROOMS: Final = frozenset(_HOMES) | {
    "artefacts",
    "cli",
    "columns",
    "demo",
    "engines",
    "explain",
    "metrics",
    "neighbours",
    "ranking",
    "report",
    "retrieval",
    "scene",
    "scoring",
    "sequences",
    "serving",
    "testing",
    "transitions",
    "vocabulary",
}


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"{__name__}.{name}")
    elif name == "__version__":
        value = _version()
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # asked once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(__name__)
    except PackageNotFoundError:  # a source tree on the path, not installed
        return "0+unknown"
