"""The names that users import, and what importing them costs."""

import importlib
import importlib.metadata
import json
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import rectransfer

HEAVY = {
    "faiss",
    "gensim",
    "implicit",
    "jinja2",
    "lime",
    "matplotlib",
    "numba",
    "numpy",
    "optuna",
    "pandas",
    "polars",
    "pyarrow",
    "ray",
    "rich",
    "scipy",
    "shap",
    "sklearn",
    "sqlalchemy",
    "torch",
}

PUBLIC = [
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


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after some code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout)}


def modules() -> list[str]:
    """Every module of the package that isn't private, by its dotted name."""
    walked = pkgutil.walk_packages(rectransfer.__path__, f"{rectransfer.__name__}.")
    names = [module.name for module in walked]
    return [name for name in names if not any(part.startswith("_") for part in name.split("."))]


def test_the_public_names_are_pinned() -> None:
    assert rectransfer.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_exists(name: str) -> None:
    value = getattr(rectransfer, name)

    assert value is getattr(rectransfer, name)
    assert isinstance(value, str) if name == "__version__" else value.__name__ == name


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import rectransfer") & HEAVY == set()


def test_listing_the_names_loads_nothing_heavy() -> None:
    assert loaded_after("import rectransfer; dir(rectransfer); rectransfer.__all__") & HEAVY == set()


def test_reading_a_log_loads_no_library_that_learns() -> None:
    loaded = loaded_after("import rectransfer; rectransfer.read_log; rectransfer.plant")

    assert loaded & {"faiss", "gensim", "implicit", "numba", "pandas", "ray", "sklearn", "torch"} == set()


def test_rooms_are_there_without_an_import_of_their_own() -> None:
    rooms = {name.split(".")[1] for name in modules()}

    for room in rooms:
        assert isinstance(getattr(rectransfer, room), ModuleType)
    assert rooms <= set(dir(rectransfer))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'rectransfer' has no attribute 'recomend'"):
        rectransfer.recomend  # noqa: B018


def test_a_star_import_brings_the_public_names() -> None:
    namespace: dict[str, object] = {}
    exec("from rectransfer import *", namespace)  # noqa: S102

    assert set(PUBLIC) <= set(namespace)


@pytest.mark.parametrize("name", modules())
def test_every_module_says_what_it_exports(name: str) -> None:
    module = importlib.import_module(name)

    assert module.__doc__
    assert [public for public in module.__all__ if not hasattr(module, public)] == []
    assert len(set(module.__all__)) == len(module.__all__)


def test_the_version_is_the_one_that_is_installed() -> None:
    installed = importlib.metadata.version("rectransfer")

    assert rectransfer.__version__ == installed
