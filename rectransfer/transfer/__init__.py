"""The bridges between two domains (shared items, shared users, a link table), and what each one carries."""

from rectransfer.transfer.alignment import Alignment, align
from rectransfer.transfer.bridges import Bridges, bridges, require_bridge
from rectransfer.transfer.coverage import Coverage, user_coverage
from rectransfer.transfer.link import Link
from rectransfer.transfer.text import link_by_text

__all__ = [
    "Alignment",
    "Bridges",
    "Coverage",
    "Link",
    "align",
    "bridges",
    "link_by_text",
    "require_bridge",
    "user_coverage",
]
