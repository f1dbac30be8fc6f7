"""Logs as matrices of users and items."""

import logging

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.vocabulary import Vocabulary

__all__ = ["binary", "interactions", "pooled"]

_logger = logging.getLogger(__name__)


def interactions(log: InteractionLog, users: Vocabulary, items: Vocabulary, binary: bool = True) -> csr_array:
    """Who took what.

    Args:
        log: Rows of users or items outside the vocabularies are left out.
        users: Row `i` of the matrix is the user in row `i` of this vocabulary.
        items: Likewise for columns.
        binary: 1 for every pair that is in the log; else the sum of its weights, or of its rows where the log
            has no weights.

    Returns:
        A float32 matrix of shape `(len(users), len(items))`.

    Raises:
        InputError: Ids of the log and of a vocabulary differ in type.

    Examples:
        >>> frame = pl.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "a"], "timestamp": [1, 2]})
        >>> log = InteractionLog.from_frame(frame)
        >>> interactions(log, log.users, log.items, binary=False).toarray()
        array([[2.]], dtype=float32)
    """
    rows, columns = users.rows(log.frame[Columns.User]), items.rows(log.frame[Columns.Item])
    known = (rows >= 0) & (columns >= 0)
    if not known.all():
        _logger.debug(
            "%d of %d rows have a user or an item outside the vocabularies", (~known).sum(), len(log)
        )
    values = np.ones(len(log), dtype=np.float32)
    if log.has_weight and not binary:
        values = log.frame[Columns.Weight].to_numpy().astype(np.float32)
    matrix = csr_array(
        (values[known], (rows[known], columns[known])), shape=(len(users), len(items)), dtype=np.float32
    )
    matrix.sum_duplicates()
    if binary:
        matrix.data[:] = 1
    return matrix


def pooled(source: InteractionLog, target: InteractionLog, items: Vocabulary) -> csr_array:
    """Both logs' interactions as if they were one log; the same user id in both is one user.

    Where equal ids mean different people, prefix the ids of one log first.

    Args:
        source: The mature domain's log.
        target: The new domain's log.
        items: The columns; rows of other items are left out.

    Returns:
        A binary float32 matrix of shape `(n users of both, len(items))`, users in ascending order.

    Raises:
        InputError: The logs' ids differ in type.
    """
    for column in (Columns.User, Columns.Item):
        left, right = source.frame[column].dtype, target.frame[column].dtype
        if left != right:
            raise InputError(
                f"{column} is {left} in the source and {right} in the target: cast one of them, "
                f"for instance pl.col({column!r}).cast(pl.String)"
            )
    users = Vocabulary.from_ids(pl.concat([source.users.ids, target.users.ids]))
    return binary(interactions(source, users, items) + interactions(target, users, items))


def binary(matrix: csr_array) -> csr_array:
    """A copy with 1 at every place that is not zero, float32, each place once and columns sorted."""
    ones = csr_array(matrix, copy=True)
    ones.sum_duplicates()
    ones.eliminate_zeros()
    return csr_array((np.ones(ones.nnz, dtype=np.float32), ones.indices, ones.indptr), shape=ones.shape)
