"""Worker processes: each opens the evidence itself and does one task at a time; only work and results travel."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from triage.case.codec import entry_values, stored_entry
from triage.case.rows import EntryRow, FileResult
from triage.engine.discover import Discovery, discover
from triage.engine.host import PluginHost, Subject
from triage.engine.memory import limit_memory
from triage.engine.plan import plan_entry
from triage.engine.profile import Profile
from triage.engine.spool import SpoolWriter
from triage.engine.steps import StepNote
from triage.engine.tasks import Answer, Batch, Digested, DigestTask, Examined, Lost, Task, Walked, WalkTask, WorkItem
from triage.errors import CaseError, EvidenceError
from triage.evidence.entry import Entry, Evidence, FileSystem, OpenOptions, content
from triage.evidence.integrity import digest_media
from triage.evidence.open import open_evidence
from triage.guard import Failed, attempt
from triage.locator import Locator
from triage.notices import Notice, NoticeKind
from triage.plugin import Plugin

WALK_FRAME: Final = 500
"""Entries that the coordinator gets at a time."""
_SLOWEST_WALK_BYTES: Final = 4 << 30
"""A file system may take as long over its next entries as reading this: looking for orphans goes through all of it."""
WALK: Final = "walk"
MEDIA: Final = "media digest"


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a worker needs to start, whatever machine it runs on, as long as the evidence paths are reachable.

    ``evidence`` maps the evidence's id in the case to (path, label). ``plugins`` are the ids to run, in order.
    ``memory`` bounds what a worker may allocate, in bytes.
    """

    evidence: Mapping[int, tuple[Path, str]]
    options: OpenOptions
    profile: Profile
    plugins: tuple[str, ...]
    plugin_options: Mapping[str, Any]
    plugin_folders: tuple[Path, ...]
    scratch: Path
    step_seconds: float
    memory: int


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
                return Examined([self._examine(item) for item in task.items])
            work = self._walk if isinstance(task, WalkTask) else self._digest
            done = attempt(partial(work, task))  # type: ignore[arg-type]
            if isinstance(done, Failed):
                if isinstance(done.error, CaseError):
                    raise done.error
                return Lost(task, NoticeKind.FAILED, 0, "", done.words())
            return done.value
        finally:
            self._note.idle()

    def _examine(self, item: WorkItem) -> FileResult:
        self._note.entry_id = item.id
        subject = self._subject(item.row)
        companions = {name: self._subject(row) for name, row in item.companions}
        done = attempt(lambda: self._host.examine(subject, companions, item.without))
        return self._host.failed(subject, done.words()) if isinstance(done, Failed) else done.value

    def _subject(self, row: EntryRow) -> Subject:
        stored = stored_entry(row)
        file_system = self._file_system(stored.evidence, stored.volume)
        entry = stored.entry
        return Subject(stored.id, entry, entry_locator(file_system, entry), partial(content, file_system, entry))

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
            stream = file_system.walk()
            while found := list(islice(stream, WALK_FRAME)):
                values = [entry_values(plan_entry(file_system, each)) for each in found if isinstance(each, Entry)]
                spool.write((values, [each for each in found if isinstance(each, Notice)]))
                self._note.begin(_SLOWEST_WALK_BYTES, WALK)
        return Walked(task)

    def _digest(self, task: DigestTask) -> Answer:
        source = self.evidence(task.evidence).source
        if source is None:
            raise EvidenceError("this evidence has no media to digest")
        self._note.entry_id = 0
        self._note.begin(source.size, MEDIA)
        return Digested(task, digest_media(source, task.algorithms, lambda _done: None))


def entry_locator(file_system: FileSystem, entry: Entry) -> Locator:
    """The locator of an entry's content."""
    base = file_system.locator
    return Locator(base.evidence, base.volume, entry.path, entry.address, entry.stream)


def make_plugins(discovery: Discovery, ids: Sequence[str], options: Mapping[str, Any]) -> list[Plugin]:
    """Construct the plugins named by ``ids``, in that order."""
    classes = {loaded.plugin.id: loaded.plugin for loaded in discovery.loaded}
    return [classes[plugin](options.get(plugin)) for plugin in ids]


_worker: Worker | None = None


def start_worker(setup: Setup) -> None:
    """Initializer of a worker process."""
    global _worker  # the standard executor has no other place for a state of the process
    os.environ["TZ"] = "UTC"
    limit_memory(setup.memory)
    _worker = Worker(setup)


def perform(task: Task) -> Answer:
    """Do a task in this worker process."""
    if _worker is None:
        raise RuntimeError("this process was not started as a worker")
    return _worker.perform(task)


def ready() -> int:
    """The process id of this worker, once it has started."""
    return os.getpid()


def local_worker(setup: Setup) -> Executor:
    """A process on this machine. ``spawn``, because it is what all systems have and it inherits nothing by accident."""
    return ProcessPoolExecutor(1, get_context("spawn"), start_worker, (setup,))
