"""Contract tests for parts that users bring: an index, a baseline, a model, a signal.

Each takes the part, runs it on small data, and raises an `AssertionError` that says which promise is broken.
They need no test framework:

    def test_my_index() -> None:
        check_index(MyIndex)
"""

from rectransfer.testing.baseline import check_baseline
from rectransfer.testing.index import check_index
from rectransfer.testing.model import Recommending, check_model
from rectransfer.testing.signal import check_signal

__all__ = ["Recommending", "check_baseline", "check_index", "check_model", "check_signal"]
