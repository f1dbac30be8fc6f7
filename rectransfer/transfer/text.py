"""Link tables from descriptions: which item of the source reads most like an item of the target."""

import logging
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.transfer.link import SOURCE, TARGET
from rectransfer.vocabulary import Vocabulary

__all__ = ["SIMILARITY", "Encoder", "link_by_text"]

logger = logging.getLogger(__name__)

SIMILARITY: Final = "similarity"

_WORDS: Final = r"(?u)\b\w+\b"  # single letters and digits, too: "1 GA" is a size
_VALUES_A_BLOCK: Final = 16_000_000
_DECIMALS: Final = 6  # what differs by rounding only is equal, and the first of equals is taken


class Encoder(Protocol):
    """What turns texts into vectors: sentence-transformers' and model2vec's models do."""

    def encode(self, sentences: list[str], /) -> Any:
        """Vectors of shape `(len(sentences), dimensions)`."""
        ...


def link_by_text(
    source_items: pl.DataFrame,
    target_items: pl.DataFrame,
    *,
    text_columns: Sequence[str],
    least: float = 0.0,
    encoder: Encoder | None = None,
) -> pl.DataFrame:
    """Link each item of the target to the source item whose description is most like its own, by cosine.

    Descriptions are compared by TF-IDF of their words and pairs of neighbouring words (Salton & Buckley 1988,
    "Term-weighting approaches in automatic text retrieval", section 2, with sublinear counts), or by an
    encoder's vectors. Of equally similar source items the first one is taken: sort them by popularity, say.

    Args:
        source_items: `item_id` and the text columns, one row an item.
        target_items: Likewise.
        text_columns: Their texts are read one after the other; nulls are passed over. A column that is named
            twice counts twice.
        least: The smallest similarity that is a link, in [0, 1]; at 0 all items are linked but those
            that have nothing in common with any.
        encoder: Has `encode(list of texts)`, which gives vectors, such as a sentence encoder.

    Returns:
        `target_id`, `source_id` and `similarity` (above 0, at most 1), one row a target item that has a link,
        in the order of `target_items`. `Recommender.fit(target, link=...)` takes it as it is.

    Raises:
        InputError: A column is missing or isn't text, an item is there twice, no item has any text, `least`
            is out of range, or the encoder's vectors don't fit the texts.

    Examples:
        >>> source = pl.DataFrame({"item_id": ["s1", "s2"], "title": ["Whole milk, 1 gallon", "Green tea"]})
        >>> target = pl.DataFrame({"item_id": ["t1", "t2"], "title": ["Milk, 1 gallon", "Soap"]})
        >>> link_by_text(source, target, text_columns=["title"]).select("target_id", "source_id").rows()
        [('t1', 's1')]
    """
    if not 0 <= least <= 1:
        raise InputError(f"least={least}; expected a similarity from 0 to 1")
    sources, targets = (
        _texts(source_items, text_columns, "source"),
        _texts(target_items, text_columns, "target"),
    )
    rows = _tfidf(sources, targets) if encoder is None else _encoded(encoder, sources, targets)
    similarity, nearest = _nearest(*rows)
    linked = (similarity > 0) & (similarity >= least)
    logger.info(
        "%s of %s target items are linked to %s of %s source items, at a median similarity of %.2f",
        *(linked.sum(), len(targets), len(np.unique(nearest[linked])), len(sources)),
        float(np.median(similarity[linked])) if linked.any() else 0.0,
    )
    return pl.DataFrame(
        {
            TARGET: target_items[Columns.Item].filter(pl.Series(linked)),
            SOURCE: source_items[Columns.Item].gather(nearest[linked]),
            SIMILARITY: similarity[linked],
        }
    )


def _texts(items: pl.DataFrame, columns: Sequence[str], side: str) -> list[str]:
    if isinstance(columns, str) or not columns:
        raise InputError(f"text_columns={columns!r}; expected a list of columns, such as ['title']")
    if missing := [name for name in (Columns.Item, *columns) if name not in items.columns]:
        raise InputError(f"{side}_items has no columns {missing}; it has {items.columns}")
    if wrong := [name for name in columns if items.schema[name] != pl.String]:
        raise InputError(
            f"{side}_items: column {wrong[0]!r} is {items.schema[wrong[0]]} and no text; cast it: "
            f"pl.col({wrong[0]!r}).cast(pl.String)"
        )
    Vocabulary(items[Columns.Item])  # each once, and no nulls
    parts = [pl.col(name).alias(f"{place}") for place, name in enumerate(columns)]
    joined = items.select(parts).select(pl.concat_str(pl.all(), separator=" ", ignore_nulls=True))
    texts = joined.to_series().to_list()
    if not any(text.strip() for text in texts):
        raise InputError(f"{side}_items: none of its {len(texts):,} items has any text in {list(columns)}")
    return texts


def _tfidf(sources: list[str], targets: list[str]) -> tuple[csr_array, csr_array]:
    """Rows of unit length."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    model = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=_WORDS, dtype=np.float32)
    try:
        model.fit([*sources, *targets])
    except ValueError as error:
        raise InputError(f"the texts hold no words to compare: {error}") from error
    return csr_array(model.transform(sources)), csr_array(model.transform(targets))


def _encoded(encoder: Encoder, sources: list[str], targets: list[str]) -> tuple[Any, Any]:
    """Rows of unit length from an encoder's vectors."""
    one, other = (_vectors(encoder, texts) for texts in (sources, targets))
    if one.shape[1] != other.shape[1]:
        raise InputError(f"the encoder gave {one.shape[1]} dimensions and then {other.shape[1]}")
    return one, other


def _vectors(encoder: Encoder, texts: list[str]) -> npt.NDArray[np.float32]:
    vectors = np.asarray(encoder.encode(texts), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise InputError(
            f"the encoder gave the shape {vectors.shape} for {len(texts):,} texts; expected finite "
            "vectors, one a text"
        )
    unit: npt.NDArray[np.float32] = vectors / np.maximum(
        np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12
    )
    return unit


def _nearest(sources: Any, targets: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The cosine to the most similar source of each target, and its row; a block of targets at a time."""
    n = targets.shape[0]
    similarity, nearest = np.zeros(n, np.float32), np.zeros(n, np.int64)
    step = max(1, _VALUES_A_BLOCK // max(1, sources.shape[0]))
    for start in range(0, n, step):
        block = targets[start : start + step] @ sources.T
        dense = (block if isinstance(block, np.ndarray) else block.toarray()).round(_DECIMALS)
        rows = dense.argmax(axis=1)
        nearest[start : start + step] = rows
        similarity[start : start + step] = dense[np.arange(len(rows)), rows]
    return np.minimum(similarity, 1.0), nearest
