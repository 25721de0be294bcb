"""Tables: comma-, semicolon-, tab- and bar-separated values whose header, or first row, tells the digest columns.

NSRL RDS 2, HashKeeper, ICSE, IPED, ThreatExchange, PDQ lists and what Autopsy, Griffeye, NetClean or a spreadsheet
export are all tables; `FLAVOURS` tells them apart by their headers.

References: headers of NSRL and HashKeeper as in The Sleuth Kit's ``tsk/hashdb/nsrl.cpp`` and ``hashkeeper.c``; of ICSE
and IPED's own table as in IPED's ``HashDBTool.java``.
"""

import csv
import io
import re
from binascii import unhexlify
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from triage.hashsets.entry import DIGEST_BYTES, ListFacts, SetEntry
from triage.hashsets.importers.digests import (
    AMBIGUOUS,
    BLANK,
    BY_DIGITS,
    GENERIC,
    HEX64,
    Digest,
    algorithm_of,
    by_length,
    is_digest_like,
    plain,
    size_of,
    value_of,
)
from triage.hashsets.importers.lines import COMMENT, is_digest_line
from triage.hashsets.importers.sample import Opened, Sample

if TYPE_CHECKING:
    from _csv import Reader

DELIMITERS: Final = (",", ";", "\t", "|")
CATEGORY: Final = (
    "category categoryid categorynumber cat mediacategory vicscategory caidcategory grade rating classification "
    "baseline status specialcode verdict tags set hashset hashsetname"
).split()
"""Columns that say what a file is, most telling first; the first that a row fills is its category."""
SIZE: Final = "filesize size mediasize sizebytes filesizebytes sizeinbytes filesizeinbytes logicalsize bytes".split()
TYPE: Final = "type hashtype hashname hashalgorithm algorithm signaltype indicatortype".split()
_QUALITY: Final = ("quality", "pdqquality")
_LOWEST_QUALITY: Final = 50
"""A PDQ value of lower quality is that of a picture without features, and near to very many (PDQ's README)."""
_HEADER_WITHIN: Final = 200
_TRUE: Final = frozenset(("true", "yes", "1", "t", "y"))
_RUN: Final = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})(?![0-9A-Fa-f])")


@dataclass(frozen=True, slots=True)
class Flavour:
    """A publisher's table: how it is called, and the columns (names without case and punctuation) that give it away."""

    columns: frozenset[str]
    format: str
    scheme: str = ""
    provider: str = ""
    generic: str = ""
    """What a column of digests without the name of an algorithm holds."""
    remarks: tuple[str, ...] = ()


_NSRL_REMARK: Final = (
    "NSRL lists known software, some of it marked malicious (M) or special (S): it is not a list of illegal material, "
    "nor all of it harmless"
)
FLAVOURS: Final = (
    # The more telling first: the two layouts of NSRL differ by one column.
    Flavour(
        frozenset("sha1 md4 md5 filename productcode opsystemcode specialcode".split()),
        "NSRL RDS 2 text, first layout",
        "NSRL",
        "NIST NSRL",
        remarks=(_NSRL_REMARK,),
    ),
    Flavour(
        frozenset("sha1 md5 filename productcode opsystemcode specialcode".split()),
        "NSRL RDS 2 text",
        "NSRL",
        "NIST NSRL",
        remarks=(_NSRL_REMARK,),
    ),
    Flavour(frozenset("fileid hashsetid filename directory hash".split()), "HashKeeper", generic="md5"),
    Flavour(frozenset("md5 victimidentified baseline".split()), "ICSE CSV", "ICSE", "INTERPOL ICSE"),
    Flavour(frozenset("indicator type".split()), "ThreatExchange CSV", "", "ThreatExchange"),
    Flavour(frozenset("md5 set status".split()), "IPED CSV"),
    Flavour(frozenset("hash quality".split()), "PDQ CSV", generic="pdq"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """Where what stands in a table. Columns are numbered from 0; -1 is a column that the table does not have."""

    delimiter: str
    skip: int
    """Lines before the first row."""
    digests: tuple[tuple[int, str], ...]
    """(column, algorithm); no algorithm where only the length of a value or another column tells it."""
    categories: tuple[int, ...] = ()
    size: int = -1
    type: int = -1
    quality: int = -1
    withdrawn: int = -1
    names: tuple[str, ...] = field(default=(), repr=False)


def find_table(sample: Sample) -> Table | None:
    """The table that a text holds: by a header within its first 200 lines, else by a first row with digests."""
    commented: Table | None = None
    for number, line in enumerate(sample.head_lines()[:_HEADER_WITHIN], 1):
        text = line.strip()
        if not text:
            continue
        header = _header(text, number)
        if header is not None:
            return header
        if text.startswith(COMMENT):
            commented = _header(text.lstrip("#%/; "), number) or commented
            continue
        if is_digest_line(text):
            return None
        rows = _first_row(text, number - 1)
        if rows is not None:
            # A header behind a comment mark counts where the rows are as long as it says.
            if commented and len(_cells(text, commented.delimiter)) == len(commented.names):
                return commented
            return rows
    return None


def open_table(sample: Sample, table: Table, hex64: str) -> Opened:
    """Read a table.

    Raises:
        ValueError: a column holds digests of 64 digits, and neither the table nor ``hex64`` says what they are.
    """
    flavour = next((each for each in FLAVOURS if each.columns <= set(table.names)), None)
    if flavour is not None and flavour.generic:
        columns = tuple((at, algorithm or flavour.generic) for at, algorithm in table.digests)
        table = _with_digests(table, columns)
    generic = {at for at, algorithm in table.digests if not algorithm}
    if generic and not hex64 and table.type < 0:
        for line in sample.head_lines()[table.skip :]:
            cells = _cells(line, table.delimiter)
            if any(
                at in generic and len(cell.strip()) == HEX64 and is_digest_like(cell) for at, cell in enumerate(cells)
            ):
                raise ValueError(AMBIGUOUS)
    if flavour is not None:
        facts = ListFacts(flavour.format, flavour.scheme, "", flavour.provider, flavour.remarks)
    else:
        kinds = {
            ",": "CSV",
            ";": "semicolon-separated values",
            "\t": "tab-separated values",
            "|": "bar-separated values",
        }
        facts = ListFacts(kinds[table.delimiter] + ("" if table.names else " without a header"))
    return facts, _rows(sample, table, hex64)


def _with_digests(table: Table, digests: tuple[tuple[int, str], ...]) -> Table:
    return Table(
        table.delimiter,
        table.skip,
        digests,
        table.categories,
        table.size,
        table.type,
        table.quality,
        table.withdrawn,
        table.names,
    )


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, quoting=_quoting(delimiter)), [])
    except csv.Error:
        return []


def _quoting(delimiter: str) -> Literal[0, 3]:
    # Exports with tabs or bars write quotes as they are.
    return csv.QUOTE_MINIMAL if delimiter in ",;" else csv.QUOTE_NONE


def _header(text: str, skip: int) -> Table | None:
    best: Table | None = None
    for delimiter in DELIMITERS:
        cells = [cell.strip() for cell in _cells(text, delimiter)]
        if len(cells) < 2 or any(is_digest_like(cell) for cell in cells):
            continue
        names = [plain(cell) for cell in cells]
        digests = [(at, algorithm) for at, cell in enumerate(cells) if (algorithm := algorithm_of(cell))]
        digests = _once(digests) or [(at, "") for at, name in enumerate(names) if name in GENERIC]
        if not digests or (best is not None and len(best.digests) >= len(digests)):
            continue
        quality = _first(names, _QUALITY)
        best = Table(
            delimiter,
            skip,
            tuple(digests),
            tuple(names.index(name) for name in CATEGORY if name in names),
            _first(names, SIZE),
            _first(names, TYPE) if not digests[0][1] else -1,
            quality,
            _first(names, ("shoulddelete",)),
            tuple(names),
        )
    return best


def _once(digests: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """One column for each algorithm, the first."""
    first: dict[str, int] = {}
    for at, algorithm in digests:
        first.setdefault(algorithm, at)
    return [(at, algorithm) for algorithm, at in first.items()]


def _first(names: list[str], wanted: tuple[str, ...] | list[str]) -> int:
    return next((names.index(name) for name in wanted if name in names), -1)


def _first_row(text: str, skip: int) -> Table | None:
    """A table without a header, by a row that holds digests."""
    for delimiter in DELIMITERS:
        cells = _cells(text, delimiter)
        digests = [(at, cell.strip()) for at, cell in enumerate(cells) if is_digest_like(cell)]
        if len(cells) > 1 and digests:
            # A single column may hold digests of several lengths; where there are several, each has its own.
            several = len(digests) > 1
            named = [(at, BY_DIGITS.get(len(text), "") if several else "") for at, text in digests]
            return Table(delimiter, skip, tuple(_once(named)))
    return None


def _rows(sample: Sample, table: Table, hex64: str) -> Iterator[SetEntry]:
    alone = BY_DIGITS | ({HEX64: hex64} if hex64 else {}) if table.type < 0 else {}
    fast = tuple((at, algorithm, 2 * DIGEST_BYTES.get(algorithm, 0)) for at, algorithm in table.digests)
    categories, size_at = table.categories, table.size
    # Several columns may hold the same algorithm where only the length of a value tells it.
    special = max(table.quality, table.withdrawn) >= 0 or sum(not algorithm for _, algorithm in table.digests) > 1
    with _text(sample) as stream:
        for _ in range(table.skip):
            stream.readline()
        reader = csv.reader(stream, delimiter=table.delimiter, quoting=_quoting(table.delimiter))
        number = skip = table.skip
        for cells in _told(reader, skip):
            before, number = number, reader.line_num + skip
            digests: list[Digest] = []
            slow = special or number - before != 1
            for at, algorithm, digits in fast:
                text = cells[at] if at < len(cells) else ""
                name = algorithm if len(text) == digits else "" if digits else alone.get(len(text), "")
                if name:
                    try:
                        digests.append((name, unhexlify(text)))
                        continue
                    except ValueError:
                        slow = True
                elif text:
                    slow = True
            if slow or not digests:
                entry = _slow_row(cells, before + 1, number, table, hex64)
                if entry is not None:
                    yield entry
                continue
            category = ""
            for at in categories:
                if at < len(cells) and (category := cells[at].strip()):
                    break
            size = None
            if 0 <= size_at < len(cells):
                text = cells[size_at]
                size = int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else size_of(text)
            yield SetEntry(f"line {number}", tuple(digests), category, size)


def _text(sample: Sample) -> io.TextIOWrapper:
    if sample.encoding == "utf-8":
        return io.TextIOWrapper(sample.open(), "utf-8-sig", "replace", newline="")  # type: ignore[arg-type]
    return io.TextIOWrapper(sample.utf8(), "utf-8", newline="")


def _told(reader: "Reader", skip: int) -> Iterator[list[str]]:
    """Rows, with csv's errors as those of the list."""
    try:
        yield from reader
    except csv.Error as error:
        raise ValueError(
            f"line {reader.line_num + skip}: a quoted value does not end, or is too long: {error}"
        ) from error


def _slow_row(cells: list[str], first: int, last: int, table: Table, hex64: str) -> SetEntry | None:
    """A row with something out of the ordinary; `None` if it says nothing."""
    if len(cells) < 2 and not any(cell.strip() for cell in cells):
        return None
    cell = _getter(cells)
    digests: dict[str, bytes] = {}
    problems: list[str] = []
    kind = cell(table.type)
    for at, named in table.digests:
        text = cell(at)
        if text.lower() in BLANK:
            continue
        try:
            algorithm, value = _digest(text, named, kind, table, hex64)
        except ValueError as error:
            problems.append(str(error))
            continue
        if digests.setdefault(algorithm, value) != value:
            problems.append(f"a second {algorithm} that differs")
    if "pdq" in digests and (quality := cell(table.quality)).isdigit() and int(quality[:9]) < _LOWEST_QUALITY:
        del digests["pdq"]
        problems.append(f"PDQ of quality {quality}: below {_LOWEST_QUALITY} it is near to very many pictures")
    if last > first and any(_RUN.search(text) for text in cells if "\n" in text or "\r" in text):
        problems.append(f"lines {first} to {last} are one row by their quotes, and digests stand inside a value")
    if not digests and not problems:
        if cell(0).startswith(COMMENT):
            return None
        problems.append("no digest")
    category = next(filter(None, map(cell, table.categories)), "")
    withdrawn = cell(table.withdrawn).lower() in _TRUE
    return SetEntry(
        f"line {last}", tuple(digests.items()), category, size_of(cell(table.size)), tuple(problems), withdrawn
    )


def _getter(cells: list[str]) -> Callable[[int], str]:
    """A cell of a row that may be shorter than the header."""
    return lambda at: cells[at].strip().strip('"').strip() if 0 <= at < len(cells) else ""


def _digest(text: str, named: str, kind: str, table: Table, hex64: str) -> Digest:
    if not named and kind:
        named = algorithm_of(kind)
        if not named and "indicator" in table.names:
            raise ValueError(f"an indicator of type {kind[:80]!r} is no digest that a set can hold")
    if named:
        return named, value_of(text, named)
    compact = "".join(text.split())
    if len(compact) not in BY_DIGITS and len(compact) != HEX64 and len(compact) > HEX64:
        return "photodna", value_of(text, "photodna")
    return by_length(text, hex64)
