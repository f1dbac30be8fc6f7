"""Item2Vec from a Parquet file to its table, against bare gensim on a corpus file that lies ready.

    OMP_NUM_THREADS=1 python tests/benchmarks/speed/pretraining.py

Both train with the same parameters, threads and tokens. gensim's side is `Word2Vec(corpus_file=...)`, which
counts the file's words before it trains; a second figure leaves the counting out. Ours begins at the log:
reading, sorting, cutting into sequences, writing the corpus file and bringing the vectors into order count.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from gensim.models import Word2Vec
from long_tail import write_long_tail
from report import ratio, side_by_side, spread, write_result

import rectransfer as rt
from rectransfer.sequences import sequences, write_corpus

COLUMNS = {
    "what": "what",
    "seconds": "seconds",
    "fastest": "fastest",
    "rate": "tokens a second",
    "ratio": "our rate against it",
    "cpu": "CPU seconds",
    "cpu_ratio": "our rate by CPU",
}

ABOUT = (
    "Item vectors of a log with a long tail, by the same parameters. Ours reads the log, cuts it into "
    "sequences and writes the corpus file first; gensim finds its corpus file ready. The ratio is of rates: "
    "above 1, ours is faster; the goal is 0.95. Where the machine has other work, CPU seconds say more: they "
    "leave that out."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log, corpus = Path(folder, "log.parquet"), Path(folder, "corpus.txt")
        write_long_tail(log, args.rows)
        measure(log, corpus, args)


def measure(log: Path, corpus: Path, args: argparse.Namespace) -> None:
    cut = sequences(rt.read_log(log))
    model = rt.Item2Vec(epochs=args.epochs, workers=args.workers).chosen_for(cut)
    written = write_corpus(cut, corpus)
    parameters: dict[str, Any] = {
        "vector_size": model.dimensions,
        "sg": 1,
        "negative": model.negative,
        "ns_exponent": model.ns_exponent,
        "sample": model.sample,
        "window": model.window,
        "shrink_windows": model.shrink_windows,
        "alpha": model.learning_rate,
        "min_alpha": 1e-4,
        "min_count": 1,
        "epochs": model.epochs,
        "seed": model.seed,
        "workers": args.workers,
    }
    counted = {str(row): int(n) for row, n in enumerate(written.counts) if n}

    def trained_only() -> None:
        bare = Word2Vec(**parameters)
        bare.build_vocab_from_freq(counted, corpus_count=written.n_lines)
        bare.train(
            corpus_file=str(corpus),
            total_examples=written.n_lines,
            total_words=written.n_tokens,
            epochs=args.epochs,
        )

    cpu: dict[str, list[float]] = {}
    seconds = side_by_side(
        {
            "Item2Vec, from the Parquet file": lambda: model.fit(sequences(rt.read_log(log))),
            "bare gensim, from a corpus file": lambda: Word2Vec(corpus_file=str(corpus), **parameters),
            "bare gensim, its words counted beforehand": trained_only,
        },
        args.repeats,
        cpu,
    )
    ours = seconds["Item2Vec, from the Parquet file"]
    rows = [
        {
            "what": what,
            **spread(taken),
            "rate": round(written.n_tokens * args.epochs / spread(taken)["seconds"]),
            "ratio": ratio(ours, taken),
            "cpu": spread(cpu[what])["seconds"],
            "cpu_ratio": ratio(cpu["Item2Vec, from the Parquet file"], cpu[what]),
            "all_seconds": [round(one, 2) for one in taken],
        }
        for what, taken in seconds.items()
    ]
    write_result(
        "pretraining",
        title="Pretraining against bare gensim",
        about=ABOUT,
        columns=COLUMNS,
        rows=rows,
        settings={"rows": args.rows, "tokens": written.n_tokens, "items": len(cut.vocabulary), **parameters},
        order=10,
    )


if __name__ == "__main__":
    main()
