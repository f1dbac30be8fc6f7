"""Reports for product teams: one page with the verdict, the numbers behind it, and what it can't say."""

from rectransfer.report.build import build_report
from rectransfer.report.catalogue import Catalogue, read_catalogue
from rectransfer.report.render import render
from rectransfer.report.result import Report
from rectransfer.report.write import require_page, save_page, write_report

__all__ = [
    "Catalogue",
    "Report",
    "build_report",
    "read_catalogue",
    "render",
    "require_page",
    "save_page",
    "write_report",
]
