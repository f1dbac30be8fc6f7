"""Logs: read them, check them, cut them, and make them up."""

from rectransfer.logs.catalogue import PUBLIC_DATA, PublicData, fetch
from rectransfer.logs.filters import (
    between,
    deduplicate,
    drop_rare_items,
    drop_rare_users,
    k_core,
    only_items,
    only_users,
)
from rectransfer.logs.interaction_log import InteractionLog, require_log
from rectransfer.logs.read import read_log, scan_log
from rectransfer.logs.spilled import SpilledLog, spill_log
from rectransfer.logs.splits import (
    TimeSplit,
    UserSample,
    UserSplit,
    hold_out_users,
    k_folds_of_users,
    share_of_users,
    split_by_time,
)
from rectransfer.logs.summary import LogSummary
from rectransfer.logs.synthetic import PlantedConfig, PlantedDomains, plant

__all__ = [
    "PUBLIC_DATA",
    "InteractionLog",
    "LogSummary",
    "PlantedConfig",
    "PlantedDomains",
    "PublicData",
    "SpilledLog",
    "TimeSplit",
    "UserSample",
    "UserSplit",
    "between",
    "deduplicate",
    "drop_rare_items",
    "drop_rare_users",
    "fetch",
    "hold_out_users",
    "k_core",
    "k_folds_of_users",
    "only_items",
    "only_users",
    "plant",
    "read_log",
    "require_log",
    "scan_log",
    "share_of_users",
    "spill_log",
    "split_by_time",
]
