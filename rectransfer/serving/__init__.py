"""Serve many users: the ranking of `Scene.rank`, nearly the same lists, laid out for speed."""

from rectransfer.serving.prepared import Prepared, prepare
from rectransfer.serving.server import DEPTH, Server

__all__ = ["DEPTH", "Prepared", "Server", "prepare"]
