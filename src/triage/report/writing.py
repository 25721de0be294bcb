"""Rows as CSV and JSON lines; files that appear whole or not at all."""

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from triage.errors import CaseError
from triage.report.listings import Row, Value
from triage.report.text import json_safe, visible

_FORMULA: Final = ("=", "+", "-", "@", "'")
_MARKS: Final = tuple(" " + mark for mark in _FORMULA)
json_text: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""JSON of a value, as short as it can be, and not yet `json_safe`."""


def csv_cell(value: Value) -> str | int | float:
    r"""A value for a CSV cell that a spreadsheet will not run, and that does not break a line.

    Text that begins with ``= + - @`` or ``'`` gets one ``'`` in front, to be taken away again by who needs the exact
    text; what cannot be seen stands as an escape (``\n``, ``\x1b``, ``\u202e``). JSON lines hold every value exactly.

    >>> csv_cell("=1+1"), csv_cell("a\nb"), csv_cell(-1.5), csv_cell(["a", "b"]), csv_cell(True), csv_cell(None)
    ("'=1+1", 'a\\nb', -1.5, 'a; b', 'true', '')
    """
    if isinstance(value, str):
        text = value if value.isascii() and value.isprintable() else visible(value)
        return "'" + text if text.startswith(_FORMULA) else text
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    return csv_cell("; ".join(value))


def csv_text(value: str | bool | list[str]) -> str:
    """`csv_cell` of what is no number."""
    return str(csv_cell(value))


def write_csv(rows: Iterable[Row], fields: Iterable[str], stream: TextIO) -> int:
    """Write a head line and one line a row (RFC 4180, but with LF); return the number of rows."""
    writer = csv.writer(stream, lineterminator="\n")
    names = list(fields)
    writer.writerow(names)
    count = 0
    for row in rows:
        writer.writerow(_cells([row[name] for name in names]))
        count += 1
    return count


def _cells(values: list[Value]) -> list[Value]:
    """The same as `csv_cell` of each, for less where nothing has to be done: a timeline has millions of cells."""
    texts = [value for value in values if isinstance(value, str)]
    joined = " " + " ".join(texts)
    plain = joined.isascii() and joined.isprintable() and not [mark for mark in _MARKS if mark in joined]
    if plain and list not in map(type, values):
        return ["true" if value is True else "false" if value is False else value for value in values]
    return [csv_cell(value) for value in values]


def write_jsonl(rows: Iterable[Row], stream: TextIO) -> int:
    """Write one JSON object a line, with every value exact; return the number of rows."""
    count = 0
    for row in rows:
        stream.write(json_safe(json_text(row)) + "\n")
        count += 1
    return count


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write to that takes the place of ``folder`` when the block ends well.

    Raises:
        CaseError: it cannot be written.
    """
    made, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    try:
        for left in (made, old):
            if left.exists():
                shutil.rmtree(left)
        made.mkdir(parents=True)
        try:
            yield made
            if folder.exists():
                folder.rename(old)
            made.rename(folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        if old.exists():
            shutil.rmtree(old)
    except OSError as error:
        raise CaseError(f"{folder}: cannot be written: {error.strerror or error}") from error


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """A text file to write (UTF-8, LF); what cannot be encoded becomes an escape."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
