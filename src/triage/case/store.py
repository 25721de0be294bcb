"""The case store: `case.sqlite` in a case folder, written by one process, read by all output."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from triage.case.codec import ODD, ROW_COLUMNS, entry_values, storable, stored_entry
from triage.case.coverage import coverage
from triage.case.digest import content_digest
from triage.case.entries import EntryWriter
from triage.case.ids import of_members
from triage.case.lock import CaseLock
from triage.case.reader import NOTICE_COLUMNS, PAGE, PREFIXED_ENTRY, CaseReader
from triage.case.rows import (
    Coverage,
    EntryRow,
    FileResult,
    Json,
    Members,
    PlannedEntry,
    StoredEntry,
    VolumeRow,
    canonical,
)
from triage.case.schema import SCHEMA_VERSION, create_tables, version_of
from triage.errors import CaseError, IntegrityError
from triage.evidence.entry import EntryType
from triage.notices import Notice
from triage.records import Hit, record_to_json

STORE_NAME: Final = "case.sqlite"

_NEW: Final = STORE_NAME + ".new"
_JOURNAL: Final = _NEW + "-journal"
_PREPARED: Final = {"case.lock", _NEW, _JOURNAL, "hashsets"}
_BATCH: Final = 1_000
_OWN_COLUMNS: Final = ("md5", "sha1", "sha256")


def check_empty(folder: Path) -> None:
    """See that a new case can be made in ``folder``, if it exists.

    Raises:
        CaseError: it holds something else than what a scan prepares before it makes the case, or cannot be read.
    """
    try:
        names = {path.name for path in folder.iterdir()} - _PREPARED if folder.exists() else set()
    except OSError as error:
        raise CaseError(f"{folder}: the case folder cannot be read: {error.strerror}") from error
    if names:
        what = "already holds a case" if STORE_NAME in names else "is not empty and holds no case"
        raise CaseError(f"{folder}: the folder {what}")


class CaseStore(CaseReader):
    """A case store; with ``writable`` the only one that writes. To be closed, or used in a ``with`` statement."""

    def __init__(self, db: sqlite3.Connection, folder: Path, lock: CaseLock | None) -> None:
        super().__init__(db, folder)
        self._lock = lock
        self._entries = EntryWriter(db)

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Make a new case in ``folder``, which must be empty or not exist yet, and open it for writing.

        Raises:
            CaseError: the folder holds something, or cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CaseError(f"{folder}: the case folder cannot be made: {error.strerror}") from error
        check_empty(folder)
        lock = CaseLock(folder)
        new = folder / _NEW
        new.unlink(missing_ok=True)
        (folder / _JOURNAL).unlink(missing_ok=True)
        db = sqlite3.connect(new, isolation_level=None)
        create_tables(db)
        db.close()
        new.rename(folder / STORE_NAME)
        return cls(_connect(folder, writable=True), folder, lock)

    @classmethod
    def open(cls, folder: Path, writable: bool = False) -> Self:
        """Open the case in ``folder``. Reading is possible while a scan writes, and sees what is stored so far.

        Raises:
            CaseError: there is no case, its schema is of a newer version, or (``writable``) another process writes it.
            IntegrityError: the store is damaged.
        """
        path = folder / STORE_NAME
        if not path.is_file():
            raise CaseError(f"{folder}: there is no case here ({STORE_NAME} is missing)")
        lock = CaseLock(folder) if writable else None
        try:
            db = _connect(folder, writable)
            version = version_of(db)
        except sqlite3.OperationalError as error:
            _release(lock)
            raise CaseError(f"{path}: the case store cannot be opened: {error}") from error
        except sqlite3.DatabaseError as error:
            _release(lock)
            raise IntegrityError(f"{path}: the case store is damaged: {error}") from error
        if version != SCHEMA_VERSION:
            db.close()
            _release(lock)
            what = f"has schema version {version}, this version reads {SCHEMA_VERSION}" if version else "is not a case"
            raise CaseError(f"{path}: {what}")
        return cls(db, folder, lock)

    def close(self) -> None:
        """Close the store; a writer leaves a single file."""
        if self._lock is not None:
            # A reader that is still there keeps the log in use; the next writer then tidies up.
            with suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()
        _release(self._lock)
        self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def writable(self) -> bool:
        """Whether this store may be written to."""
        return self._lock is not None

    def coverage(self) -> dict[str, dict[str, int]]:
        """How often each plugin ended how: plugin id → letter of `triage.notices.Outcome` → files."""
        plugins = coverage(self).plugins
        return {one.plugin: {outcome.value: n for outcome, n in one.counts.items()} for one in plugins}

    def totals(self) -> Coverage:
        """What was examined and what was not, see `triage.case.coverage.coverage`."""
        return coverage(self)

    def content_digest(self) -> str:
        """One digest over all that was found, see `triage.case.digest.content_digest`."""
        return content_digest(self)

    # Evidence and its entries

    def begin_evidence(
        self,
        label: str,
        path: str,
        type: str,  # noqa: A002 - the name of the fact
        size: int,
        files: Sequence[str],
        stored_digests: Mapping[str, str],
        facts: Mapping[str, str],
    ) -> int:
        """Add an evidence and return its id. The same evidence again (it may have moved) gives the id it has.

        Raises:
            CaseError: the case has another evidence of this label.
        """
        row = (
            label,
            path,
            type,
            storable(size),
            canonical(list(files)),
            canonical(dict(stored_digests)),
            canonical(dict(facts)),
        )
        with self._transaction():
            known = self._db.execute(
                "SELECT id, type, size, stored_digests FROM evidence WHERE label = ?", (label,)
            ).fetchone()
            if known is None:
                return self._insert_evidence(row)
            if tuple(known[1:]) != (type, row[3], row[5]):
                raise CaseError(f"the case already has another evidence called {label!r}; give this one its own label")
            self._db.execute("UPDATE evidence SET path = ?, files = ? WHERE id = ?", (row[1], row[4], known[0]))
            return int(known[0])

    def _insert_evidence(self, row: Sequence[Any]) -> int:
        sql = (
            "INSERT INTO evidence (label, path, type, size, files, stored_digests, facts) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        return int(self._db.execute(sql, row).lastrowid or 0)

    def set_computed_digests(self, evidence_id: int, digests: Mapping[str, str], note: str = "") -> None:
        """Store digests over an evidence's media that were made here."""
        sql = "UPDATE evidence SET computed_digests = ?, digest_note = ? WHERE id = ?"
        with self._transaction():
            self._db.execute(sql, (canonical(dict(digests)), note, evidence_id))

    def add_volumes(self, rows: Sequence[VolumeRow]) -> None:
        """Add the volumes of evidence, in order; they replace those stored for the same evidence."""
        with self._transaction():
            for evidence_id in {row.evidence for row in rows}:
                self._db.execute("DELETE FROM volume WHERE evidence = ?", (evidence_id,))
            values = [(r.evidence, n, r.id, r.type, *map(storable, _rest(r))) for n, r in enumerate(rows)]
            self._db.executemany("INSERT INTO volume VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def begin_walk(self, evidence_id: int, place: int = 0) -> None:
        """The walk of an evidence begins, or begins again behind its entry number ``place``; see `EntryWriter`."""
        self._entries.begin(evidence_id, place)

    def walked_so_far(self, evidence_id: int) -> int:
        """How many entries the walk that is going on has given."""
        return self._entries.place(evidence_id)

    def add_rows(self, evidence_id: int, values: Sequence[tuple[Any, ...]]) -> list[EntryRow]:
        """Add the next entries of a walk (`entry_values`) in one transaction; see `EntryWriter.add`."""
        with self._transaction():
            return self._entries.add(evidence_id, values)

    def add_entries(self, evidence_id: int, planned: Iterable[PlannedEntry]) -> int:
        """Add the next entries of a walk and return how many; `finish_walk` says that the walk is whole."""
        iterator, count = iter(planned), 0
        while batch := [entry_values(one) for one in islice(iterator, _BATCH)]:
            self.add_rows(evidence_id, batch)
            count += len(batch)
        return count

    def finish_walk(self, evidence_id: int) -> None:
        """Say that all entries of an evidence are in the store."""
        with self._transaction():
            self._entries.finish(evidence_id)

    # Archives

    def pending_archives(self, types: Sequence[str]) -> Iterator[tuple[EntryRow, str]]:
        """Files of these MIME types whose members are not all in the store, with the type, in the reading order."""
        sql = f"""SELECT {PREFIXED_ENTRY}, priority, physical, wanted, content.type FROM entry e
                  JOIN content ON content.entry = e.id
                  WHERE content.type IN (SELECT value FROM json_each(?)) AND container = ''
                    AND NOT EXISTS (SELECT 1 FROM expansion WHERE expansion.entry = e.id)
                  ORDER BY priority, evidence, physical, e.id"""  # noqa: S608 - constants
        for row in list(self._read(sql, (json.dumps(list(types)),))):
            yield row[:-1], row[-1]

    def pending_space(self, address: str) -> list[EntryRow]:
        """Virtual files with an address that begins with ``address`` and whose members are not all in the store."""
        sql = f"""SELECT {ROW_COLUMNS} FROM entry WHERE type = '{EntryType.VIRTUAL_FILE}' AND address GLOB ? || '-*'
                  AND NOT EXISTS (SELECT 1 FROM expansion WHERE expansion.entry = entry.id)
                  ORDER BY id"""  # noqa: S608 - constants
        return list(self._read(sql, (address,)))

    def content_types(self) -> list[str]:
        """All MIME types of files that were examined."""
        return [row[0] for row in self._read("SELECT DISTINCT type FROM content ORDER BY type")]

    def drop_members(self, archive: int) -> None:
        """Remove all members of an archive, which an interrupted scan may have left."""
        with self._transaction():
            self._entries.drop(*of_members(archive))

    def add_members(self, members: Members) -> None:
        """Store some members of an archive, in one transaction."""
        with self._transaction():
            self._insert_members([members])

    def finish_archive(self, archive: int, members: int, doubts: Sequence[Notice]) -> None:
        """Say that all members of an archive are in the store, or as many as could be had."""
        with self._transaction():
            self._insert_notices(doubts, None)
            self._finish_archives([(archive, members)])

    def _insert_members(self, members: Sequence[Members]) -> None:
        self._entries.add_members([row for some in members for row in some.rows])
        self._insert_results([result for some in members for result in some.results])
        self._insert_notices([doubt for some in members for doubt in some.doubts], None)

    def _finish_archives(self, counts: Sequence[tuple[int, int]]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO expansion VALUES (?, ?)", counts)

    # The ledger

    def pending(self) -> Iterator[StoredEntry]:
        """Entries that are wanted and have no result yet, by priority, evidence, physical offset and id.

        Results may be added while this is read: each entry is given once.
        """
        return map(stored_entry, self.pending_rows())

    def pending_rows(self) -> Iterator[EntryRow]:
        """The same as rows."""
        sql = f"""SELECT {ROW_COLUMNS} FROM entry
                  WHERE wanted AND (priority, evidence, physical, id) > (?, ?, ?, ?)
                    AND NOT EXISTS (SELECT 1 FROM content WHERE content.entry = entry.id)
                  ORDER BY priority, evidence, physical, id LIMIT {PAGE}"""  # noqa: S608 - constants
        # No physical offset sorts below every number, so that -1 can be one.
        key: tuple[Any, ...] = (-(1 << 62), 0, 0, 0)
        while rows := list(self._read(sql, key)):
            yield from rows
            last = rows[-1]
            key = (last[ODD + 1], last[1], last[ODD + 2], last[0])

    def pending_totals(self) -> tuple[int, int]:
        """Number of entries that `pending` would give, and the sum of their sizes in bytes."""
        sql = """SELECT count(*), coalesce(sum(size), 0) FROM entry
                 WHERE wanted AND NOT EXISTS (SELECT 1 FROM content WHERE content.entry = entry.id)"""
        files, size = next(iter(self._read(sql)))
        return int(files), int(size)

    def add_results(self, results: Sequence[FileResult], whole: Sequence[Members] = ()) -> None:
        """Store results in one transaction, with all members of archives among them (``whole``).

        A result for an entry that has one replaces it.
        """
        with self._transaction():
            self._forget([result.entry_id for result in results])
            self._insert_results(results)
            self._insert_members(whole)
            self._finish_archives([(members.archive, len(members.rows)) for members in whole])

    def _insert_results(self, results: Sequence[FileResult]) -> None:
        self._db.executemany("INSERT INTO content VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_content, results))
        self._db.executemany(
            "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", (row for result in results for row in _records(result))
        )
        for result in results:
            if result.notices:
                self._insert_notices(result.notices, result.entry_id)

    def _forget(self, ids: Sequence[int]) -> None:
        """Remove what was found about these entries, and the members of those that are archives."""
        sql = "SELECT entry FROM content WHERE entry IN (SELECT value FROM json_each(?))"
        known = self._db.execute(sql, (json.dumps(list(ids)),)).fetchall()
        for table in ("content", "record", "notice", "expansion"):
            self._db.executemany(f"DELETE FROM {table} WHERE entry = ?", known)  # noqa: S608 - constants
        for (entry,) in known:
            self._entries.drop(*of_members(entry))

    def add_notices(self, notices: Sequence[Notice]) -> None:
        """Store notices; one that is there already stays one."""
        with self._transaction():
            self._insert_notices(notices, None)

    def _insert_notices(self, notices: Sequence[Notice], entry_id: int | None) -> None:
        sql = f"INSERT OR IGNORE INTO notice ({NOTICE_COLUMNS}, entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        self._db.executemany(sql, (_notice(one, entry_id) for one in notices))

    def set_manifest(self, section: str, value: Json) -> None:
        """Store one section of the manifest (JSON data), in place of what it held."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO manifest VALUES (?, ?)", (section, canonical(value)))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._lock is None:
            raise CaseError(f"{self.folder}: the case is open for reading only")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise CaseError(f"{self.folder}: the case store cannot be written: {error}") from error
        except sqlite3.DatabaseError as error:
            raise IntegrityError(f"{self.folder}: the case store cannot be written: {error}") from error


def _connect(folder: Path, writable: bool) -> sqlite3.Connection:
    path = folder / STORE_NAME
    if not writable:
        return sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True, isolation_level=None)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -65536")  # 64 MiB, whatever the evidence
    db.execute("PRAGMA wal_autocheckpoint = 16384")  # pages: fewer, larger write-backs (10 % on a million entries)
    return db


def _release(lock: CaseLock | None) -> None:
    if lock is not None:
        lock.release()


def _rest(row: VolumeRow) -> tuple[object, ...]:
    return row.offset, row.size, row.state, row.description, row.file_system


def _content(result: FileResult) -> tuple[Any, ...]:
    digests = result.digests
    other = {name: value for name, value in digests.items() if name not in _OWN_COLUMNS}
    own = (digests.get(name) for name in _OWN_COLUMNS)
    return result.entry_id, result.status, result.type, *own, canonical(other) if other else None, result.outcomes


def _records(result: FileResult) -> Iterator[tuple[Any, ...]]:
    sequences: dict[str, int] = {}
    for plugin, record in result.found:
        sequence = sequences.get(plugin, 0)
        sequences[plugin] = sequence + 1
        grade = record.grade.value if isinstance(record, Hit) else ""
        yield (
            result.entry_id,
            plugin,
            sequence,
            record.kind,
            grade,
            canonical(record_to_json(record)),
        )


def _notice(one: Notice, entry_id: int | None) -> tuple[Any, ...]:
    p = one.source
    place = (p.evidence, p.volume, p.path, p.address, p.stream, p.part, p.row, p.offset)
    return *map(storable, place), one.kind_text, storable(one.message), one.origin, entry_id
