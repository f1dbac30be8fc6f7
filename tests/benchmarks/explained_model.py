"""The model whose explanations are measured: the store launch's, with its real households."""

import argparse
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from provenance import commit

import rectransfer as rt
from rectransfer.artefacts import library_versions
from rectransfer.evaluation import store_launch
from rectransfer.recommend import Recommender

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"


def parser(words: str | None) -> argparse.ArgumentParser:
    """The options of both scripts."""
    found = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument(
        "--model", type=Path, help="what fit saved for the store launch; by default it is fitted"
    )
    found.add_argument("--render", action="store_true", help="the page only, from the results that are there")
    return found


def model_of(folder: Path | None) -> Recommender:
    """The store launch's model: from a folder, or pretrained and fitted (minutes)."""
    if folder is not None:
        return rt.load_recommender(folder)
    task = store_launch(rt.fetch("complete-journey"))
    return Recommender(rt.pretrain(task.source, seed=0), seed=0).fit(task.target, items=task.items.ids)


def some_users(model: Recommender, n: int, seed: int = 0) -> list[Any]:
    """Some of the model's households, drawn."""
    drawn = np.random.default_rng(seed).permutation(len(model.users))[:n]
    return [model.users[place] for place in np.sort(drawn)]


def circumstances(model: Recommender) -> dict[str, Any]:
    """What was measured, with what, on what."""
    return {
        "model": {
            "contender": model.verdict.contender,
            "users": len(model.users),
            "items": len(model.catalogue),
            "signals": list(model.signals),
            "groups": list(model.explainer().players.names),
            "hidden": model._fitted.ranker.hidden,
            "background": len(model.explainer().background),
        },
        "commit": commit()[:7],
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "processor": _processor(),
        "versions": library_versions() | _versions(),
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine()
    )


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("shap", "lime")}
