"""A whole scan: open, walk, examine, verify, store. Running it again on the same case continues where it stopped."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from triage.case import custody
from triage.case.coverage import coverage, is_complete
from triage.case.digest import LARGE, content_digest
from triage.case.rows import Coverage, FileResult, Members, VolumeRow
from triage.case.store import STORE_NAME, CaseStore, check_empty
from triage.engine import pool
from triage.engine.archives import Archives
from triage.engine.companions import Companions
from triage.engine.discover import Discovery, discover
from triage.engine.dispatch import WATCH_SECONDS, Dispatcher, Take
from triage.engine.feed import WalkFeed
from triage.engine.manifest import check_same_scan, describe_scan, file_states
from triage.engine.media import MediaDigests
from triage.engine.memory import memory_for
from triage.engine.request import Progress, ScanRequest
from triage.engine.scope import scope_notices
from triage.engine.sets import built_sets, plugin_options
from triage.engine.setup import Setup, make_plugins
from triage.engine.stopwatch import Stopwatch
from triage.engine.tasks import (
    Answer,
    Digested,
    DigestTask,
    Examined,
    Expanded,
    ExpandTask,
    Lost,
    Summed,
    SumTask,
    Task,
    WorkItem,
    batches,
)
from triage.engine.unchanged import changed_since, check_apart, check_as_begun
from triage.engine.walking import Walking
from triage.errors import COMPLETE, INCOMPLETE, UsageError
from triage.evidence.entry import Evidence
from triage.evidence.open import evidence_label, open_evidence
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice
from triage.plugin import Plugin
from triage.records import PRESSING, Grade, Hit

WRITE_EVERY_FILES: Final = 2_000
WRITE_EVERY_SECONDS: Final = 1.0

Observer = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Steps:
    """What a caller does in the course of a scan.

    ``waiting`` is called once when the workers have enough to do, for what the caller must get ready anyway;
    ``examined`` when all content is examined and only digests of whole media are still being computed.
    """

    waiting: Callable[[], None] = lambda: None
    examined: Callable[[CaseStore], object] = lambda _store: None


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """How a scan ended. ``first_hit`` is when the first known file was found, in seconds from the start.

    ``totals`` is the coverage of the case, for the report.
    """

    exit_code: int
    progress: Progress
    seconds: float
    first_hit: float | None
    totals: Coverage


def scan(
    request: ScanRequest,
    observe: Observer = lambda _progress: None,
    discovery: Discovery | None = None,
    steps: Steps = Steps(),
) -> ScanSummary:
    """Scan evidence into a case.

    ``discovery`` is what `discover` gave, if the caller has asked it already.

    Raises:
        UsageError: evidence and case lie in one another, or a plugin, list or rule file is unusable.
        EvidenceError: an evidence cannot be opened at all. CredentialError: a key that was given fits nothing.
        CaseError: the case folder is not usable or belongs to a scan with other settings.
    """
    check_apart(request.evidence, request.case)
    discovery = discovery or discover(request.plugin_folders)
    exists = (request.case / STORE_NAME).exists()
    if not exists:
        check_empty(request.case)
    sets = built_sets(request)
    request = replace(request, plugin_options=plugin_options(discovery, request, sets))
    plugins = _construct(discovery, request.plugin_options)
    idle = {plugin.id: plugin.idle() for plugin in plugins if plugin.idle()}
    plugins = [plugin for plugin in plugins if plugin.id not in idle]
    with CaseStore.open(request.case, writable=True) if exists else CaseStore.create(request.case) as store:
        return _Scan(request, store, discovery, plugins, idle, sets, observe).run(steps)


def _construct(discovery: Discovery, options: Mapping[str, Any]) -> list[Plugin]:
    unknown = set(options) - {loaded.plugin.id for loaded in discovery.loaded}
    if unknown:
        raise UsageError(f"options were given for plugins that are not loaded: {', '.join(sorted(unknown))}")
    try:
        return make_plugins(discovery, [loaded.plugin.id for loaded in discovery.loaded], options)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error


class _Scan:
    """One run of a scan."""

    def __init__(
        self,
        request: ScanRequest,
        store: CaseStore,
        discovery: Discovery,
        plugins: list[Plugin],
        idle: Mapping[str, str],
        sets: list[Path],
        observe: Observer,
    ) -> None:
        self._request = request
        self._described = describe_scan(request, discovery, plugins, idle, sets)
        self._store = store
        self._plugins = plugins
        self._observe = observe
        self._progress = Progress()
        self._watch = Stopwatch()
        self._asked = [path.resolve() for path in request.evidence]
        self._scratch = request.case / "work"
        self._workers = request.workers or os.cpu_count() or 1
        self._companions = Companions(plugins)
        self._feed = WalkFeed(self._companions.wants)
        self._waiting: list[FileResult] = []
        self._archived: list[Members] = []
        self._written = time.monotonic()
        self._media = MediaDigests(store, self._notices)
        self._sums: dict[str, str] = {}

    def run(self, steps: Steps) -> ScanSummary:
        """Do it, and leave a case that says how it went."""
        store = self._store
        # What is refused here is no scan: a case that was finished stays so.
        check_same_scan(store, self._described)
        check_as_begun(store, self._asked)
        if store.custody.last(custody.SCAN_STARTED) is None:
            self._log(custody.CASE_CREATED, {"folder": str(self._request.case.resolve())})
        self._log(custody.SCAN_STARTED, {"system": platform.system(), "workers": self._workers})
        paths = self._open_all()
        self._notices(
            [notice(NoticeKind.REMARK, Locator(""), text, p.id) for p in self._plugins for text in p.remarks()]
        )
        before = {path: file_states(files) for path, files in paths.values() if path in self._asked}
        self._scratch.mkdir(exist_ok=True)
        self._dispatcher = Dispatcher(self._worker_maker(paths), self._scratch, self._workers)
        self._archives = Archives(store, self._scratch, self._dispatcher, self._members_found)
        try:
            self._work(steps)
            self._notices(list(changed_since(store, before)))
            totals = self._sum_up()
            self._dispatcher.close()
        finally:
            self._dispatcher.stop()
        for left in self._scratch.iterdir():
            left.unlink()
        self._scratch.rmdir()
        code = COMPLETE if is_complete(store, totals) else INCOMPLETE
        digest = content_digest(store, self._sums)
        self._log(custody.SCAN_FINISHED, {"exit code": code, "content digest": digest, **self._watch.ended()})
        return ScanSummary(code, self._progress, self._watch.passed(), self._watch.first_hit, totals)

    def _work(self, steps: Steps) -> None:
        digests = list(self._media.tasks(self._request.profile)) if self._request.verify_media else []
        # Two processors are both needed for the content; where there are more, one can be spared from the start.
        beside = digests if self._workers > 2 else []
        for task in beside:
            self._dispatcher.add(task)
        self._walk_all()
        self._read_all(steps.waiting)
        self._expand_all()
        self._notices(list(scope_notices(self._store, self._request.profile.carve)))
        for task in digests if not beside else []:
            self._dispatcher.add(task)
        self._exchange(_nothing, 0)
        if not self._dispatcher.idle:
            self._stage("reporting")
            steps.examined(self._store)
            self._stage("verifying media (the report of all else is written)")
            self._drain(_nothing)

    def _sum_up(self) -> Coverage:
        """Digest the large tables, several at a time, and count meanwhile what was examined."""
        self._stage("finishing")
        for table in LARGE:
            self._dispatcher.add(SumTask(self._store.folder, table))
        self._exchange(_nothing, 0)
        totals = coverage(self._store)
        self._drain(_nothing)
        return totals

    # -- opening and walking ---------------------------------------------------------------------------------------

    def _open_all(self) -> dict[int, tuple[Path, tuple[Path, ...]]]:
        """Open evidence that the case does not know yet; all evidence of the case by id: path and files."""
        self._opened: dict[int, Evidence] = {}
        self._stage("opening")
        known = {Path(row.path): row for row in self._store.evidence()}
        for path in self._asked:
            row = known.get(path)
            if row is None or not row.walked:
                taken = [r.label for r in self._store.evidence() if row is None or r.id != row.id]
                evidence = open_evidence(path, evidence_label(path, taken), self._request.options)
                number = self._add(evidence, path) if row is None else row.id
                self._opened[number] = evidence
        return {r.id: (Path(r.path), tuple(Path(f) for f in r.files)) for r in self._store.evidence()}

    def _add(self, evidence: Evidence, path: Path) -> int:
        store = self._store
        number = store.begin_evidence(
            evidence.label, str(path), evidence.type, evidence.size, [str(f) for f in evidence.files],
            dict(evidence.stored_digests), dict(evidence.facts),
        )  # fmt: skip
        detail = {"path": str(path), "type": evidence.type, "size": evidence.size, "files": file_states(evidence.files)}
        self._log(custody.EVIDENCE_OPENED, detail)
        return number

    def _walk_all(self) -> None:
        def exchange(seconds: float) -> list[Answer]:
            return self._exchange(self._feed.take, seconds)

        walking = Walking(self._store, self._scratch, self._dispatcher, self._feed, exchange, self._found)
        for number, evidence in self._opened.items():
            self._stage(f"walking {evidence.label}")
            self._store.add_volumes(
                [
                    VolumeRow(number, v.id, v.type, v.offset, v.size, v.state, v.description,
                              ", ".join(fs.type for fs in v.file_systems))
                    for v in evidence.volumes
                ]
            )  # fmt: skip
            self._notices(list(evidence.notices))
            for file_system in evidence.file_systems().values():
                walking.walk(number, file_system.locator)
            self._store.finish_walk(number)

    def _found(self, entries: int, doubts: list[Notice]) -> None:
        self._progress.entries += entries
        self._notices(doubts)
        self._observe(self._progress)

    # -- content ---------------------------------------------------------------------------------------------------

    def _worker_maker(self, paths: Mapping[int, tuple[Path, tuple[Path, ...]]]) -> Callable[[], Executor]:
        labels = {row.id: row.label for row in self._store.evidence()}
        request = self._request
        setup = Setup(
            {number: (path, labels[number]) for number, (path, _) in paths.items()},
            request.options,
            request.profile,
            tuple(plugin.id for plugin in self._plugins),
            request.plugin_options,
            request.plugin_folders,
            self._scratch,
            request.step_seconds,
            request.memory or memory_for(self._workers),
        )
        return lambda: pool.local_worker(setup)

    def _read_all(self, waiting: Callable[[], None]) -> None:
        self._stage("reading")
        self._write()
        files, size = self._store.pending_totals()
        self._progress.files_total = self._progress.files + files
        self._progress.bytes_total = self._progress.bytes + size
        # What was given out during the walk is not given out again; its results come with the others.
        tasks = batches(self._items(frozenset(self._feed.flying)))
        self._exchange(lambda: next(tasks, None), 0)
        waiting()
        self._drain(lambda: next(tasks, None))
        self._write()

    def _expand_all(self) -> None:
        self._stage("archives")
        tasks = self._archives.tasks()
        self._drain(lambda: next(tasks, None))
        if self._request.profile.carve:
            self._stage("carving unallocated space")
            space = self._archives.space()
            self._drain(lambda: next(space, None))

    def _members_found(self, members: Members) -> None:
        self._progress.entries += len(members.rows)
        self._progress.notices += len(members.doubts)
        if self._count(members.results):
            self._write()

    def _items(self, flying: frozenset[int]) -> Iterator[WorkItem]:
        for row in self._store.pending_rows():
            if row[0] not in flying:
                yield WorkItem(row, self._companions.beside(self._store, row))

    def _drain(self, take: Take) -> None:
        """Exchange until nothing is left; a media digest that goes on beside does not hold up the rest."""
        while True:
            self._exchange(take, WATCH_SECONDS)
            if self._dispatcher.idle or (take is not _nothing and self._dispatcher.only(DigestTask)):
                return

    def _exchange(self, take: Take, seconds: float) -> list[Answer]:
        """Let the workers go on; what concerns walks is returned, all else is dealt with."""
        rest: list[Answer] = []
        for answer in self._dispatcher.exchange(take, seconds):
            if isinstance(answer, Examined):
                self._take_in(answer)
            elif isinstance(answer, Digested):
                self._media.done(answer)
            elif isinstance(answer, Summed):
                self._sums[answer.task.table] = answer.digest
            elif isinstance(answer, Expanded):
                self._archives.done(answer)
            elif isinstance(answer, Lost) and isinstance(answer.task, DigestTask):
                again = self._media.lost(answer.task, answer)
                if again is not None:
                    self._dispatcher.add(again)
            elif isinstance(answer, Lost) and isinstance(answer.task, ExpandTask):
                self._archives.lost(answer)
            elif isinstance(answer, Lost) and isinstance(answer.task, SumTask):
                continue  # the sum is made here then
            else:
                rest.append(answer)
        if len(self._waiting) >= WRITE_EVERY_FILES or time.monotonic() - self._written > WRITE_EVERY_SECONDS:
            self._write()
        return rest

    def _take_in(self, answer: Examined) -> None:
        self._waiting += answer.results
        self._archived += answer.archives
        self._feed.answered([result.entry_id for result in answer.results])
        for members in answer.archives:
            self._members_found(members)
        if self._count(answer.results):
            self._write()

    def _count(self, results: list[FileResult]) -> bool:
        """Keep count; whether a known file is among them."""
        progress, exact = self._progress, False
        for result in results:
            progress.files += 1
            progress.notices += len(result.notices)
            progress.bytes += result.size
            for found in result.found:
                if isinstance(found.record, Hit):
                    grade = found.record.grade
                    progress.hits[grade] = progress.hits.get(grade, 0) + 1
                    exact = exact or (grade is Grade.EXACT and found.record.disposition in PRESSING)
        if exact:
            self._watch.hit()
        self._observe(progress)
        return exact

    def _write(self) -> None:
        if self._waiting:
            self._store.add_results(self._waiting, self._archived)
        self._waiting, self._archived, self._written = [], [], time.monotonic()

    # -- keeping books ---------------------------------------------------------------------------------------------

    def _log(self, action: str, detail: Any) -> None:
        self._store.custody.append(action, detail, time.time_ns(), self._request.operator)

    def _notices(self, found: list[Notice]) -> None:
        if found:
            self._progress.notices += len(found)
            self._store.add_notices(found)

    def _stage(self, name: str) -> None:
        self._watch.stage(name.partition(" ")[0])
        self._progress.stage = name
        self._observe(self._progress)


def _nothing() -> Task | None:
    return None
