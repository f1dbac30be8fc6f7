"""Item-item weights: which items a basket of others calls for, in closed form."""

from rectransfer.neighbours.inverse import inverse_of
from rectransfer.neighbours.neighbours import Neighbours, solve_neighbours
from rectransfer.neighbours.weights import ItemWeights, UserKernel, item_weights

__all__ = ["ItemWeights", "Neighbours", "UserKernel", "inverse_of", "item_weights", "solve_neighbours"]
