"""What a task is made of, and what of its test can be measured."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import polars as pl
from scipy.sparse import csr_array

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.evaluation.matrix import binary, interactions
from rectransfer.logs import InteractionLog
from rectransfer.vocabulary import Vocabulary

__all__ = ["Task", "TestMatrices"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TestMatrices:
    """The part of a test that can be measured.

    Attributes:
        users: The users with a history and with something new to find, ascending: the rows.
        history: What they had before the test, shape `(n_users, n_columns)`, binary: the items that are
            ranked and, after them, those that aren't.
        relevant: What they took then and hadn't before, shape `(n_users, n_items)`, binary.
        without_history: Test rows that were left out because their user has no history.
        outside_catalogue: Of the others, rows left out because their item isn't in the catalogue.
        seen_before: Of the others, rows left out because the user had the item before.
        n_rows: All rows of the test, repeats included.
    """

    __test__ = False  # pytest: this is no test class

    users: Vocabulary
    history: csr_array
    relevant: csr_array
    without_history: int
    outside_catalogue: int
    seen_before: int
    n_rows: int

    @property
    def seen(self) -> csr_array:
        """Which of the ranked items they had before, shape `(n_users, n_items)`."""
        return self.history[:, : self.relevant.shape[1]]

    def __str__(self) -> str:
        return (
            f"{len(self.users):,} users with {self.relevant.nnz:,} relevant items among "
            f"{self.relevant.shape[1]:,}; of {self.n_rows:,} test rows {self.without_history:,} have a user "
            f"without history, {self.outside_catalogue:,} an item outside the catalogue, and "
            f"{self.seen_before:,} an item that the user had before"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """A mature domain, a thin one, and a test of what was learned.

    Attributes:
        name: How tables call it.
        source: The mature domain's log.
        target: The new domain's log, to be fitted on.
        histories: What the test's users had before the test: often `target` itself.
        test: What came next.
        items: The catalogue that is ranked.
        guarantee: What was cut, where and when, and what the test therefore says.
        titles: `item_id`, `title` and perhaps more, to show items by; None where there are none.
        context: Items that aren't ranked and may be in histories; None where there are none.
        link: `target_id` and `source_id`, where source and target name their items differently.
        rehearse: Makes a task inside the target, on which settings are chosen; None for `last_steps`.

    Raises:
        InputError: Ids of the logs and of the catalogue differ in type, or an item is in both `items` and
            `context`.

    Examples:
        >>> def log(rows):
        ...     return InteractionLog.from_frame(
        ...         pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
        ...     )
        >>> target = log([("u", "tea", 1)])
        >>> test = log([("u", "tea", 2), ("u", "milk", 2), ("v", "milk", 2)])
        >>> items = Vocabulary.from_ids(["milk", "tea"])
        >>> task = Task("tiny", log([("s", "milk", 1)]), target, target, test, items, "by hand")
        >>> print(task.matrices)
        1 users with 1 relevant items among 2; of 3 test rows 1 have a user without history, ...
    """

    name: str
    source: InteractionLog
    target: InteractionLog
    histories: InteractionLog
    test: InteractionLog
    items: Vocabulary
    guarantee: str
    titles: pl.DataFrame | None = None
    context: Vocabulary | None = None
    link: pl.DataFrame | None = None
    rehearse: "Callable[[Task], Task] | None" = None

    def __post_init__(self) -> None:
        for part, log in (("source", self.source), ("target", self.target), ("test", self.test)):
            if log.frame.schema[Columns.Item] != self.items.dtype:
                raise InputError(
                    f"{self.name}: items are {log.frame.schema[Columns.Item]} in the {part} and "
                    f"{self.items.dtype} in the catalogue; cast one of them"
                )
        if self.histories.frame.schema[Columns.User] != self.test.frame.schema[Columns.User]:
            raise InputError(
                f"{self.name}: users are {self.histories.frame.schema[Columns.User]} in the histories and "
                f"{self.test.frame.schema[Columns.User]} in the test; cast one of them"
            )

        if self.context is not None and (both := self.items.rows(self.context.ids) >= 0).any():
            raise InputError(
                f"{self.name}: {both.sum():,} of the {len(self.context):,} items in the context are in the "
                f"catalogue of {len(self.items):,}, too; an item is ranked or it isn't"
            )

    @cached_property
    def columns(self) -> Vocabulary:
        """The items that are ranked and then those of the context: the columns of what models learn from."""
        if self.context is None:
            return self.items
        return Vocabulary(pl.concat([self.items.ids, self.context.ids]))

    def bilingual(self, log: InteractionLog) -> InteractionLog:
        """A log of the target's with its rows once more in the source's ids, as far as there is a link.

        That is how models which know nothing of links can learn from source and target together: over the
        items of both, with the target's rows in both.
        """
        if self.link is None:
            return log
        pairs = self.link.select(pl.col("target_id").alias(Columns.Item), pl.col("source_id").alias("other"))
        rows = log.frame.join(pairs, on=Columns.Item, how="inner", maintain_order="left")
        rows = rows.with_columns(pl.col("other").alias(Columns.Item)).select(log.frame.columns)
        return log.with_frame(pl.concat([log.frame, rows]))

    @cached_property
    def newcomers(self) -> InteractionLog | None:
        """Histories of the users whom neither source nor target knows: `recommend(history=...)` needs them.

        None where there are none. The others are known by their id.
        """
        users = self.histories.frame[Columns.User]
        known = (self.target.users.rows(users) >= 0) | (self.source.users.rows(users) >= 0)
        strange = self.histories.frame.filter(pl.Series(~known))
        return self.histories.with_frame(strange) if strange.height else None

    @cached_property
    def matrices(self) -> TestMatrices:
        """The test as matrices.

        Raises:
            InputError: No test row is left to measure anything by.
        """
        matrices = test_matrices(self.bilingual(self.histories), self.test, self.items, self.columns)
        _logger.info("%s: %s", self.name, matrices)
        return matrices

    @property
    def users(self) -> Vocabulary:
        """The users who are measured: the rows of `matrices`."""
        return self.matrices.users

    def __repr__(self) -> str:
        return (
            f"Task({self.name!r}: source {self.source!r}, target {self.target!r}, test {self.test!r}, "
            f"{len(self.items):,} items)"
        )


def test_matrices(
    histories: InteractionLog,
    test: InteractionLog,
    items: Vocabulary,
    columns: Vocabulary | None = None,  # noqa: PT028 (no test of pytest's)
) -> TestMatrices:
    """What of a test can be measured by full ranking over a catalogue.

    Args:
        histories: What users had before.
        test: What they took then.
        items: The catalogue.
        columns: The columns of the histories: the catalogue and, after it, other items that may be in them.
            None for the catalogue alone.

    Raises:
        InputError: Nothing is left, or ids differ in type.
    """
    pairs = test.frame.select(Columns.User, Columns.Item)
    has_history = pl.Series(histories.users.rows(pairs[Columns.User]) >= 0)
    listed = pl.Series(items.rows(pairs[Columns.Item]) >= 0)
    usable = pairs.filter(has_history & listed)
    key = [Columns.User, Columns.Item]
    new = usable.join(histories.frame, on=key, how="anti")
    if not new.height:
        raise InputError(
            f"{test.name}: none of its {len(test):,} rows can be measured: {int((~has_history).sum()):,} "
            f"have a user without history, {int((has_history & ~listed).sum()):,} an item outside the "
            f"catalogue of {len(items):,}, and {usable.height:,} an item that the user had before"
        )
    users = Vocabulary.from_ids(new[Columns.User])
    relevant = interactions(test.with_frame(test.frame.join(new, on=key, how="semi")), users, items)
    return TestMatrices(
        users=users,
        history=interactions(histories, users, items if columns is None else columns),
        relevant=binary(relevant),
        without_history=int((~has_history).sum()),
        outside_catalogue=int((has_history & ~listed).sum()),
        seen_before=usable.height - new.height,
        n_rows=len(test),
    )


test_matrices.__test__ = False  # type: ignore[attr-defined]  # pytest: nor a test
