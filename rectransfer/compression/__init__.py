"""Smaller models: fewer bytes a number, fewer dimensions, fewer weights, and what each costs."""

from rectransfer.compression.compress import Compressed, compress
from rectransfer.compression.measure import Measured
from rectransfer.compression.settings import LADDER, Compression
from rectransfer.compression.shrink import shrunk

__all__ = ["LADDER", "Compressed", "Compression", "Measured", "compress", "shrunk"]
