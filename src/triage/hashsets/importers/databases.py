"""SQLite: NSRL RDS 3 (minimal and full) and the hash databases of The Sleuth Kit (.kdb).

Opened immutable: nothing is written, not even beside the file. Only base tables are read, never views, for a view can
be any computation.

References: NIST's description of the RDSv3 schema; for .kdb The Sleuth Kit's ``tsk/hashdb/sqlite_hdb.cpp``.
"""

import sqlite3
from binascii import unhexlify
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from triage.hashsets.entry import DIGEST_BYTES, ListFacts, SetEntry
from triage.hashsets.importers.digests import BLANK, Digest, size_of
from triage.hashsets.importers.sample import Opened, Sample

_MAGIC: Final = b"SQLite format 3\0"
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table'"
_COLUMNS: Final = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha2_256": "sha256"}
_SIZES: Final = ("file_size", "bytes", "size")
_ORDER: Final = ("sha256", "sha1", "md5")
_NSRL_REMARK: Final = (
    "NSRL lists known software, some of it malicious: it is not a list of illegal material, nor all of it harmless"
)


def open_database(sample: Sample) -> Opened | None:
    """Read an NSRL RDS 3 or .kdb database.

    Raises:
        ValueError: it is another database, or damaged.
    """
    if not sample.head.startswith(_MAGIC):
        return None
    if sample.member:
        raise ValueError("a database in an archive; unpack it first")
    try:
        with closing(_connect(sample.path)) as database:
            tables = {_text(name).lower(): _text(name) for (name,) in database.execute(_TABLES)}
            if "hashes" in tables and "db_properties" in tables:
                facts, table = _kdb_facts(database), tables["hashes"]
            elif "version" in tables and ("metadata" in tables or "file" in tables):
                full = "metadata" in tables
                facts, table = _nsrl_facts(database, full), tables["metadata" if full else "file"]
            else:
                raise ValueError(
                    "an SQLite database that is neither NSRL RDS 3 nor a hash database of The Sleuth Kit; export the "
                    "list from the program that made it, as CSV or VICS"
                )
            columns = [_text(row[1]) for row in database.execute(f"PRAGMA table_info({_quoted(table)})")]
    except sqlite3.Error as error:
        raise ValueError(f"a damaged SQLite database: {error}") from error
    digests = [(name, _COLUMNS[name.lower()]) for name in columns if name.lower() in _COLUMNS]
    if not digests:
        raise ValueError(f"table {table} of the database has no column of digests: {', '.join(columns)[:200]}")
    digests.sort(key=lambda each: _ORDER.index(each[1]))
    size = next((name for wanted in _SIZES for name in columns if name.lower() == wanted), "")
    beside = sample.path.with_name(sample.path.name + "-wal")
    if beside.exists() and beside.stat().st_size:
        facts = ListFacts(
            facts.format,
            facts.scheme,
            facts.version,
            facts.provider,
            (*facts.remarks, "changes in the write-ahead log beside the database are not read"),
        )
    return facts, _rows(sample.path, table, digests, size)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    # Text as stored: what is no UTF-8 must not end the reading.
    connection.text_factory = bytes
    # Otherwise SQLite refuses a file that is cut off, whole; nothing can be written to an immutable one.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _kdb_facts(database: sqlite3.Connection) -> ListFacts:
    stated = {_text(name): _text(value) for name, value in database.execute("SELECT name, value FROM db_properties")}
    schema = stated.get("Schema Version", "")
    remarks = () if schema == "1" else (f"schema version {schema or 'not stated'}, where 1 is known here",)
    return ListFacts("hash database of The Sleuth Kit (.kdb)", remarks=remarks)


def _nsrl_facts(database: sqlite3.Connection, full: bool) -> ListFacts:
    columns = {_text(row[1]).lower() for row in database.execute("PRAGMA table_info(VERSION)")}
    wanted = [name for name in ("version", "build_set", "release_date") if name in columns]
    stated: list[str] = []
    if wanted:
        query = f"SELECT {', '.join(wanted)} FROM VERSION ORDER BY version DESC LIMIT 1"  # noqa: S608 - own names
        row = database.execute(query).fetchone() if "version" in wanted else None
        stated = [_text(value) for value in row or () if value not in (None, b"", "")]
    name = f"NSRL RDS 3 SQLite ({'full' if full else 'minimal'})"
    return ListFacts(name, "NSRL", ", ".join(stated), "NIST NSRL", (_NSRL_REMARK,))


def _rows(path: Path, table: str, columns: list[tuple[str, str]], size: str) -> Iterator[SetEntry]:
    names = [_quoted(name) for name, _ in columns] + ([_quoted(size)] if size else [])
    query = f"SELECT {', '.join(names)} FROM {_quoted(table)}"  # noqa: S608 - names come from the schema, quoted
    algorithms = [(at, name, DIGEST_BYTES[name]) for at, (_, name) in enumerate(columns)]
    size_at = len(columns) if size else -1
    previous: tuple[object, ...] | None = None
    number = 0
    try:
        with closing(_connect(path)) as database:
            for row in database.execute(query):
                number += 1
                # One row for each package that has the file: those that follow each other say nothing new.
                if row == previous:
                    continue
                previous = row
                digests: list[Digest] = []
                problems: list[str] = []
                for at, algorithm, length in algorithms:
                    value = _value(row[at], length)
                    if value:
                        digests.append((algorithm, value))
                    elif value is None:
                        problems.append(f"{algorithm}: not a digest: {_text(row[at])[:80]!r}")
                if not digests and not problems:
                    problems.append("no digest")
                listed = None if size_at < 0 or row[size_at] is None else size_of(_text(row[size_at]))
                yield SetEntry(f"row {number}", tuple(digests), "", listed, tuple(problems))
    except sqlite3.Error as error:
        raise ValueError(f"the database breaks off after row {number}: {error}") from error


def _value(stored: object, length: int) -> bytes | None:
    """A digest stored as it is or in hex; empty if there is none, `None` if it is not usable."""
    if stored is None:
        return b""
    if isinstance(stored, bytes):
        if len(stored) == length:
            return stored
        if _text(stored).strip().lower() in BLANK:
            return b""
        if len(stored) == 2 * length:
            try:
                return unhexlify(stored)
            except ValueError:
                return None
    return None
