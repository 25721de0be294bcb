"""Entries into the store, in the order of their walk; a walk that was cut off goes on behind what is there."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from triage.case.codec import INSERT_ENTRY, ROW_COLUMNS, fitting
from triage.case.ids import MOST_ENTRIES, entry_id, of_evidence, place_of
from triage.case.rows import EntryRow
from triage.case.schema import ENTRY_INDEXES
from triage.errors import CaseError

_NO_MEMBER: Final = "container = ''"
_ROWS: Final = f"""SELECT {ROW_COLUMNS} FROM entry
                   WHERE id BETWEEN ? AND ? AND {_NO_MEMBER} ORDER BY id"""  # noqa: S608 - constants


class EntryWriter:
    """Writes the entries of walks. Works within the caller's transactions.

    The same evidence gives the same entries in the same order. So a walk that is begun again only compares as long as
    it meets what it had stored, and what was found out about these entries' content stays. At the first difference
    (a folder in which something changed) everything from there on is dropped and written anew.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._place: dict[int, int] = {}
        self._known: dict[int, int] = {}

    def begin(self, evidence: int, place: int = 0) -> None:
        """A walk begins, or begins again behind its entry number ``place``."""
        self._place[evidence] = place
        sql = f"SELECT max(id) FROM entry WHERE id BETWEEN ? AND ? AND {_NO_MEMBER}"  # noqa: S608
        last = self._db.execute(sql, of_evidence(evidence)).fetchone()[0]
        self._known[evidence] = 0 if last is None else place_of(last)

    def place(self, evidence: int) -> int:
        """How many entries the walk has given so far."""
        return self._place.get(evidence, 0)

    def add(self, evidence: int, values: Sequence[tuple[Any, ...]]) -> list[EntryRow]:
        """Write the next entries (`entry_values`); returned are the rows of those that were not there already.

        Raises:
            CaseError: the evidence has more entries than ids.
        """
        if evidence not in self._place:
            self.begin(evidence)
        first = self._place[evidence] + 1
        last = first + len(values) - 1
        if last > MOST_ENTRIES:
            raise CaseError(f"the evidence has more than {MOST_ENTRIES:,} entries, which a case cannot number")
        rows = [(entry_id(evidence, place), evidence, *each) for place, each in enumerate(values, first)]
        self._place[evidence] = last
        if first <= self._known[evidence]:
            stored = self._db.execute(_ROWS, (rows[0][0], rows[-1][0])).fetchall()
            same = [each == fitting(row) for each, row in zip(stored, rows, strict=False)]
            known = same.index(False) if False in same else len(same)
            if known < len(stored):
                self._forget(evidence, first + known)
            rows = rows[known:]
        self._insert(rows)
        return rows

    def finish(self, evidence: int) -> None:
        """The walk has ended; what an earlier one had beyond it is dropped."""
        if self._known.get(evidence, 0) > self.place(evidence):
            self._forget(evidence, self.place(evidence) + 1)
        for statement in ENTRY_INDEXES:
            self._db.execute(statement)
        self._db.execute("UPDATE evidence SET walked = 1 WHERE id = ?", (evidence,))

    def add_members(self, rows: Sequence[EntryRow]) -> None:
        """Write members of an archive; their ids are those of `triage.case.ids`."""
        self._insert(rows)

    def drop(self, first: int, last: int) -> None:
        """Remove the entries with ids from ``first`` to ``last`` and all that hangs on them."""
        for table in ("content", "record", "notice", "expansion"):
            self._db.execute(f"DELETE FROM {table} WHERE entry BETWEEN ? AND ?", (first, last))  # noqa: S608 - constants
        self._db.execute("DELETE FROM entry WHERE id BETWEEN ? AND ?", (first, last))

    def _forget(self, evidence: int, place: int) -> None:
        self.drop(entry_id(evidence, place), of_evidence(evidence)[1])
        self._known[evidence] = 0

    def _insert(self, rows: Sequence[EntryRow]) -> None:
        self._db.execute("SAVEPOINT entries")
        try:
            self._db.executemany(INSERT_ENTRY, rows)
        except (OverflowError, UnicodeEncodeError):
            # Rare and hostile: one number beyond 64 bits or one unpaired surrogate in the batch.
            self._db.execute("ROLLBACK TO entries")
            self._db.executemany(INSERT_ENTRY, [fitting(row) for row in rows])
        self._db.execute("RELEASE entries")
