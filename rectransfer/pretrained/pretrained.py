"""What a mature domain has learned, ready to be carried over: tables, tower, ranker, card."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.artefacts import (
    MISFITS,
    Artefact,
    Writer,
    checked_array,
    checked_csr,
    load_artefact,
    read_arrays,
    read_frame,
    save_artefact,
    write_arrays,
)
from rectransfer.embeddings import EmbeddingTable, UserTable
from rectransfer.errors import ArtefactError
from rectransfer.logs import InteractionLog
from rectransfer.neighbours import Neighbours
from rectransfer.pretrained.config import PretrainConfig
from rectransfer.ranking import Habits, Ranker, require_layers, restored_ranker
from rectransfer.transitions import Transitions

__all__ = ["Pretrained", "load_pretrained"]

_KIND: Final = "pretrained"
_SPARSE: Final = ("data", "indices", "indptr")


@dataclass(frozen=True, eq=False, repr=False)
class Pretrained:
    """A source domain's knowledge; frozen.

    Attributes:
        items: The item table.
        users: The user table.
        tower: The trained layers, by name.
        ranker: The ranker over the source's signals.
        popularity: `log(1 + users who took it)` of each item of the table, shape `(n,)`.
        weights: Which items a history calls for, in the table's rows; None where `taken` tells it, and for
            sources too large for it.
        transitions: Which items came soon after others, in the table's rows.
        taken: How often each user took each item, shape `(n_users, n_items)`, users in the rows of `users`:
            what a target's own counts are pooled with. None where no histories are kept.
        histories: `user_id`, `item_id`, `timestamp` [, `session_id`] of the latest interactions of each user;
            None where none are kept.
        config: How it was pretrained.
        card: Data span, counts, metrics on the held-out users: plain values that JSON holds.
        habits: What users take again; None in what older versions saved.
    """

    items: EmbeddingTable
    users: UserTable
    tower: Mapping[str, npt.NDArray[np.float32]]
    ranker: Ranker
    popularity: npt.NDArray[np.float32]
    weights: Neighbours | None
    transitions: Transitions
    taken: csr_array | None
    histories: InteractionLog | None
    config: PretrainConfig
    card: Mapping[str, Any]
    habits: Habits | None = None

    @property
    def l2(self) -> float:
        """The ridge penalty of the item-item weights that was chosen on the held-out users."""
        penalties = self.config.neighbours_l2
        return float(self.card["held_out"].get("neighbours_l2", penalties[len(penalties) // 2]))

    @property
    def at_once(self) -> bool:
        """Whether hardly any of its users came twice, so that it knows nothing of what comes next."""
        return bool(self.card.get("at_once", False))

    def save(self, folder: str | Path) -> None:
        """Write a folder: `card.json`, safetensors and Parquet; no code in it, nothing pickled.

        Raises:
            InputError: The folder holds something else.
            ArtefactError: The folder cannot be written.
        """
        save_artefact(folder, kind=_KIND, files=self.writers(), card={_KIND: self.fields()})

    def writers(self, prefix: str = "") -> dict[str, Writer]:
        """What writes the files, to save them inside a larger artefact."""
        layers = {f"tower.{name}": value for name, value in self.tower.items()}
        layers |= {f"ranker.{name}": value for name, value in self.ranker.arrays().items()}
        arrays: dict[str, npt.NDArray[Any]] = {"popularity": self.popularity}
        arrays |= {f"transitions.{name}": value for name, value in self.transitions.arrays().items()}
        if self.weights is not None:
            arrays |= {f"weights.{name}": value for name, value in self.weights.arrays().items()}
        if self.habits is not None:
            arrays |= {f"habits.{name}": value for name, value in self.habits.arrays().items()}
        if self.taken is not None:
            arrays |= {f"taken.{name}": getattr(self.taken, name) for name in _SPARSE}
        found: dict[str, Writer] = {
            **self.items.writers(f"{prefix}items."),
            **self.users.writers(f"{prefix}users."),
            f"{prefix}layers.safetensors": lambda path: write_arrays(path, layers),
            f"{prefix}statistics.safetensors": lambda path: write_arrays(path, arrays),
        }
        if (kept := self.histories) is not None:
            found[f"{prefix}histories.parquet"] = lambda path: kept.frame.write_parquet(path)
        return found

    def fields(self) -> dict[str, Any]:
        """What belongs on the card beside the files."""
        return {
            "items": self.items.fields(),
            "users": self.users.fields(),
            "signals": list(self.ranker.names),
            "hidden": self.ranker.hidden,
            "config": asdict(self.config),
            "card": dict(self.card),
        }

    @classmethod
    def read(cls, saved: Artefact, fields: Any, prefix: str = "") -> "Pretrained":
        """Read from an artefact that holds the files of `writers(prefix)` and `fields()`.

        Raises:
            ArtefactError: A file is damaged or altered, or the fields don't belong to them.
        """
        layers = read_arrays(saved.path(f"{prefix}layers.safetensors"))
        arrays = read_arrays(saved.path(f"{prefix}statistics.safetensors"))
        kept = f"{prefix}histories.parquet"
        try:
            config = PretrainConfig.from_fields(fields["config"])
            items = EmbeddingTable.read(saved, fields["items"], f"{prefix}items.")
            users = UserTable.read(saved, fields["users"], f"{prefix}users.")
            taken = None
            if parts := _under("taken.", arrays):
                shape = (len(users.vocabulary), len(items))
                taken = checked_csr(parts, shape)
            weights = _under("weights.", arrays)
            followed = Transitions.from_arrays(_under("transitions.", arrays))
            if len(followed.totals) != len(items):
                raise ArtefactError(f"transitions of {len(followed.totals)} items, and {len(items)} vectors")
            habits = Habits.from_arrays(parts) if (parts := _under("habits.", arrays)) else None
            if habits is not None and len(habits.returns.takers) != len(items):
                raise ArtefactError(f"habits of {len(habits.returns.takers)} items, and {len(items)} vectors")
            histories = None
            if kept in saved.names:
                histories = InteractionLog.from_frame(read_frame(saved.path(kept)), name="histories")
            tower = _under("tower.", layers)
            require_layers(config.tower, tower, items.dimensions)
            return cls(
                items=items,
                users=users,
                tower=tower,
                ranker=restored_ranker(fields["signals"], fields["hidden"], _under("ranker.", layers)),
                popularity=checked_array(arrays, "popularity", (len(items),)),
                weights=Neighbours.from_arrays(weights) if weights else None,
                transitions=followed,
                taken=taken,
                habits=habits,
                histories=histories,
                config=config,
                card=dict(fields["card"]),
            )
        except ArtefactError as error:
            if str(saved.folder) in str(error):
                raise
            raise ArtefactError(
                f"{saved.folder / prefix}: {error}; restore it from a copy, or pretrain again"
            ) from error
        except MISFITS as error:
            raise ArtefactError(
                f"{saved.folder / prefix} does not fit its card: {error!r}; restore it from a copy, or "
                "pretrain again"
            ) from error

    def __repr__(self) -> str:
        return f"Pretrained({len(self.items):,} items, {len(self.users.vocabulary):,} users)"


def load_pretrained(folder: str | Path) -> Pretrained:
    """Read what `Pretrained.save` wrote.

    Raises:
        ArtefactError: The folder is missing, damaged, altered, or holds something else.
    """
    saved = load_artefact(folder, kind=_KIND)
    return Pretrained.read(saved, saved.card.get(_KIND))


def _under(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
