"""What can be read out of a case store. All orders are fixed: by evidence, then by place in its walk."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from triage.case.codec import ENTRY_COLUMNS, ROW_COLUMNS, narrow, stored_entry
from triage.case.custody import CustodyLog
from triage.case.rows import (
    ContentRow,
    EntryRow,
    EvidenceRow,
    HitCount,
    StoredEntry,
    StoredHit,
    StoredRecord,
    VolumeRow,
)
from triage.errors import CaseError, IntegrityError
from triage.locator import Locator
from triage.notices import Notice
from triage.records import EXCLUDE, Grade, Hit, Record, record_from_json

PAGE: Final = 5000
GRADE_ORDER: Final = tuple(grade.value for grade in Grade)
"""Strongest first, as the enumeration lists them."""

NOTICE_COLUMNS: Final = "evidence, volume, path, address, stream, part, row, offset, kind, message, origin"

_GRADE_RANK = "CASE r.grade " + " ".join(f"WHEN '{g}' THEN {n}" for n, g in enumerate(GRADE_ORDER)) + " ELSE 99 END"
PREFIXED_ENTRY = ", ".join("e." + column.strip() for column in ENTRY_COLUMNS.split(","))
_CONTENT = "entry, status, type, md5, sha1, sha256, other_digests, outcomes"
_PREFIXED_CONTENT = ", ".join("c." + column.strip() for column in _CONTENT.split(","))


class CaseReader:
    """A case store, open for reading.

    Reading methods that give an iterator read in pages and may be left at any point.
    """

    def __init__(self, db: sqlite3.Connection, folder: Path) -> None:
        self._db = db
        self.folder = folder
        self.custody = CustodyLog(db)

    def evidence(self) -> list[EvidenceRow]:
        """All evidence, in the order in which it was added."""
        rows = self._read("""SELECT id, label, path, type, size, files, stored_digests, facts, computed_digests, walked,
                             digest_note FROM evidence ORDER BY id""")
        return [
            EvidenceRow(
                id=row[0],
                label=row[1],
                path=row[2],
                type=row[3],
                size=narrow(row[4]),
                files=tuple(json.loads(row[5])),
                stored_digests=json.loads(row[6]),
                facts=json.loads(row[7]),
                computed_digests=json.loads(row[8]),
                walked=bool(row[9]),
                digest_note=row[10],
            )
            for row in rows
        ]

    def volumes(self) -> list[VolumeRow]:
        """All volumes, in the order in which they were added."""
        rows = self._read("""SELECT evidence, id, type, offset, size, state, description, file_system
                             FROM volume ORDER BY evidence, position""")
        return [
            VolumeRow(row[0], row[1], row[2], narrow(row[3]), narrow(row[4]), row[5], row[6], row[7]) for row in rows
        ]

    def entries(self) -> Iterator[StoredEntry]:
        """All entries."""
        sql = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE id > ? ORDER BY id LIMIT {PAGE}"  # noqa: S608 - constants
        for row in self._pages(sql):
            yield stored_entry(row)

    def entry(self, entry_id: int) -> StoredEntry:
        """One entry.

        Raises:
            CaseError: there is none with this id.
        """
        found = self.entries_by_id([entry_id])
        if entry_id not in found:
            raise CaseError(f"the case has no entry {entry_id}")
        return found[entry_id]

    def entries_by_id(self, ids: Sequence[int]) -> dict[int, StoredEntry]:
        """The entries with these ids."""
        sql = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
        return {row[0]: stored_entry(row) for row in self._read(sql, (json.dumps(list(ids)),))}

    def contents_by_id(self, ids: Sequence[int]) -> dict[int, ContentRow]:
        """What is known about the content of the entries with these ids; those that were not read are missing."""
        sql = f"SELECT {_CONTENT} FROM content WHERE entry IN (SELECT value FROM json_each(?))"  # noqa: S608
        return {row[0]: _content_row(row) for row in self._read(sql, (json.dumps(list(ids)),))}

    def find(self, evidence_id: int, volume: str, path: str) -> list[StoredEntry]:
        """The entries with exactly this path: live and deleted ones, and streams."""
        return [stored_entry(row) for row in self.find_rows(evidence_id, volume, path)]

    def find_rows(self, evidence_id: int, volume: str, path: str) -> list[EntryRow]:
        """The same as rows."""
        sql = f"""SELECT {ROW_COLUMNS} FROM entry
                  WHERE evidence = ? AND volume = ? AND path = ? ORDER BY id"""  # noqa: S608 - constants
        return list(self._read(sql, (evidence_id, volume, path)))

    def contents(self) -> Iterator[ContentRow]:
        """What is known about the content of every entry that was read."""
        sql = f"SELECT {_CONTENT} FROM content WHERE entry > ? ORDER BY entry LIMIT {PAGE}"  # noqa: S608
        for row in self._pages(sql):
            yield _content_row(row)

    def records(self, kind: str | None = None) -> Iterator[StoredRecord]:
        """All records (of one kind, such as ``visit``), by entry, plugin and sequence.

        Raises:
            IntegrityError: a stored record is not one that this version knows.
        """
        where = "WHERE kind = ?" if kind is not None else ""
        sql = f"SELECT entry, plugin, sequence, kind, body FROM record {where} ORDER BY entry, plugin, sequence"  # noqa: S608
        for row in self._read(sql, () if kind is None else (kind,)):
            yield StoredRecord(row[0], row[1], row[2], _record(row[3], row[4]))

    def numbered_records(self) -> Iterator[tuple[int, StoredRecord]]:
        """All records with a number for `records_by_number`."""
        for row in self._read("SELECT rowid, entry, plugin, sequence, kind, body FROM record ORDER BY rowid"):
            yield row[0], StoredRecord(row[1], row[2], row[3], _record(row[4], row[5]))

    def records_by_number(self, numbers: Sequence[int]) -> dict[int, StoredRecord]:
        """The records with these numbers, which hold until the store is next written to."""
        sql = """SELECT rowid, entry, plugin, sequence, kind, body FROM record
                 WHERE rowid IN (SELECT value FROM json_each(?))"""
        rows = self._read(sql, (json.dumps(list(numbers)),))
        return {row[0]: StoredRecord(row[1], row[2], row[3], _record(row[4], row[5])) for row in rows}

    def hits(self, grade: str | None = None, excluded: bool = True) -> Iterator[StoredHit]:
        """All hits (of one grade), strongest grade first, with their entries and what is known about the content.

        Without ``excluded`` those are left out that say of a file that it is harmless.
        """
        sql = f"""SELECT r.plugin, r.sequence, r.body, {PREFIXED_ENTRY}, {_PREFIXED_CONTENT}
                  FROM record r JOIN entry e ON e.id = r.entry LEFT JOIN content c ON c.entry = r.entry
                  WHERE r.kind = 'hit' AND (? IS NULL OR r.grade = ?)
                    AND (? OR json_extract(r.body, '$.disposition') != '{EXCLUDE}')
                  ORDER BY {_GRADE_RANK}, r.entry, r.plugin, r.sequence"""  # noqa: S608 - constants
        for row in self._read(sql, (grade, grade, excluded)):
            record = _record("hit", row[2])
            if not isinstance(record, Hit):
                raise IntegrityError(f"a record stored as hit is a {record.kind}")
            content = _content_row(row[-8:]) if row[-8] is not None else None
            yield StoredHit(row[0], row[1], record, stored_entry(row[3:-8]), content)

    def hit_counts(self) -> list[HitCount]:
        """Hits by grade (strongest first) and disposition."""
        sql = f"""SELECT r.grade, json_extract(r.body, '$.disposition') AS disposition, count(*),
                         count(DISTINCT r.entry), count(DISTINCT coalesce(c.sha256, c.sha1, c.md5, r.entry))
                  FROM record r LEFT JOIN content c ON c.entry = r.entry WHERE r.kind = 'hit'
                  GROUP BY r.grade, disposition ORDER BY {_GRADE_RANK}, disposition"""  # noqa: S608 - constants
        return [HitCount._make(row) for row in self._read(sql)]

    def record_counts(self) -> dict[str, int]:
        """Number of records by kind, hits included."""
        return dict(self._read("SELECT kind, count(*) FROM record GROUP BY kind ORDER BY kind"))

    def notices(self) -> Iterator[Notice]:
        """All notices, each once, in the order of `triage.notices.Notice`."""
        rows = self._read(f"SELECT {NOTICE_COLUMNS} FROM notice ORDER BY {NOTICE_COLUMNS}")  # noqa: S608
        for row in rows:
            place = Locator(row[0], row[1], row[2], row[3], row[4], row[5], narrow(row[6]), narrow(row[7]))
            yield Notice(place, row[8], row[9], row[10])

    def manifest(self) -> dict[str, Any]:
        """All sections of the manifest, by name."""
        rows = self._read("SELECT section, value FROM manifest ORDER BY section")
        return {section: json.loads(value) for section, value in rows}

    def integrity(self) -> list[str]:
        """What SQLite's own integrity check says; an empty list if nothing."""
        found = [str(row[0]) for row in self._read("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """Rows of a query, for the modules of `triage.case` and `triage.timeline`; one cursor, read as it is consumed.

        Raises:
            IntegrityError: the store is damaged.
        """
        return self._read(sql, values)

    def sort_aside(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        """Fill a temporary table, which lives beside the store and not in it, for ordering what SQL cannot see."""
        try:
            self._db.execute(f"DROP TABLE IF EXISTS temp.{table}")
            self._db.execute(f"CREATE TEMP TABLE {table} ({columns})")
            self._db.execute("BEGIN")
            marks = ", ".join("?" * len(columns.split(",")))
            self._db.executemany(f"INSERT INTO temp.{table} VALUES ({marks})", rows)  # noqa: S608 - names of ours
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise CaseError(f"{self.folder}: no room for sorting: {error}") from error

    def _read(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        try:
            # Not `yield from`: that closes the cursor when the generator is dropped, which may be after the store.
            for row in self._db.execute(sql, values):  # noqa: UP028
                yield row
        except sqlite3.OperationalError as error:
            raise CaseError(f"{self.folder}: the case store cannot be read: {error}") from error
        except sqlite3.DatabaseError as error:
            raise IntegrityError(f"{self.folder}: the case store is damaged: {error}") from error

    def _pages(self, sql: str) -> Iterator[Any]:
        """Rows by pages; the first column is the key, and the only value of the query is the last key seen."""
        key = -1
        while rows := list(self._read(sql, (key,))):
            yield from rows
            key = rows[-1][0]


def _content_row(row: Sequence[Any]) -> ContentRow:
    digests = {name: row[n] for n, name in ((3, "md5"), (4, "sha1"), (5, "sha256")) if row[n] is not None}
    if row[6] is not None:
        digests.update(json.loads(row[6]))
    return ContentRow(row[0], row[1], row[2], digests, row[7])


def _record(kind: str, body: str) -> Record:
    try:
        return record_from_json(kind, json.loads(body))
    except ValueError as error:
        raise IntegrityError(f"a stored {kind} record cannot be read: {error}") from error
