"""Where work runs: in this process, or on Ray."""

from rectransfer.engines.every import Where, map_all

__all__ = ["Where", "map_all"]
