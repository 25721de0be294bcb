"""Rows of a listing, to the terminal or to whatever reads them."""

import sys
from collections.abc import Iterable, Sequence
from itertools import islice

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from triage.cli.options import Format
from triage.report.listings import FIELDS, Row, Value
from triage.report.text import visible
from triage.report.writing import write_csv, write_jsonl

_PAGE = 500
"""Rows per table: columns are fitted to so many, so that a million rows neither wait nor fill the memory."""


def write_rows(listing: str, rows: Iterable[Row], form: Format, shown: Sequence[str]) -> int:
    """Write ``rows`` of the listing called ``listing`` and return their number.

    CSV and JSON lines hold all fields; the table holds those in ``shown``.
    """
    if form is Format.CSV:
        return write_csv(rows, FIELDS[listing], sys.stdout)
    if form is Format.JSONL:
        return write_jsonl(rows, sys.stdout)
    return _write_tables(rows, shown)


def _write_tables(rows: Iterable[Row], shown: Sequence[str]) -> int:
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    iterator, count = iter(rows), 0
    while page := list(islice(iterator, _PAGE)):
        table = Table(box=box.SIMPLE_HEAD, show_header=True, pad_edge=False)
        for name in shown:
            numeric = all(isinstance(row[name], int) or row[name] is None for row in page)
            table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
        for row in page:
            table.add_row(*(Text(_cell(row[name])) for name in shown))
        console.print(table)
        count += len(page)
    if not count:
        console.print("none")
    return count


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int):
        return f"{value:,}"
    return visible(", ".join(value) if isinstance(value, list) else str(value))
