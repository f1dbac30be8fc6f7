"""Embeddings: the vectors of items and users that transfer moves, and how they are learned."""

from rectransfer.embeddings.item2vec import Item2Vec
from rectransfer.embeddings.table import EmbeddingTable
from rectransfer.embeddings.user2vec import User2Vec, UserTable, pooled_vectors

__all__ = ["EmbeddingTable", "Item2Vec", "User2Vec", "UserTable", "pooled_vectors"]
