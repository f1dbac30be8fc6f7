"""The main job on real data: stores open, and the chain's log helps them. Computing and showing are apart."""

from rectransfer.demo.render import render
from rectransfer.demo.result import DemoResult, Household
from rectransfer.demo.run import Library, run_demo

__all__ = ["DemoResult", "Household", "Library", "render", "run_demo"]
