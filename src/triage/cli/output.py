"""Rows of a listing, to the terminal or to whatever reads them."""

import sys
from collections.abc import Iterable, Sequence
from itertools import islice

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from triage.cli.options import Format
from triage.report.listings import FIELDS, Row, Value
from triage.report.text import visible
from triage.report.writing import write_csv, write_jsonl

_PAGE = 500
"""Rows per table: columns are fitted to so many, so that a million rows neither wait nor fill the memory."""
_WIDEST = 40


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
    write = _write_table if sys.stdout.isatty() else _write_lines
    iterator, count = iter(rows), 0
    while page := list(islice(iterator, _PAGE)):
        write(page, shown)
        count += len(page)
    if not count:
        sys.stdout.write("none\n")
    return count


def _write_table(page: list[Row], shown: Sequence[str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_header=True, pad_edge=False)
    used = [name for name in shown if any(row[name] not in ("", None, False, []) for row in page)]
    for name in used:
        # The widest texts give way first; short columns stay whole.
        fixed = name not in ("path", "message", "detail", "description", "error", "module")
        justify: JustifyMethod = "right" if _is_numeric(page, name) else "left"
        table.add_column(name.replace("_", " "), justify=justify, overflow="fold", no_wrap=fixed)
    for row in page:
        table.add_row(*(Text(_cell(row[name])) for name in used))
    Console(highlight=False).print(table)


def _write_lines(page: list[Row], shown: Sequence[str]) -> None:
    """One line a row, for pipes and files: columns in step as far as that costs no room."""
    cells = [[name.replace("_", " ") for name in shown], *([_cell(row[name]) for name in shown] for row in page)]
    widths = [min(_WIDEST, max(len(line[n]) for line in cells)) for n in range(len(shown))]
    numeric = [_is_numeric(page, name) for name in shown]
    for line in cells:
        padded = (c.rjust(w) if right else c.ljust(w) for c, w, right in zip(line, widths, numeric, strict=True))
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def _is_numeric(page: list[Row], name: str) -> bool:
    return all(isinstance(row[name], int) or row[name] is None for row in page)


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int):
        return f"{value:,}"
    return visible(", ".join(value) if isinstance(value, list) else str(value))
