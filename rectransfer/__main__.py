"""`python -m rectransfer`."""

import sys

from rectransfer.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
