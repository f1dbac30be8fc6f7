"""Learn several sources, here or on Ray."""

import functools
from collections.abc import Mapping

from rectransfer.engines import Where, map_all
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.pretrained.config import PretrainConfig
from rectransfer.pretrained.in_memory import pretrain
from rectransfer.pretrained.pretrained import Pretrained

__all__ = ["pretrain_all"]


def pretrain_all(
    sources: Mapping[str, InteractionLog],
    *,
    config: PretrainConfig | None = None,
    seed: int = 0,
    deterministic: bool = False,
    engine: Where = "local",
    cpus: float = 1,
) -> dict[str, Pretrained]:
    """Learn several sources: what `pretrain` gives for each, by name.

    Args:
        sources: Logs by name.
        config: As `pretrain`.
        seed: As `pretrain`.
        deterministic: As `pretrain`; with it, engines give equal results.
        engine: `"local"`: one after another. `"ray"`: side by side, on a cluster.
        cpus: What Ray sets aside for each, in processors.

    Raises:
        InputError: No source, a log that cannot be used, or an engine that there isn't.
        MissingExtraError: Ray isn't installed.

    Examples:
        >>> from rectransfer.logs import PlantedConfig, plant
        >>> planted = plant(PlantedConfig(source_users=60, target_users=20, source_items=30, target_items=25))
        >>> sorted(pretrain_all({"north": planted.source, "south": planted.source}))
        ['north', 'south']
    """
    if not sources:
        raise InputError("no sources to learn; give logs by name: {'north': log, ...}")
    learn = functools.partial(_learn, config=config, seed=seed, deterministic=deterministic)
    found = map_all(learn, list(sources.values()), engine=engine, cpus=cpus)
    return dict(zip(sources, found, strict=True))


def _learn(
    log: InteractionLog, *, config: PretrainConfig | None, seed: int, deterministic: bool
) -> Pretrained:
    return pretrain(log, config=config, seed=seed, deterministic=deterministic)
