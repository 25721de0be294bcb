"""Members of archives, examined like any other file, in the order in which the archive stores them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from triage.case.rows import Members, StoredEntry
from triage.engine.host import PluginHost
from triage.engine.hostfile import Subject
from triage.engine.members import Full, MemberFrames
from triage.engine.steps import StepNote
from triage.engine.tasks import ARCHIVE, Barred
from triage.evidence.archives.kinds import is_archive
from triage.evidence.archives.limits import ArchiveLimits, Budget
from triage.evidence.archives.member import Member, member_locator
from triage.evidence.archives.open import open_archive
from triage.evidence.entry import Entry, EntryFlag, EntryType
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

DEPTH: Final = 4
"""How deep archives in archives are opened; the outermost is at depth 1."""
AT_ONCE: Final = 4 << 20
"""Archives up to this size in bytes are gone through as soon as they are read; larger ones are work of their own."""
_INHERITED: Final = EntryFlag.DELETED | EntryFlag.META_UNALLOCATED | EntryFlag.ORPHAN


class _Level(NamedTuple):
    """An archive being read, at any depth."""

    entry: Entry
    locator: Locator
    type: str
    depth: int
    source: Callable[[], ByteSource]
    budget: Budget


class Expansion:
    """Goes through one archive of the evidence, and the archives in it."""

    def __init__(
        self,
        host: PluginHost,
        note: StepNote,
        scratch: Path,
        passwords: Sequence[str],
        without: Sequence[Barred],
        write: Callable[[Members], None],
        limits: ArchiveLimits | None = None,
    ) -> None:
        self._host = host
        self._note = note
        self._scratch = scratch
        self._passwords = passwords
        self._without = without
        self._write = write
        self._limits = limits or ArchiveLimits()

    def run(self, stored: StoredEntry, locator: Locator, mime: str, source: Callable[[], ByteSource]) -> None:
        """Examine all members of the archive ``stored``, of MIME type ``mime``."""
        self._stored = stored
        self._frames = MemberFrames(stored, self._write)
        try:
            self._level(_Level(stored.entry, locator, mime, 1, source, Budget(self._limits, stored.entry.size)))
        except Full as bound:
            self._frames.doubt(
                notice(NoticeKind.LIMIT, locator, f"{bound}: the rest of this archive was not examined", ARCHIVE)
            )
        self._frames.flush()

    def _level(self, level: _Level) -> None:
        for found in self._members(level):
            if isinstance(found, Notice):
                self._frames.doubt(found)
            else:
                self._member(level, found)

    def _members(self, level: _Level) -> Iterator[Member | Notice]:
        """The members, each unpacked as a step of its own."""
        self._begin(level.entry.size)
        name = level.entry.path.rpartition("/")[2]
        stream = open_archive(
            level.source(), level.type, name, level.locator, self._scratch, self._limits, self._passwords, level.budget
        )
        while stream is not None:
            self._begin(self._limits.member if level.depth == 1 else 0)
            found = next(stream, None)
            if found is None:
                return
            yield found

    def _begin(self, size: int) -> None:
        self._note.entry_id = self._stored.id
        self._note.begin(size, ARCHIVE)

    def _member(self, level: _Level, member: Member) -> None:
        entry = _within(level, member.entry)
        readable = member.source is not None and entry.type == EntryType.FILE
        number = self._frames.add(entry, readable)
        if not readable or member.source is None:
            if member.reason is not None:
                self._frames.doubt(member.reason)
            return
        place = partial(member_locator, level.locator, member.entry)
        self._examine(level, member.source, Subject(number, entry, place, _given(member.source), member.reason))

    def _examine(self, level: _Level, source: ByteSource, subject: Subject) -> None:
        self._note.entry_id = subject.entry_id
        result = self._host.examine(subject, {}, self._without)
        self._frames.result(result)
        if not is_archive(result.type):
            return
        budget = Budget(self._limits, source.size, level.budget)
        inner = _Level(subject.entry, subject.locator, result.type, level.depth + 1, subject.source, budget)
        if inner.depth > DEPTH:
            message = f"this archive lies in {DEPTH} others and was not opened"
            self._frames.doubt(notice(NoticeKind.LIMIT, subject.locator, message, ARCHIVE))
            return
        self._level(inner)


def whole(number: int, parts: Sequence[Members]) -> Members:
    """All parts of what was found in one archive."""
    made = Members(number, [], [], [])
    for part in parts:
        made.rows.extend(part.rows)
        made.results.extend(part.results)
        made.doubts.extend(part.doubts)
    return made


def _given(source: ByteSource) -> Callable[[], ByteSource]:
    return lambda: source


def _within(level: _Level, entry: Entry) -> Entry:
    """A member's entry as one of the evidence: its path behind that of the archive, what is deleted stays so."""
    outer = level.entry
    raw = b""
    if outer.raw_path or entry.raw_path:
        inner = entry.raw_path or entry.path.lstrip("/").encode("utf-8", "surrogatepass")
        raw = (outer.raw_path or outer.path.encode("utf-8", "surrogatepass")) + b"/" + inner
    return entry._replace(
        path=outer.path + entry.path,
        address=f"{outer.address}/{entry.address}",
        stream=outer.stream,
        raw_path=raw,
        flags=int(entry.flags | (outer.flags & _INHERITED)),
    )
