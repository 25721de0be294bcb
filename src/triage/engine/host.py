"""The plugin host: lets each plugin look at one file, and turns whatever happens into an outcome.

A plugin may raise anything, and that costs the one (plugin, file) pair and a notice.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Final

from triage.case.rows import FileResult, Found
from triage.engine.hostfile import HostFile, Subject
from triage.engine.libmagic import type_by_libmagic
from triage.engine.match import PathTable, TypeMatcher
from triage.engine.profile import Profile
from triage.engine.readpass import Piece, Reading, lost_bytes, pieces, stored_pieces
from triage.engine.sniff import by_table
from triage.engine.tasks import Barred
from triage.errors import EvidenceError
from triage.evidence.database import DatabaseDamaged, DatabaseEncrypted, open_database
from triage.guard import Failed, attempt
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, Outcome, notice
from triage.plugin import (
    SPACE,
    File,
    Parser,
    Plugin,
    RecordScanner,
    Scanner,
    SkipFile,
    SqliteParser,
    UnsupportedSchema,
    Window,
    WindowScanner,
)
from triage.records import Hit, Record

# Letters and not members, because there is one for each file and plugin, and members of enumerations are slow.
_NOT_APPLICABLE: Final = Outcome.NOT_APPLICABLE.value
_NOTHING: Final = Outcome.NOTHING.value
_FOUND: Final = Outcome.FOUND.value
_FAILED: Final = Outcome.FAILED.value
_NOT_RUN: Final = Outcome.NOT_RUN.value

MOST_RECORDS: Final = 1_000_000
"""Records that one plugin may yield for one file; a bound on what hostile content can make of a parser."""


class _Slot:
    """One plugin with its place among the others, its filters, and how it is asked for records."""

    def __init__(self, number: int, plugin: Plugin) -> None:
        self.number = number
        self.plugin = plugin
        self.id = plugin.id
        self.windowed = plugin if isinstance(plugin, WindowScanner) else None
        self.needs_digests = isinstance(plugin, Scanner)
        self.any_path = not plugin.paths
        self.searches_space = isinstance(plugin, Scanner) and plugin.searches_space
        self.accepts_type = TypeMatcher(plugin.types)
        self.reads = plugin.reads if isinstance(plugin, RecordScanner) else ()
        self.records = _asking(plugin)


class _Ledger:
    """Outcomes (as letters), records and notices of one file while they come in."""

    def __init__(self, outcomes: dict[str, str], subject: Subject) -> None:
        self._subject = subject
        self.outcomes = outcomes
        self.found: list[Found] = []
        self.notices: list[Notice] = []

    def doubt(self, kind: NoticeKind, message: str, origin: str, source: Locator | None = None) -> None:
        self.notices.append(notice(kind, source or self._subject.locator, message, origin))

    def end(self, plugin: str, outcome: str, kind: NoticeKind | None = None, message: str = "") -> None:
        self.outcomes[plugin] = outcome
        if kind is not None:
            self.doubt(kind, message, plugin)


class PluginHost:
    """Runs a fixed, ordered set of plugins on files, one after another."""

    def __init__(self, plugins: Iterable[Plugin], profile: Profile, step: Callable[[int, str], None]) -> None:
        self._slots = [_Slot(number, plugin) for number, plugin in enumerate(plugins)]
        self._by_path = PathTable([slot.plugin.paths for slot in self._slots])
        self._untouched = {slot.id: _NOT_APPLICABLE for slot in self._slots}
        self._of_type = lru_cache(maxsize=1024)(self._accepting)  # content can state any type
        self._overlap = max((slot.windowed.overlap for slot in self._slots if slot.windowed is not None), default=0)
        self._profile = profile
        self._step = step

    def _accepting(self, mime: str) -> tuple[list[_Slot], list[_Slot]]:
        """The plugins that look at files of a type: those that see windows, and the others."""
        fitting = [slot for slot in self._slots if slot.accepts_type(mime)]
        # What looks at records of others comes last.
        others = sorted((slot for slot in fitting if not slot.windowed), key=lambda slot: bool(slot.reads))
        return [slot for slot in fitting if slot.windowed], others

    def _accepting_path(self, slots: Iterable[_Slot], path: str, barred: Mapping[str, object]) -> list[_Slot]:
        """Those of ``slots`` that look at a file at ``path`` and are not barred on it."""
        named = self._by_path(path)
        return [slot for slot in slots if (slot.any_path or slot.number in named) and slot.id not in barred]

    def examine(
        self, subject: Subject, companions: Mapping[str, Subject], without: Iterable[Barred] = ()
    ) -> FileResult:
        """Read ``subject`` once and let every plugin look at it that accepts it, except those barred on it.

        Whatever goes wrong is part of the result.
        """
        barred = {one.plugin: one for one in without if one.entry_id == subject.entry_id}
        done = attempt(lambda: self._examine(subject, companions, barred))
        return self._failed(subject, done.words()) if isinstance(done, Failed) else done.value

    def _examine(self, subject: Subject, companions: Mapping[str, Subject], barred: Mapping[str, Barred]) -> FileResult:
        ledger = _Ledger(self._untouched.copy(), subject)
        for plugin, one in barred.items():
            if plugin in ledger.outcomes:
                ledger.end(plugin, _FAILED, one.kind, one.reason)
            else:
                ledger.doubt(one.kind, one.reason, plugin)
        reading = Reading(subject.entry.size)
        file = HostFile(subject, reading, companions)
        if "read" in barred:
            self._not_read(ledger, barred)
        elif self._read(file, reading, ledger, barred):
            self._look(file, reading, ledger, barred)
        return self._result(subject, file.type, reading, ledger)

    def examine_space(self, subject: Subject, without: Iterable[Barred] = ()) -> FileResult | None:
        """Let the plugins look at a part of unallocated space that search such; `None` if there are none."""
        slots = [slot for slot in self._slots if slot.searches_space]
        if not slots:
            return None
        barred = {one.plugin for one in without if one.entry_id == subject.entry_id}
        ledger = _Ledger(self._untouched.copy(), subject)
        file = HostFile(subject, Reading(subject.entry.size), {})
        file.type = SPACE
        for slot in slots:
            if slot.id not in barred:
                self._step(file.size, slot.id)
                _guard(slot.id, ledger, partial(slot.records, file, ledger))
        outcomes = "".join(ledger.outcomes.values())
        found, notices = tuple(ledger.found), tuple(ledger.notices)
        return FileResult(subject.entry_id, "done", subject.entry.size, SPACE, {}, outcomes, found, notices)

    def _failed(self, subject: Subject, reason: str) -> FileResult:
        """The result for an entry on which the reading itself failed."""
        ledger = _Ledger(self._untouched.copy(), subject)
        ledger.doubt(NoticeKind.FAILED, reason, "read")
        self._not_read(ledger, {})
        return self._result(subject, "", Reading(subject.entry.size), ledger)

    def _result(self, subject: Subject, mime: str, reading: Reading, ledger: "_Ledger") -> FileResult:
        status = "done" if reading.digests or not self._profile.digests else "failed"
        outcomes = "".join(ledger.outcomes.values())
        found, notices = tuple(ledger.found), tuple(ledger.notices)
        return FileResult(subject.entry_id, status, subject.entry.size, mime, reading.digests, outcomes, found, notices)

    def _not_read(self, ledger: _Ledger, barred: Mapping[str, object]) -> None:
        for slot in self._slots:
            if slot.id not in barred:
                ledger.end(slot.id, _NOT_RUN)

    def _read(self, file: HostFile, reading: Reading, ledger: _Ledger, barred: Mapping[str, object]) -> bool:
        """The single pass over the content; `False` if nothing could be read at all."""
        self._step(file.size, "read")
        scans: list[_WindowScan] = []
        try:
            for piece in self._pieces(file, reading, ledger):
                if not file.type:
                    file.type = self._type(file, reading.head)
                    slots = self._accepting_path(self._of_type(file.type)[0], file.path, barred)
                    scans = [_WindowScan(slot, ledger) for slot in slots]
                for scan in scans:
                    self._step(file.size, scan.id)
                    scan.look(file, piece)
                if not piece.last:
                    self._step(file.size, "read")
        except EvidenceError as error:
            ledger.doubt(NoticeKind.UNREADABLE, f"content not read: {error}", "read")
            self._not_read(ledger, barred)
            return False
        flaw = file.flaw
        if flaw is not None:
            reading.digests.clear()
            ledger.notices.append(flaw)
        for scan in scans:
            scan.end(bool(reading.lost or flaw))
        if reading.lost:
            parts = "; ".join(f"{p.length:,} bytes at {p.offset:,} ({p.reason})" for p in reading.lost[:5])
            message = f"{lost_bytes(reading):,} of {file.size:,} bytes could not be read: {parts}; no digests"
            ledger.doubt(NoticeKind.UNREADABLE, message, "read")
        return True

    def _type(self, file: HostFile, head: bytes) -> str:
        kind = by_table(head, file.size)
        if not kind:
            self._step(file.size, "type")
            kind = type_by_libmagic(head)
        return kind

    def _pieces(self, file: HostFile, reading: Reading, ledger: _Ledger) -> Iterable[Piece]:
        window, source = self._profile.window, file.source()
        holes = file.hole_bytes()
        if holes <= self._profile.most_hole_bytes:
            return pieces(source, file.size, self._profile.digests, window, self._overlap, reading)
        message = f"{holes:,} bytes of this sparse file are holes: only what is stored was scanned; no digests"
        ledger.doubt(NoticeKind.LIMIT, message, "read")
        return stored_pieces(source, file.stored_runs(), window, self._overlap, reading)

    def _look(self, file: HostFile, reading: Reading, ledger: _Ledger, barred: Mapping[str, object]) -> None:
        for slot in self._accepting_path(self._of_type(file.type)[1], file.path, barred):
            if slot.reads and not any(isinstance(found.record, slot.reads) for found in ledger.found):
                continue
            if slot.needs_digests and not reading.digests and self._profile.digests:
                ledger.end(slot.id, _NOT_RUN)
                continue
            self._step(file.size, slot.id)
            _guard(slot.id, ledger, partial(slot.records, file, ledger))


class _WindowScan:
    """One window scanner on one file, window after window."""

    def __init__(self, slot: _Slot, ledger: _Ledger) -> None:
        assert slot.windowed is not None  # noqa: S101 - narrows the type
        self._scanner = slot.windowed
        self.id = slot.id
        self._ledger = ledger
        self._seen: set[tuple[str, int]] = set()
        self._ok = True
        ledger.end(slot.id, _NOTHING)

    def look(self, file: File, piece: Piece) -> None:
        if not self._ok:
            return
        window = Window(file, piece.data, piece.offset, piece.overlap, piece.last)
        self._ok = _guard(self.id, self._ledger, lambda: self._new(self._scanner.scan(window)))

    def _new(self, records: Iterable[Record]) -> Iterable[Record]:
        """Drop what the overlap shows a second time, and further hits of the same name in the same file."""
        for record in records:
            key = (
                record.name if isinstance(record, Hit) else "",
                -1 if isinstance(record, Hit) else record.source.offset,
            )
            if key not in self._seen:
                self._seen.add(key)
                yield record

    def end(self, lost: bool) -> None:
        if self._ok and lost and self._ledger.outcomes[self.id] == _NOTHING:
            self._ledger.end(self.id, _FAILED)


def _asking(plugin: Plugin) -> Callable[[HostFile, _Ledger], Iterable[Record]]:
    """How a plugin is asked about a whole file."""
    if isinstance(plugin, Scanner):
        return lambda file, _: plugin.scan(file)
    if isinstance(plugin, Parser):
        return lambda file, _: plugin.parse(file)
    if isinstance(plugin, SqliteParser):
        return lambda file, ledger: _rows(plugin, file, ledger)
    if isinstance(plugin, RecordScanner):
        return lambda _, ledger: _of_records(plugin, [found.record for found in ledger.found])
    if isinstance(plugin, WindowScanner):
        return lambda _file, _ledger: ()  # it has seen all windows
    raise TypeError(f"{plugin.id} is no kind of plugin that this host knows")


def _of_records(plugin: RecordScanner, records: Iterable[Record]) -> Iterable[Record]:
    return (made for record in records if isinstance(record, plugin.reads) for made in plugin.scan(record))


def _rows(plugin: SqliteParser, file: HostFile, ledger: _Ledger) -> Iterable[Record]:
    """Rows of a database as records; a row that cannot be made one costs a notice, and the next is read."""
    beside = [file.companion(pattern.replace("{name}", file.name)) for pattern in plugin.companions]
    wal, journal = ([c.source() if c is not None and c.size else None for c in beside] + [None, None])[:2]
    with open_database(file.source(), wal, journal, file.locator) as database:
        for row in database.rows(plugin.query, plugin.table, plugin.row_id):
            made = attempt(partial(plugin.record, row))
            if isinstance(made, Failed):
                ledger.doubt(NoticeKind.FAILED, f"row not understood: {made.words()}", plugin.id, row.locator)
            elif made.value is not None:
                yield made.value


def _guard(plugin: str, ledger: _Ledger, produce: Callable[[], Iterable[Record]]) -> bool:
    """Take a plugin's records; `False` if it failed. What it had found before it failed is kept."""
    before = len(ledger.found)

    def take() -> None:
        for record in produce():
            ledger.found.append(Found(plugin, record))
            if len(ledger.found) - before >= MOST_RECORDS:
                raise SkipFile(f"stopped after {MOST_RECORDS:,} records")

    ended = attempt(take)
    if isinstance(ended, Failed):
        outcome, kind, message = _judge(ended)
        ledger.end(plugin, outcome.value, kind, message)
        return False
    if len(ledger.found) > before:
        ledger.end(plugin, _FOUND)
    elif ledger.outcomes[plugin] != _FOUND:
        ledger.end(plugin, _NOTHING)
    return True


def _judge(failed: Failed) -> tuple[Outcome, NoticeKind, str]:
    """What an error means for the (plugin, file) pair that it happened to."""
    error = failed.error
    if isinstance(error, MemoryError):
        return Outcome.FAILED, NoticeKind.LIMIT, _NO_MEMORY
    for kind_of_error, (outcome, kind) in _MEANING.items():
        if isinstance(error, kind_of_error):
            return outcome, kind, str(error)
    return Outcome.FAILED, NoticeKind.FAILED, failed.words()


# In this order: the classes of evidence errors are below one another.
_MEANING: Final[dict[type[Exception], tuple[Outcome, NoticeKind]]] = {
    SkipFile: (Outcome.SKIPPED, NoticeKind.LIMIT),
    UnsupportedSchema: (Outcome.FAILED, NoticeKind.UNSUPPORTED),
    DatabaseDamaged: (Outcome.FAILED, NoticeKind.DAMAGED),
    DatabaseEncrypted: (Outcome.FAILED, NoticeKind.ENCRYPTED),
    EvidenceError: (Outcome.FAILED, NoticeKind.UNREADABLE),
}
_NO_MEMORY: Final = "it needed more memory than a worker may take"
