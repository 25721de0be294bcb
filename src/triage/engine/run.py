"""A whole scan: open, walk, plan, examine, store. Running it again on the same case continues where it stopped."""

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from triage.case import custody
from triage.case.coverage import is_complete
from triage.case.digest import content_digest
from triage.case.rows import FileResult, PlannedEntry, StoredEntry, VolumeRow
from triage.case.store import STORE_NAME, CaseStore
from triage.engine import workers
from triage.engine.discover import Discovery, discover
from triage.engine.dispatch import Digested, DigestTask, Dispatcher, Examined
from triage.engine.manifest import check_same_scan, describe_scan, file_states
from triage.engine.match import PathMatcher
from triage.engine.plan import WorkItem, batches, plan_entry
from triage.engine.request import Progress, ScanRequest
from triage.engine.scope import scope_notices
from triage.errors import COMPLETE, INCOMPLETE, EvidenceError, UsageError
from triage.evidence.entry import Entry, Evidence, FileSystem
from triage.evidence.integrity import MediaDigest
from triage.evidence.open import evidence_label, open_evidence
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice
from triage.plugin import Parser, Plugin, SqliteParser
from triage.records import Hit

WRITE_EVERY_FILES: Final = 2_000
WRITE_EVERY_SECONDS: Final = 1.0
NOTICES_AT_ONCE: Final = 5_000


Observer = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """How a scan ended."""

    exit_code: int
    progress: Progress
    seconds: float


def scan(
    request: ScanRequest, observe: Observer = lambda _progress: None, discovery: Discovery | None = None
) -> ScanSummary:
    """Scan evidence into a case. ``discovery`` is what `discover` gave, if the caller has asked it already.

    Raises:
        UsageError: evidence and case lie in one another, or a plugin, list or rule file is unusable.
        EvidenceError: an evidence cannot be opened at all. CredentialError: a key that was given fits nothing.
        CaseError: the case folder is not usable or belongs to a scan with other settings.
    """
    _check_paths(request)
    began = time.monotonic()
    discovery = discovery or discover(request.plugin_folders)
    plugins = _construct(discovery, request.plugin_options)
    exists = (request.case / STORE_NAME).exists()
    with CaseStore.open(request.case, writable=True) if exists else CaseStore.create(request.case) as store:
        return _Scan(request, store, discovery, plugins, observe).run(began)


def _check_paths(request: ScanRequest) -> None:
    case = request.case.resolve()
    for path in request.evidence:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        real = path.resolve()
        if real.is_dir() and (case == real or real in case.parents):
            raise UsageError(f"the case folder {case} lies inside the evidence {real}; nothing is written there")
        if case == real or case in real.parents:
            raise UsageError(f"the evidence {real} lies inside the case folder {case}; keep them apart")


def _construct(discovery: Discovery, options: Mapping[str, Any]) -> list[Plugin]:
    unknown = set(options) - {loaded.plugin.id for loaded in discovery.loaded}
    if unknown:
        raise UsageError(f"options were given for plugins that are not loaded: {', '.join(sorted(unknown))}")
    try:
        return workers.make_plugins(discovery, [loaded.plugin.id for loaded in discovery.loaded], options)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error


class _Scan:
    """One run of a scan."""

    def __init__(
        self, request: ScanRequest, store: CaseStore, discovery: Discovery, plugins: list[Plugin], observe: Observer
    ) -> None:
        self._request = request
        self._store = store
        self._discovery = discovery
        self._plugins = plugins
        self._observe = observe
        self._progress = Progress()
        self._asked = [path.resolve() for path in request.evidence]
        self._scratch = request.case / "work"
        self._workers = request.workers or os.cpu_count() or 1
        self._companions = [
            (PathMatcher(p.paths) if p.paths else None, p.companions)
            for p in plugins
            if isinstance(p, Parser | SqliteParser) and p.companions
        ]

    def run(self, began: float) -> ScanSummary:
        """Do it, and leave a case that says how it went."""
        store = self._store
        # What is refused here is no scan: a case that was finished stays so.
        check_same_scan(store, describe_scan(self._request, self._discovery, self._plugins))
        self._check_unchanged()
        if store.custody.last(custody.SCAN_STARTED) is None:
            self._log(custody.CASE_CREATED, {"folder": str(self._request.case.resolve())})
        self._log(custody.SCAN_STARTED, {"system": platform.system(), "workers": self._workers})
        paths = self._open_all()
        self._notices(
            [notice(NoticeKind.REMARK, Locator(""), text, p.id) for p in self._plugins for text in p.remarks()]
        )
        before = {path: file_states(files) for path, files in paths.values() if path in self._asked}
        dispatcher = Dispatcher(self._make_pool(paths), self._scratch, self._workers * 2 + 1)
        self._scratch.mkdir(exist_ok=True)
        try:
            # The walk leaves all processors but one idle; with a single worker the first hits come before digests.
            digests = list(self._digest_tasks())
            early = digests[: self._workers - 1]
            dispatcher.start(self._workers, early)
            self._walk_all()
            self._examine_all(dispatcher, digests[len(early) :])
            dispatcher.close()
        finally:
            dispatcher.stop()
        self._scratch.rmdir()
        self._compare_states(before)
        self._notices(list(scope_notices(self._store)))
        self._stage("finished")
        code = COMPLETE if is_complete(store) else INCOMPLETE
        self._log(custody.SCAN_FINISHED, {"exit code": code, "content digest": content_digest(store)})
        return ScanSummary(code, self._progress, time.monotonic() - began)

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

    def _check_unchanged(self) -> None:
        """See that evidence which the case knows already is still what it was.

        Raises:
            EvidenceError: size or modification time of a file is another.
        """
        for row in self._store.evidence():
            logged = self._store.custody.opened_states(row.path)
            if Path(row.path) in self._asked and logged is not None and file_states(map(Path, row.files)) != logged:
                message = "size or modification time is not that with which this case was begun"
                raise EvidenceError(f"{row.path}: {message}")

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
        for number, evidence in self._opened.items():
            self._stage(f"walking {evidence.label}")
            self._store.drop_walk(number)
            self._store.add_volumes(
                [
                    VolumeRow(number, v.id, v.type, v.offset, v.size, v.state, v.description,
                              ", ".join(fs.type for fs in v.file_systems))
                    for v in evidence.volumes
                ]
            )  # fmt: skip
            self._notices(list(evidence.notices))
            for file_system in evidence.file_systems().values():
                self._store.add_entries(number, self._planned(file_system))
            self._store.finish_walk(number)

    def _planned(self, file_system: FileSystem) -> Iterator[PlannedEntry]:
        doubts: list[Notice] = []
        for found in file_system.walk():
            if isinstance(found, Entry):
                self._progress.entries += 1
                if not self._progress.entries % 1024:
                    self._observe(self._progress)
                yield plan_entry(file_system, found)
            else:
                doubts.append(found)
                if len(doubts) >= NOTICES_AT_ONCE:
                    self._notices(doubts)
                    doubts = []
        self._notices(doubts)

    # -- content ---------------------------------------------------------------------------------------------------

    def _make_pool(self, paths: Mapping[int, tuple[Path, tuple[Path, ...]]]) -> Callable[[], Any]:
        labels = {row.id: row.label for row in self._store.evidence()}
        request = self._request
        setup = workers.Setup(
            {number: (path, labels[number]) for number, (path, _) in paths.items()},
            request.options,
            request.profile,
            tuple(plugin.id for plugin in self._plugins),
            request.plugin_options,
            request.plugin_folders,
            self._scratch,
            request.step_seconds,
        )
        return lambda: workers.local_pool(setup, self._workers)

    def _digest_tasks(self) -> Iterator[DigestTask]:
        for row in self._store.evidence():
            algorithms = tuple(row.stored_digests) or (("sha256",) if self._request.profile.digest_raw_media else ())
            if algorithms and not row.computed_digests and row.type != "folder":
                yield DigestTask(row.id, algorithms)

    def _beside(self, stored: StoredEntry) -> tuple[tuple[str, StoredEntry], ...]:
        path = stored.entry.path
        folder, _, name = path.rpartition("/")
        found = []
        for matches, patterns in self._companions:
            if matches is not None and not matches(path):
                continue
            for wanted in dict.fromkeys(pattern.replace("{name}", name) for pattern in patterns):
                rows = self._store.find(stored.evidence, stored.volume, f"{folder}/{wanted}")
                # A live companion before a deleted one of the same name.
                found += [(wanted, row) for row in sorted(rows, key=lambda row: (row.entry.flags & 1, row.id))[:1]]
        return tuple(dict(found).items())

    def _examine_all(self, dispatcher: Dispatcher, digests: Iterable[DigestTask]) -> None:
        self._stage("reading")
        self._progress.files_total, self._progress.bytes_total = self._store.pending_totals()
        waiting: list[FileResult] = []
        written = time.monotonic()
        items = (WorkItem(stored, self._beside(stored)) for stored in self._store.pending())
        for answer in dispatcher.run(chain(batches(items), digests)):
            if isinstance(answer, Digested):
                self._judge_media(answer.evidence, answer.digest)
                continue
            waiting += answer.results
            self._count(answer)
            if len(waiting) >= WRITE_EVERY_FILES or time.monotonic() - written > WRITE_EVERY_SECONDS:
                self._store.add_results(waiting)
                waiting, written = [], time.monotonic()
            self._observe(self._progress)
        self._store.add_results(waiting)

    def _count(self, answer: Examined) -> None:
        progress = self._progress
        for result in answer.results:
            progress.files += 1
            progress.notices += len(result.notices)
            progress.bytes += result.size
            for found in result.found:
                if isinstance(found.record, Hit):
                    progress.hits[found.record.grade] = progress.hits.get(found.record.grade, 0) + 1

    # -- judging ---------------------------------------------------------------------------------------------------

    def _judge_media(self, number: int, digest: MediaDigest | None) -> None:
        row = next(row for row in self._store.evidence() if row.id == number)
        place = Locator(row.label)
        if digest is None:
            self._notices(
                [notice(NoticeKind.CRASHED, place, "digesting the media brought a worker down twice", "media")]
            )
            return
        doubts = []
        for offset, length in digest.unreadable:
            message = f"{length:,} bytes of the media at offset {offset:,} cannot be read or fail their check value"
            doubts.append(notice(NoticeKind.DAMAGED, place.at(offset), message, "media"))
        for name, stored in row.stored_digests.items():
            computed = digest.digests.get(name)
            if computed is not None and computed != stored:
                message = f"the {name.upper()} of the media is {computed}, the image stores {stored}"
                doubts.append(notice(NoticeKind.DAMAGED, place, message, "media"))
        # In this order: were digests stored first, a kill in between would lose the doubts, for nothing is done twice.
        self._notices(doubts)
        self._store.set_computed_digests(number, digest.digests)

    def _compare_states(self, before: Mapping[Path, Mapping[str, list[int]]]) -> None:
        """Say so loudly if an evidence file is no longer what it was when the scan began."""
        for row in self._store.evidence():
            states = before.get(Path(row.path))
            if states is not None and file_states(map(Path, states)) != states:
                message = "size or modification time of an evidence file changed while it was being scanned"
                self._notices([notice(NoticeKind.DAMAGED, Locator(row.label), message, "evidence")])

    def _log(self, action: str, detail: Any) -> None:
        self._store.custody.append(action, detail, time.time_ns(), self._request.operator)

    def _notices(self, found: list[Notice]) -> None:
        if found:
            self._progress.notices += len(found)
            self._store.add_notices(found)

    def _stage(self, name: str) -> None:
        self._progress.stage = name
        self._observe(self._progress)
