"""SQLite databases on evidence: a private copy is read, together with its write-ahead log or rollback journal.

A database has up to two states on disk: what the main file holds, and what it holds once the write-ahead log is taken
in (or a hot journal rolled back), which is what the application would see. The second is read as live rows; rows that
owe their content to the log are marked (``<table> wal``, ``<table> journal``), and rows that only the bare main file
still shows follow as ``<table> superseded``. Not read: freelist pages, unallocated space in pages, and log frames that
no commit covers or that remain from earlier rounds of the log.

Formats: https://www.sqlite.org/fileformat2.html, https://www.sqlite.org/walformat.html. Precautions for foreign files:
https://www.sqlite.org/security.html.
"""

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError, SkipFile, UnsupportedSchema
from triage.evidence.source import COPY_STEP, ByteSource, UnreadableBytes
from triage.locator import Locator

MOST_BYTES: Final = 2 << 30
"""Size of database and log together up to which a private copy is made."""
MOST_STEPS: Final = 5_000_000_000
"""Virtual-machine instructions that one query may take (about a minute); hostile views can ask for any number."""
MOST_VALUE_BYTES: Final = 128 << 20
"""Length of one value."""

ROW_TABLE: Final = "row_table"
"""Column of a query that names the table of each row."""

_HEADER: Final = b"SQLite format 3\0"
_SECTOR: Final = 512
_STEPS_PER_CALL: Final = 1_000_000
_LISTED_TABLES: Final = 40
_ALLOWED: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)


class DatabaseDamaged(EvidenceError):
    """The database is malformed or partly unreadable; rows that could be read have been given."""


class DatabaseEncrypted(EvidenceError):
    """The content looks like an encrypted database (SQLCipher and relatives); not examined."""


class DatabaseRow:
    """One row with its address; the `triage.plugin.Row` that plugins get."""

    __slots__ = ("_row", "locator")

    def __init__(self, row: sqlite3.Row, locator: Locator) -> None:
        self._row = row
        self.locator = locator

    def __getitem__(self, column: str) -> object:
        return self._row[column]


class Database:
    """An opened private copy. Made by `open_database`."""

    def __init__(
        self, main: sqlite3.Connection, live: sqlite3.Connection, log: str, locator: Locator, lost: str
    ) -> None:
        self._main = main
        self._live = live
        self._log = log
        self._place = (locator.evidence, locator.volume, locator.path, locator.address, locator.stream)
        self._lost = lost

    def rows(self, query: str | Sequence[str], table: str, row_id: str) -> Iterator[DatabaseRow]:
        """Rows of ``query``, live ones first in its order, then superseded ones.

        Of several queries the first is taken whose tables and columns are all there, in either state of the database.
        ``table``, or the column ``row_table`` of the query if it has one, and the column ``row_id`` of the query give
        each row its address. Text that is not UTF-8 has ``\\xNN`` in place of each wrong byte.

        Raises:
            UnsupportedSchema: a table or column of the query does not exist here; names the tables that do.
            DatabaseDamaged: after the rows that could be read.
            SkipFile: the query takes more than `MOST_STEPS`.
        """
        chosen = query if isinstance(query, str) else self._answerable(query)
        if not self._log:
            for row in self._read(self._live, chosen):
                yield self._at(row, table, row_id)
        else:
            yield from self._both(chosen, table, row_id)
        if self._lost:
            raise DatabaseDamaged(self._lost)

    def _answerable(self, queries: Sequence[str]) -> str:
        """The first that fits the live tables, or else the first, so that its refusal says what is missing."""
        return next((query for query in queries if _fits(self._live, query)), queries[0])

    def tables(self) -> tuple[str, ...]:
        """Names of tables and views, sorted."""
        try:
            found = self._live.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
            return tuple(str(row[0]) for row in found)
        except sqlite3.Error as error:
            raise DatabaseDamaged(f"the schema cannot be read: {error}") from error

    def _both(self, query: str, table: str, row_id: str) -> Iterator[DatabaseRow]:
        before = self._contents(query)
        now: set[int] = set()
        for row in self._read(self._live, query):
            content = _content(row)
            now.add(content)
            marked = before is not None and content not in before
            yield self._at(row, table, row_id, self._log if marked else "")
        if before is None or before <= now:
            return
        for row in self._read(self._main, query):
            if _content(row) not in now:
                yield self._at(row, table, row_id, "superseded")

    def _contents(self, query: str) -> set[int] | None:
        """What the bare main file shows, to compare with; `None` if it cannot be told, so that nothing gets marked."""
        try:
            return {_content(row) for row in self._read(self._main, query)}
        except UnsupportedSchema:
            return set()  # the table itself exists only in the log
        except DatabaseDamaged:
            return None

    def _read(self, connection: sqlite3.Connection, query: str) -> Iterator[sqlite3.Row]:
        connection.set_progress_handler(_budget(), _STEPS_PER_CALL)
        try:
            with closing(connection.cursor()) as cursor:
                yield from cursor.execute(query)
        except sqlite3.OperationalError as error:
            words = str(error)
            if words == "interrupted":
                raise SkipFile(f"the query takes more than {MOST_STEPS:,} steps: stopped") from error
            if words.startswith(("no such", "unknown tokenizer")):
                raise UnsupportedSchema(f"{words}; tables here: {self._listed()}") from error
            raise DatabaseDamaged(f"the database cannot be read further: {words}") from error
        except sqlite3.DatabaseError as error:
            raise DatabaseDamaged(f"the database cannot be read further: {error}") from error

    def _listed(self) -> str:
        names = self.tables()
        more = f" and {len(names) - _LISTED_TABLES} more" if len(names) > _LISTED_TABLES else ""
        return (", ".join(names[:_LISTED_TABLES]) or "none") + more

    def _at(self, row: sqlite3.Row, table: str, row_id: str, state: str = "") -> DatabaseRow:
        try:
            number = row[row_id]
        except IndexError as error:
            raise ValueError(f"the query has no column {row_id!r} to number its rows with") from error
        named = row[ROW_TABLE] if ROW_TABLE in row.keys() else table  # noqa: SIM118 - a row iterates over its values
        part = f"{named} {state}" if state else f"{named}"
        return DatabaseRow(row, Locator(*self._place, part, number if isinstance(number, int) else -1))


@contextmanager
def open_database(
    database: ByteSource, wal: ByteSource | None, journal: ByteSource | None, locator: Locator
) -> Iterator[Database]:
    """Copy a database and its companions into a private folder, open the copy, and remove all of it afterwards.

    ``wal`` and ``journal`` are the files beside it, `None` where there are none. ``locator`` is that of the database.

    Raises:
        SkipFile: it is larger than `MOST_BYTES`.
        DatabaseEncrypted: it looks encrypted.
        DatabaseDamaged: it is no database.
    """
    total = database.size + (wal.size if wal else 0) + (journal.size if journal else 0)
    if total > MOST_BYTES:
        raise SkipFile(f"the database and its log have {total:,} bytes, more than {MOST_BYTES:,} are not copied")
    _check_header(database.read_at(0, 4096), database.size)
    log = "wal" if wal is not None and wal.size else "journal" if journal is not None and journal.size else ""
    with tempfile.TemporaryDirectory(prefix="triage-database-", ignore_cleanup_errors=True) as folder:
        main_path, live_path = Path(folder, "main"), Path(folder, "main")
        lost = _copy(database, main_path)
        if journal is not None and journal.size:
            # Rolling back writes into the database, so that the two states need a file each.
            live_path = Path(folder, "live")
            _copy(database, live_path)
        if wal is not None and log:
            lost += _copy(wal, Path(folder, f"{live_path.name}-wal"))
        if journal is not None and log:
            lost += _copy(journal, Path(folder, f"{live_path.name}-journal"))
        with closing(_connect(main_path, "mode=ro&immutable=1")) as main:
            if not log:
                yield Database(main, main, "", locator, lost)
                return
            with closing(_connect(live_path, "mode=rw")) as live:
                yield Database(main, live, log, locator, lost)


def _fits(connection: sqlite3.Connection, query: str) -> bool:
    connection.set_progress_handler(_budget(), _STEPS_PER_CALL)
    try:
        connection.execute(f"EXPLAIN {query}").close()
    except sqlite3.DatabaseError:
        return False
    return True


def _check_header(head: bytes, size: int) -> None:
    if not head or head.startswith(_HEADER):
        return
    if size % _SECTOR == 0 and len(set(head)) > 200:
        raise DatabaseEncrypted("no SQLite header, and evenly spread bytes: an encrypted database, not examined")
    raise DatabaseDamaged(f"not a SQLite database: starts with {head[:16].hex(' ')}")


def _copy(source: ByteSource, target: Path) -> str:
    """Copy; bytes that cannot be read become zeros, and the result says which, or is empty."""
    lost: list[tuple[int, int]] = []
    with target.open("xb") as out:
        for at in range(0, source.size, COPY_STEP):
            out.write(_salvaged(source, at, min(COPY_STEP, source.size - at), lost))
    if not lost:
        return ""
    count = sum(length for _, length in lost)
    return f"{count:,} bytes from offset {lost[0][0]:,} could not be read; rows that lie there are missing. "


def _salvaged(source: ByteSource, at: int, length: int, lost: list[tuple[int, int]]) -> bytes:
    try:
        return source.read_at(at, length)
    except UnreadableBytes:
        if length <= _SECTOR:
            lost.append((at, length))
            return bytes(length)
    half = max(_SECTOR, length // 2 // _SECTOR * _SECTOR)
    return _salvaged(source, at, half, lost) + _salvaged(source, at + half, length - half, lost)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a copy so that nothing in its schema can write, load code or reach another file."""
    connection = sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, isolation_level=None, cached_statements=0)
    connection.row_factory = sqlite3.Row
    connection.text_factory = _text
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_VALUE_BYTES)
    connection.set_progress_handler(_budget(), _STEPS_PER_CALL)
    for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
        with suppress(sqlite3.DatabaseError):  # a malformed file shows itself at the first query, which reports it
            connection.execute(f"PRAGMA {pragma}")
    connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, _first: str | None, second: str | None, *_: str | None) -> int:
    dangerous = action == sqlite3.SQLITE_FUNCTION and second in {"load_extension", "fts3_tokenizer"}
    return sqlite3.SQLITE_OK if action in _ALLOWED and not dangerous else sqlite3.SQLITE_DENY


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "backslashreplace")


def _content(row: sqlite3.Row) -> int:
    """A number that stands for all values of a row; 64 bits are enough to compare two states of one table."""
    values = repr(tuple(row)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(values, digest_size=8).digest(), "big")


def _budget() -> Callable[[], int]:
    calls = iter(range(MOST_STEPS // _STEPS_PER_CALL))
    return lambda: int(next(calls, None) is None)
