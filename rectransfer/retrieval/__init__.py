"""Nearest vectors by inner product: an exact reference, FAISS, and candidates without what was seen."""

from rectransfer.retrieval.choose import (
    FLAT_UP_TO,
    MeasuredIndex,
    Tried,
    build_for_recall,
    choose_index,
    measured_recall,
)
from rectransfer.retrieval.exact import ExactIndex
from rectransfer.retrieval.faiss_index import FaissIndex, Kind
from rectransfer.retrieval.index import VectorIndex
from rectransfer.retrieval.retrieve import Candidates, retrieve

__all__ = [
    "FLAT_UP_TO",
    "Candidates",
    "ExactIndex",
    "FaissIndex",
    "Kind",
    "MeasuredIndex",
    "Tried",
    "VectorIndex",
    "build_for_recall",
    "choose_index",
    "measured_recall",
    "retrieve",
]
