"""Worker processes: each opens the evidence itself and examines batches; nothing else travels but work and results."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from triage.case.rows import FileResult, StoredEntry
from triage.engine.discover import Discovery, discover
from triage.engine.host import PluginHost, Subject
from triage.engine.plan import Batch, WorkItem
from triage.engine.profile import Profile
from triage.engine.steps import StepNote
from triage.errors import EvidenceError
from triage.evidence.entry import Entry, Evidence, FileSystem, OpenOptions, content
from triage.evidence.integrity import MediaDigest, digest_media
from triage.evidence.open import open_evidence
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.plugin import Plugin


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a worker needs to start, whatever machine it runs on, as long as the evidence paths are reachable.

    ``evidence`` maps the evidence's id in the case to (path, label). ``plugins`` are the ids to run, in order.
    """

    evidence: Mapping[int, tuple[Path, str]]
    options: OpenOptions
    profile: Profile
    plugins: tuple[str, ...]
    plugin_options: Mapping[str, Any]
    plugin_folders: tuple[Path, ...]
    scratch: Path
    step_seconds: float


class Worker:
    """State of one worker process."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._evidence: dict[int, Evidence] = {}
        self._file_systems: dict[tuple[int, str], FileSystem] = {}
        self._note = StepNote(setup.scratch, setup.step_seconds)
        loaded = make_plugins(discover(setup.plugin_folders), setup.plugins, setup.plugin_options)
        self._host = PluginHost(loaded, setup.profile, self._note.begin)

    def examine(self, batch: Batch) -> list[FileResult]:
        """Results of a batch, in its order."""
        results = []
        for item in batch.items:
            self._note.entry_id = item.stored.id
            results.append(self._examine(item))
        self._note.idle()
        return results

    def _examine(self, item: WorkItem) -> FileResult:
        companions = {name: self._subject(stored) for name, stored in item.companions}
        return self._host.examine(self._subject(item.stored), companions, item.without)

    def _subject(self, stored: StoredEntry) -> Subject:
        file_system = self._file_system(stored.evidence, stored.volume)
        entry = stored.entry
        locator = entry_locator(file_system, entry)

        def source() -> ByteSource:
            return content(file_system, entry)

        return Subject(stored.id, entry, locator, source)

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

    def digest(self, number: int, algorithms: Sequence[str]) -> MediaDigest:
        """Digests over the whole media of one evidence."""
        source = self.evidence(number).source
        if source is None:
            raise EvidenceError("this evidence has no media to digest")
        self._note.entry_id = -2 - number
        self._note.begin(source.size, "media digest")
        result = digest_media(source, algorithms, lambda _done: None)
        self._note.idle()
        return result


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
    _worker = Worker(setup)


def _state() -> Worker:
    if _worker is None:
        raise RuntimeError("this process was not started as a worker")
    return _worker


def examine(batch: Batch) -> list[FileResult]:
    """Examine a batch in this worker process."""
    return _state().examine(batch)


def digest(evidence: int, algorithms: Sequence[str]) -> MediaDigest:
    """Digest the media of an evidence in this worker process."""
    return _state().digest(evidence, algorithms)


def ready() -> bool:
    """Answered once a worker has started; lets processes start while the walk is still going on."""
    return _worker is not None


def local_pool(setup: Setup, workers: int) -> Executor:
    """Processes on this machine. ``spawn``, because it is what all systems have and it inherits nothing by accident."""
    return ProcessPoolExecutor(workers, get_context("spawn"), start_worker, (setup,))
