"""A fitted recommender as files, and back."""

from dataclasses import asdict
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.artefacts import Artefact, Writer, read_arrays, read_ids, write_arrays, write_ids
from rectransfer.errors import ArtefactError, InputError
from rectransfer.logs import InteractionLog
from rectransfer.neighbours import Neighbours
from rectransfer.ranking import Evidence, Profiles, Ranker, TowerConfig, Towers
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.gate import Verdict
from rectransfer.recommend.state import State
from rectransfer.scene import Scene
from rectransfer.transfer import Coverage
from rectransfer.transitions import Transitions
from rectransfer.vocabulary import Vocabulary

__all__ = ["KIND", "fields", "read", "writers"]

KIND: Final = "recommender"

_ARRAYS: Final = ("vectors", "contexts", "log_prior", "popularity", "known")

Arrays = dict[str, npt.NDArray[Any]]


def writers(state: State) -> dict[str, Writer]:
    """What writes each file."""
    layers: Arrays = {f"ranker.{name}": value for name, value in state.ranker.arrays().items()}
    for domain, tower in state.scene.towers.items():
        layers |= {f"{domain}.{name}": value for name, value in tower.layers().items()}
    found: dict[str, Writer] = {
        "items.parquet": lambda path: write_ids(path, state.items.ids),
        "layers.safetensors": lambda path: write_arrays(path, layers),
        "catalogue.safetensors": lambda path: write_arrays(path, {"on_sale": state.scene.on_sale}),
        "log.parquet": lambda path: state.log.frame.write_parquet(path),
        "viewed.parquet": lambda path: state.target.write_parquet(path),
    }
    for one in state.scene.evidence:
        arrays = _arrays(one)
        found[f"{one.name}.safetensors"] = lambda path, arrays=arrays: write_arrays(path, arrays)  # type: ignore[misc]
    if (profiles := state.scene.profiles) is not None:
        brought: Arrays = {"vectors": profiles.vectors, "contexts": profiles.contexts}
        found["profiles.safetensors"] = lambda path: write_arrays(path, brought)
        found["users.parquet"] = lambda path: write_ids(path, profiles.users.ids)
    return found


def _arrays(evidence: Evidence) -> Arrays:
    found: Arrays = {name: getattr(evidence, name) for name in _ARRAYS}
    if evidence.weights is not None:
        found |= {f"weights.{name}": value for name, value in evidence.weights.arrays().items()}
    if evidence.transitions is not None:
        found |= {f"transitions.{name}": value for name, value in evidence.transitions.arrays().items()}
    return found


def fields(state: State, config: RecommenderConfig) -> dict[str, Any]:
    """What belongs on the card beside the files."""
    return {
        "config": asdict(config),
        "signals": list(state.ranker.names),
        "hidden": state.ranker.hidden,
        "evidence": [one.name for one in state.scene.evidence],
        "towers": {name: asdict(tower.config) for name, tower in state.scene.towers.items()},
        "depth": state.scene.depth,
        "verdict": state.verdict.as_dict(),
        "coverage": {name: asdict(found) for name, found in state.coverage.items()},
    }


def read(saved: Artefact, card: Any) -> tuple[State, RecommenderConfig]:
    """Read the files back.

    Raises:
        ArtefactError: A file is damaged or altered, or the card doesn't belong to the files.
    """
    try:
        return _read(saved, card)
    except ArtefactError as error:
        if str(saved.folder) in str(error):
            raise
        raise ArtefactError(
            f"{saved.folder}: {error}; restore it from a copy, or fit and save again"
        ) from error
    except (InputError, KeyError, TypeError, ValueError, IndexError, pl.exceptions.PolarsError) as error:
        raise ArtefactError(
            f"{saved.folder} does not fit its card: {error!r}; restore it from a copy, or fit and save again"
        ) from error


def _read(saved: Artefact, card: Any) -> tuple[State, RecommenderConfig]:
    items = Vocabulary(read_ids(saved.path("items.parquet")))
    layers = read_arrays(saved.path("layers.safetensors"))
    evidence = tuple(_evidence(saved, name, len(items)) for name in card["evidence"])
    by_name = {one.name: one for one in evidence}
    towers = {
        name: Towers.load(by_name[name], TowerConfig(**config), _under(f"{name}.", layers))
        for name, config in card["towers"].items()
    }
    on_sale = read_arrays(saved.path("catalogue.safetensors"))["on_sale"].astype(np.bool_)
    if on_sale.shape != (len(items),):
        raise ArtefactError(f"{saved.folder}: on_sale has the shape {on_sale.shape} for {len(items)} items")
    profiles = None
    if "profiles.safetensors" in saved.names:
        brought = read_arrays(saved.path("profiles.safetensors"))
        users = Vocabulary(read_ids(saved.path("users.parquet")))
        profiles = Profiles(users, brought["vectors"], brought["contexts"])
    scene = Scene(evidence, towers, on_sale, card["depth"], profiles)
    if strangers := [name for name in card["signals"] if name not in scene.names]:
        raise ArtefactError(f"{saved.folder}: its ranker takes {strangers[0]!r}, which no table gives")
    state = State(
        items=items,
        scene=scene,
        ranker=Ranker(tuple(card["signals"]), card["hidden"]).load_arrays(_under("ranker.", layers)),
        log=InteractionLog.from_frame(pl.read_parquet(saved.path("log.parquet"))),
        target=pl.read_parquet(saved.path("viewed.parquet")),
        verdict=Verdict.from_dict(card["verdict"]),
        coverage={name: Coverage(**found) for name, found in card["coverage"].items()},
    )
    return state, RecommenderConfig.from_fields(card["config"])


def _evidence(saved: Artefact, name: str, n_items: int) -> Evidence:
    arrays = read_arrays(saved.path(f"{name}.safetensors"))
    if wrong := [part for part in _ARRAYS if len(arrays[part]) != n_items]:
        raise ArtefactError(
            f"{saved.folder}: {wrong[0]} of {name} has {len(arrays[wrong[0]])} rows for {n_items} items"
        )
    weights = _under("weights.", arrays)
    if weights and len(weights["rarity"]) != n_items:
        raise ArtefactError(
            f"{saved.folder}: the item-item weights of {name} are for {len(weights['rarity'])} items, not "
            f"{n_items}"
        )
    followed = _under("transitions.", arrays)
    if followed and len(followed["totals"]) != n_items:
        raise ArtefactError(
            f"{saved.folder}: transitions of {name} are for {len(followed['totals'])} items, not {n_items}"
        )
    return Evidence(
        name=name,
        weights=Neighbours.from_arrays(weights) if weights else None,
        transitions=Transitions.from_arrays(followed) if followed else None,
        **{part: arrays[part] for part in _ARRAYS[:-1]},
        known=arrays["known"].astype(np.bool_),
    )


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
