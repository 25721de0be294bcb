"""Archives and unallocated space: what is still to be gone through, and what was found in them into the store."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from triage.case.codec import stored_entry
from triage.case.rows import EntryRow, Members
from triage.case.store import CaseStore
from triage.engine.dispatch import Dispatcher, barred
from triage.engine.spool import SpoolReader
from triage.engine.tasks import ARCHIVE, CARVE, Expanded, ExpandTask, Lost
from triage.engine.unallocated import ADDRESS
from triage.evidence.archives.kinds import is_archive
from triage.locator import Locator
from triage.notices import Notice, notice

_MOST_TRIES: Final = 20

Found = Callable[[Members], None]
"""Hears of what was stored."""


class Archives:
    """Gives out archives as tasks and takes in what comes back."""

    def __init__(self, store: CaseStore, scratch: Path, dispatcher: Dispatcher, found: Found) -> None:
        self._store = store
        self._scratch = scratch
        self._dispatcher = dispatcher
        self._found = found
        self._tries: Counter[int] = Counter()
        self._blamed: Counter[tuple[int, str]] = Counter()

    def tasks(self) -> Iterator[ExpandTask]:
        """The archives whose members are not all in the store, what matters most first."""
        types = [mime for mime in self._store.content_types() if is_archive(mime)]
        for row, mime in self._store.pending_archives(types):
            yield ExpandTask(row, mime, self._spool(row))

    def space(self) -> Iterator[ExpandTask]:
        """The parts of unallocated space that were not searched for files."""
        for row in self._store.pending_space(ADDRESS):
            yield ExpandTask(row, CARVE, self._spool(row))

    def _spool(self, row: EntryRow) -> Path:
        return self._scratch / f"archive-{row[0]}-{self._tries[row[0]]}.spool"

    def done(self, answer: Expanded) -> None:
        """An archive was gone through."""
        self._take_in(answer.task, [])

    def lost(self, answer: Lost) -> None:
        """A worker died over an archive. What it died over twice is left out the third time."""
        task = answer.task
        assert isinstance(task, ExpandTask)  # noqa: S101 - narrows the type
        number = task.row[0]
        blame = (answer.entry_id, answer.plugin)
        self._tries[number] += 1
        self._blamed[blame] += 1
        at_archive = answer.plugin in ("", ARCHIVE, CARVE)
        if self._tries[number] >= _MOST_TRIES or (at_archive and self._blamed[blame] > 1):
            entry = stored_entry(task.row).entry
            label = next(row.label for row in self._store.evidence() if row.id == task.row[1])
            place = Locator(label, task.row[2], entry.path, entry.address, entry.stream)
            what, origin = ("this space", CARVE) if task.type == CARVE else ("this archive", ARCHIVE)
            text = f"going through {what} ended early, what follows is missing: {answer.reason}"
            self._take_in(task, [notice(answer.kind, place, text, origin)])
            return
        without = task.without
        if not at_archive and self._blamed[blame] > 1:
            without = (*without, barred(answer.entry_id, answer.plugin, answer.kind))
        SpoolReader(task.spool).remove()
        self._dispatcher.add(task._replace(without=without, spool=self._spool(task.row)))

    def _take_in(self, task: ExpandTask, doubts: list[Notice]) -> None:
        number, members = task.row[0], 0
        reader = SpoolReader(task.spool)
        self._store.drop_members(number)
        part: Members
        for part in reader.frames():
            self._store.add_members(part)
            self._found(part)
            members += len(part.rows)
        self._store.finish_archive(number, members, doubts)
        self._found(Members(number, [], [], doubts))
        reader.remove()
