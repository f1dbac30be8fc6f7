"""Which source is worth carrying over? Scores of seconds, before anything is fitted."""

from rectransfer.selection.overlap import neighbour_overlap
from rectransfer.selection.result import Score, Selection
from rectransfer.selection.select import select_source
from rectransfer.selection.tau import kendall_tau

__all__ = ["Score", "Selection", "kendall_tau", "neighbour_overlap", "select_source"]
