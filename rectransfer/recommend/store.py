"""A fitted recommender as files, and back."""

from dataclasses import asdict
from functools import partial
from typing import Any, Final

import numpy.typing as npt

from rectransfer.artefacts import (
    MISFITS,
    Artefact,
    Writer,
    checked_array,
    packed,
    read_arrays,
    read_frame,
    read_ids,
    unpacked,
    write_arrays,
    write_ids,
)
from rectransfer.columns import Columns
from rectransfer.errors import ArtefactError
from rectransfer.logs import InteractionLog
from rectransfer.neighbours import Neighbours
from rectransfer.ranking import Evidence, Habits, Profiles, TowerConfig, restored_ranker, restored_towers
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.state import State
from rectransfer.recommend.verdict import Verdict
from rectransfer.scene import Scene
from rectransfer.tastes import Leanings
from rectransfer.transfer import Coverage
from rectransfer.transitions import Transitions
from rectransfer.vocabulary import Vocabulary

__all__ = ["KIND", "evidence_arrays", "evidence_of", "fields", "read", "writers"]

KIND: Final = "recommender"

_ARRAYS: Final = ("vectors", "contexts", "log_prior", "popularity", "known")

_HABITS: Final = "habits.safetensors"
_ELSEWHERE: Final = "habits-elsewhere.safetensors"

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
        arrays = packed(evidence_arrays(one), state.precision)
        found[f"{one.name}.safetensors"] = lambda path, arrays=arrays: write_arrays(path, arrays)  # type: ignore[misc]
    for name, habits in ((_HABITS, state.habits), (_ELSEWHERE, state.habits_elsewhere)):
        if habits is not None:
            found[name] = partial(write_arrays, arrays=habits.arrays())
    if (profiles := state.scene.profiles) is not None:
        brought: Arrays = {"vectors": profiles.vectors, "contexts": profiles.contexts}
        if profiles.leanings is not None:
            brought |= {f"leanings.{name}": value for name, value in profiles.leanings.arrays().items()}
        few = packed(brought, state.precision)
        found["profiles.safetensors"] = lambda path: write_arrays(path, few)
        found["users.parquet"] = lambda path: write_ids(path, profiles.users.ids)
    return found


def evidence_arrays(evidence: Evidence) -> Arrays:
    """All that evidence consists of, by name."""
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
        "precision": state.precision,
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
    except MISFITS as error:
        raise ArtefactError(
            f"{saved.folder} does not fit its card: {error!r}; restore it from a copy, or fit and save again"
        ) from error


def _read(saved: Artefact, card: Any) -> tuple[State, RecommenderConfig]:
    items = Vocabulary(read_ids(saved.path("items.parquet")))
    layers = read_arrays(saved.path("layers.safetensors"))
    evidence = tuple(
        evidence_of(name, unpacked(read_arrays(saved.path(f"{name}.safetensors"))), len(items))
        for name in card["evidence"]
    )
    by_name = {one.name: one for one in evidence}
    towers = {
        name: restored_towers(by_name[name], TowerConfig(**config), _under(f"{name}.", layers))
        for name, config in card["towers"].items()
    }
    catalogue = read_arrays(saved.path("catalogue.safetensors"))
    on_sale = checked_array(catalogue, "on_sale", (len(items),), "b")
    if not on_sale.any() or not evidence:
        raise ArtefactError(f"{saved.folder}: nothing is on sale, or no table is there")
    profiles = None
    if "profiles.safetensors" in saved.names:
        brought = unpacked(read_arrays(saved.path("profiles.safetensors")))
        users = Vocabulary(read_ids(saved.path("users.parquet")))
        vectors = checked_array(brought, "vectors", (len(users), None))
        contexts = checked_array(brought, "contexts", (len(items), vectors.shape[1]))
        leanings = _under("leanings.", brought)
        profiles = Profiles(users, vectors, contexts, _leanings(leanings, len(items)) if leanings else None)
    if type(card["depth"]) is not int or card["depth"] < 1:
        raise ArtefactError(f"{saved.folder}: its depth is {card['depth']!r:.40}")
    scene = Scene(evidence, towers, on_sale, card["depth"], profiles)
    if strangers := [name for name in card["signals"] if name not in scene.names]:
        raise ArtefactError(f"{saved.folder}: its ranker takes {strangers[0]!r}, which no table gives")
    log = InteractionLog.from_frame(read_frame(saved.path("log.parquet")))
    target = read_frame(saved.path("viewed.parquet"), [Columns.User, Columns.Item])
    if target.schema != log.frame.select(target.columns).schema or log.items.dtype != items.dtype:
        raise ArtefactError(f"{saved.folder}: its log, what was viewed and its items have ids of other types")
    state = State(
        items=items,
        scene=scene,
        ranker=restored_ranker(card["signals"], card["hidden"], _under("ranker.", layers)),
        habits=_habits(saved, _HABITS, len(items)),
        habits_elsewhere=_habits(saved, _ELSEWHERE, len(items)),
        log=log,
        target=target,
        verdict=Verdict.from_dict(card["verdict"]),
        coverage={name: Coverage(**found) for name, found in card["coverage"].items()},
        precision=card.get("precision", "float32"),
    )
    return state, RecommenderConfig.from_fields(card["config"])


def evidence_of(name: str, arrays: Arrays, n_items: int) -> Evidence:
    """What `evidence_arrays` gave.

    Raises:
        ArtefactError: The arrays aren't those of evidence on so many items.
    """
    vectors = checked_array(arrays, "vectors", (n_items, None))
    weights = _under("weights.", arrays)
    if weights and len(weights["rarity"]) != n_items:
        raise ArtefactError(
            f"the item-item weights of {name} are for {len(weights['rarity'])} items, not {n_items}"
        )
    followed = _under("transitions.", arrays)
    if followed and len(followed["totals"]) != n_items:
        raise ArtefactError(
            f"the transitions of {name} are for {len(followed['totals'])} items, not {n_items}"
        )
    return Evidence(
        name=name,
        weights=Neighbours.from_arrays(weights) if weights else None,
        transitions=Transitions.from_arrays(followed) if followed else None,
        vectors=vectors,
        contexts=checked_array(arrays, "contexts", vectors.shape),
        log_prior=checked_array(arrays, "log_prior", (n_items,)),
        popularity=checked_array(arrays, "popularity", (n_items,)),
        known=checked_array(arrays, "known", (n_items,), "b"),
    )


def _habits(saved: Artefact, name: str, n_items: int) -> Habits | None:
    if name not in saved.names:
        return None
    found = Habits.from_arrays(read_arrays(saved.path(name)))
    if (n := len(found.returns.takers)) != n_items:
        raise ArtefactError(f"the habits are for {n} items, not {n_items}")
    return found


def _leanings(arrays: Arrays, n_items: int) -> Leanings:
    found = Leanings.from_arrays(arrays)
    if len(found.common) != n_items:
        raise ArtefactError(f"the leanings are for {len(found.common)} items, not {n_items}")
    return found


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
