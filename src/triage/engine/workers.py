"""What a worker process does: it opens the evidence itself and does one task at a time."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

from triage.case.codec import entry_values, stored_entry
from triage.case.digest import table_digest
from triage.case.rows import EntryRow, FileResult, Members
from triage.case.store import CaseStore
from triage.engine.carving import Carving
from triage.engine.discover import discover
from triage.engine.expand import AT_ONCE, Expansion, whole
from triage.engine.host import PluginHost
from triage.engine.hostfile import Subject
from triage.engine.plan import plan_entry
from triage.engine.setup import Setup, make_plugins
from triage.engine.spool import SpoolWriter
from triage.engine.steps import StepNote
from triage.engine.tasks import (
    ARCHIVE,
    CARVE,
    Answer,
    Barred,
    Batch,
    Digested,
    DigestTask,
    Examined,
    Expanded,
    ExpandTask,
    Long,
    Lost,
    Summed,
    SumTask,
    Task,
    Walked,
    WalkTask,
    WorkItem,
)
from triage.engine.unallocated import Unallocated
from triage.errors import CaseError, EvidenceError
from triage.evidence.archives.kinds import is_archive
from triage.evidence.entry import Entry, Evidence, FileSystem, content
from triage.evidence.integrity import digest_media
from triage.evidence.open import open_evidence
from triage.guard import Failed, attempt
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

WALK_FRAME: Final = 500
"""Entries that the coordinator gets at a time."""
_SLOWEST_WALK_BYTES: Final = 4 << 30
"""A file system may take as long over its next entries as reading this: looking for orphans goes through all of it."""
WALK: Final = "walk"
MEDIA: Final = "media digest"
SUM: Final = "sum"


class Worker:
    """State of one worker process."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._evidence: dict[int, Evidence] = {}
        self._file_systems: dict[tuple[int, str], FileSystem] = {}
        self._note = StepNote(setup.scratch, setup.step_seconds)
        loaded = make_plugins(discover(setup.plugin_folders), setup.plugins, setup.plugin_options)
        self._host = PluginHost(loaded, setup.profile, self._note.begin)

    def perform(self, task: Task) -> Answer:
        """Do a task. What goes wrong on the way is part of the answer, unless the case folder cannot be written."""
        try:
            if isinstance(task, Batch):
                return self._examine_all(task.items)
            done = attempt(lambda: self._long(task))
            if isinstance(done, Failed):
                if isinstance(done.error, CaseError) and not isinstance(task, SumTask):
                    raise done.error  # a sum that cannot be made here is made by the coordinator
                return Lost(task, NoticeKind.FAILED, 0, "", done.words())
            return done.value
        finally:
            self._note.idle()

    def _long(self, task: Long) -> Answer:
        if isinstance(task, WalkTask):
            return self._walk(task)
        if isinstance(task, ExpandTask):
            return self._expand(task)
        return self._digest(task) if isinstance(task, DigestTask) else self._sum(task)

    def _examine_all(self, items: Sequence[WorkItem]) -> Examined:
        results, archives = [], []
        for item in items:
            self._note.entry_id = item.id
            subject = self._subject(item.row)
            result = self._examine(item, subject)
            results.append(result)
            if subject.entry.size <= AT_ONCE and is_archive(result.type):
                archives.append(self._members(item, subject, result.type))
        return Examined(results, archives)

    def _examine(self, item: WorkItem, subject: Subject) -> FileResult:
        companions = {name: self._subject(row) for name, row in item.companions}
        return self._host.examine(subject, companions, item.without)

    def _members(self, item: WorkItem, subject: Subject, mime: str) -> Members:
        """What is in a small archive, unless it has brought workers down; then its notice says so already."""
        parts: list[Members] = []
        if not any(barred.plugin == ARCHIVE for barred in item.without):
            expansion = self._expansion(item.without, parts.append)
            done = attempt(lambda: expansion.run(stored_entry(item.row), subject.locator, mime, subject.source))
            if isinstance(done, Failed):
                text = f"going through this archive failed, what follows is missing: {done.words()}"
                parts.append(Members(item.id, [], [], [notice(NoticeKind.FAILED, subject.locator, text, ARCHIVE)]))
        return whole(item.id, parts)

    def _expansion(self, without: Sequence[Barred], write: Callable[[Members], None]) -> Expansion:
        passwords = self._setup.options.keys.passwords
        return Expansion(self._host, self._note, self._setup.scratch, passwords, without, write)

    def _subject(self, row: EntryRow) -> Subject:
        stored = stored_entry(row)
        file_system = self._file_system(stored.evidence, stored.volume)
        entry = stored.entry
        return Subject(
            stored.id, entry, partial(entry_locator, file_system, entry), partial(content, file_system, entry)
        )

    def _file_system(self, evidence: int, volume: str) -> FileSystem:
        found = self._file_systems.get((evidence, volume))
        if found is None:
            for name, file_system in self.evidence(evidence).file_systems().items():
                self._file_systems[evidence, name] = file_system
            found = self._file_systems.get((evidence, volume))
        if found is None:
            raise EvidenceError(f"volume {volume!r} is not found again in {self._setup.evidence[evidence][0]}")
        return found

    def evidence(self, number: int) -> Evidence:
        """The evidence with this id, opened on first use."""
        if number not in self._evidence:
            path, label = self._setup.evidence[number]
            self._evidence[number] = open_evidence(path, label, self._setup.options)
        return self._evidence[number]

    def _walk(self, task: WalkTask) -> Answer:
        file_system = self._file_system(task.evidence, task.volume)
        self._note.entry_id = 0
        self._note.begin(_SLOWEST_WALK_BYTES, WALK)
        with SpoolWriter(task.spool) as spool:
            stream = self._whole_walk(file_system)
            while found := list(islice(stream, WALK_FRAME)):
                values = [entry_values(plan_entry(file_system, each)) for each in found if isinstance(each, Entry)]
                spool.write((values, [each for each in found if isinstance(each, Notice)]))
                self._note.begin(_SLOWEST_WALK_BYTES, WALK)
        return Walked(task)

    def _whole_walk(self, file_system: FileSystem) -> Iterator[Entry | Notice]:
        """The walk, and behind it the space that belongs to no file, if that is to be searched."""
        if not self._setup.profile.carve:
            yield from file_system.walk()
            return
        rest = Unallocated(file_system)
        for found in file_system.walk():
            if isinstance(found, Entry):
                rest.see(found)
            yield found
        yield from rest.entries()

    def _expand(self, task: ExpandTask) -> Answer:
        stored, subject = stored_entry(task.row), self._subject(task.row)
        with SpoolWriter(task.spool) as spool:
            if task.type == CARVE:
                source = self._file_system(stored.evidence, stored.volume).source
                if source is None:
                    raise EvidenceError("this file system has no space to search")
                Carving(self._host, self._note, task.without, spool.write).run(stored, subject.locator, source)
                return Expanded(task)
            self._expansion(task.without, spool.write).run(stored, subject.locator, task.type, subject.source)
        return Expanded(task)

    def _digest(self, task: DigestTask) -> Answer:
        source = self.evidence(task.evidence).source
        if source is None:
            raise EvidenceError("this evidence has no media to digest")
        self._note.entry_id = 0
        self._note.begin(source.size, MEDIA)
        return Digested(task, digest_media(source, task.algorithms, lambda _done: None))

    def _sum(self, task: SumTask) -> Answer:
        self._note.entry_id = 0
        self._note.begin(_SLOWEST_WALK_BYTES, SUM)
        with CaseStore.open(task.folder) as store:
            return Summed(task, table_digest(store, task.table))


def entry_locator(file_system: FileSystem, entry: Entry) -> Locator:
    """The locator of an entry's content."""
    base = file_system.locator
    return Locator(base.evidence, base.volume, entry.path, entry.address, entry.stream)
