"""Zip archives and everything built on them (jar, apk, docx, odt, epub): members in the order they are stored.

The central directory says which members there are. What lies between members and has a header of its own, such as
names that were taken out of the directory, is found too and marked `EntryFlag.DELETED`. Without a directory (cut
off, overwritten) all members are found by their headers. Members whose stored bytes overlap those of another are
unpacked only as long as all together claim no more stored bytes than there are: an archive of 42 kB that holds the
same bytes a hundred times under as many names is not unpacked a hundred times.

Reference: PKWARE APPNOTE.TXT 6.3.10.
"""

from collections.abc import Iterator
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.archives.job import Fault, Job
from triage.evidence.archives.member import LINK_TARGET, Member, member_path, raw_name
from triage.evidence.archives.zip_content import ZipContent, described_end
from triage.evidence.archives.zip_fields import extra_fields, name_of, owner_of, times_of
from triage.evidence.archives.zip_records import LOCAL, LOCAL_SIZE, Directory, ZipRecord, find_directory, local_record
from triage.evidence.entry import Entry, EntryFlag, EntryType
from triage.evidence.modes import entry_type
from triage.evidence.source import UnreadableBytes
from triage.notices import Notice, NoticeKind

_UNIX_HOSTS: Final = (3, 19)  # Unix, OS X
_ENCRYPTED: Final = 1
_SCAN: Final = 1 << 20


def read_zip(job: Job) -> Iterator[Member | Notice]:
    """Members and doubts of one zip archive."""
    try:
        directory = find_directory(job.window, job.limits.members)
    except EvidenceError as problem:
        yield job.notice(NoticeKind.UNREADABLE, f"its directory cannot be read: {problem}")
        directory = None
    if directory is None or (directory.missing and not len(directory)):
        said = (
            f"no central directory{': ' + directory.missing if directory else ''}; members are found by their headers"
        )
        yield job.notice(NoticeKind.TRUNCATED, said)
        yield from _Scan(job).between(0, job.source.size)
        return
    if directory.missing:
        yield job.notice(NoticeKind.DAMAGED, f"the central directory is incomplete: {directory.missing}")
    yield from _Listed(job, directory).members()


class _Listed:
    """Members by the central directory."""

    def __init__(self, job: Job, directory: Directory) -> None:
        self._job = job
        self._directory = directory
        self._content = ZipContent(job)
        self._scan = _Scan(job)
        self._left = directory.start  # stored bytes that members may claim together
        self._overlap: Notice | None = None

    def members(self) -> Iterator[Member | Notice]:
        end = 0  # of all members so far
        for count, record in enumerate(self._directory.records()):
            if count >= self._job.limits.members:
                yield self._job.too_many()
                return
            if self._job.budget.spent:
                yield self._beyond(record, count)
                continue
            if record.offset > end:
                yield from self._between(end, record.offset)
            yield from self._member(record, count, overlapping=record.offset < end)
            end = max(end, self._content.end)
        if not self._job.budget.spent:
            yield from self._between(end, self._directory.start)

    def _between(self, start: int, stop: int) -> Iterator[Member | Notice]:
        """What has a header and lies between two members."""
        # The description of the last member's data may stand first.
        for at in (start, start + 12, start + 16, start + 20, start + 24):
            if at + LOCAL_SIZE <= stop and self._read(at, 4) == LOCAL:
                yield from self._scan.between(at, stop, EntryFlag.DELETED)
                return

    def _read(self, at: int, length: int) -> bytes:
        try:
            return self._job.window.read_at(at, length)
        except EvidenceError:
            return b""  # whatever member lies here says so itself

    def _member(self, record: ZipRecord, count: int, overlapping: bool) -> Iterator[Member | Notice]:
        entry = zip_entry(record, self._job.limits.path)
        self._left -= max(record.stored, 0)
        if overlapping and self._left < 0:
            self._content.end = 0
            yield Member(entry, None, self._overlaps(len(self._directory) - count))
            return
        if record.disk not in (self._directory.disk, 0xFFFF):
            self._content.end = 0
            said = f"lies in part {record.disk + 1} of an archive in several parts"
            yield self._job.failed(entry, Fault(NoticeKind.UNSUPPORTED, said))
            return
        yield from self._content.member(record, entry)

    def _overlaps(self, left: int) -> Notice:
        if self._overlap is None:
            said = (
                "members overlap: they claim more stored bytes together than the archive has; of the last "
                f"{left:,} members those that overlap others were not unpacked"
            )
            self._overlap = self._job.notice(NoticeKind.LIMIT, said)
        return self._overlap

    def _beyond(self, record: ZipRecord, count: int) -> Member:
        entry = zip_entry(record, self._job.limits.path)
        if entry.type == EntryType.DIRECTORY:
            return Member(entry)
        if self._job.stopped is None:
            rest = [other.size for index, other in enumerate(self._directory.records()) if index >= count]
            self._job.stop(len(rest), sum(rest))
        return Member(entry, None, self._job.stopped)


class _Scan:
    """Members by their own headers."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._content = ZipContent(job)
        self._count = 0
        self.lost = 0

    def between(self, start: int, stop: int, flags: int = 0) -> Iterator[Member | Notice]:
        at = start
        while (found := self._next(at, stop)) is not None:
            self._count += 1
            if self._count > self._job.limits.members:
                yield self._job.too_many()
                return
            header = self._header(found)
            if header is None:
                at = found + 4
                continue
            record, data = header
            entry = zip_entry(record, self._job.limits.path)
            entry = entry._replace(flags=entry.flags | flags, address=f"@{found}")
            if self._job.budget.spent:
                yield Member(entry, None, self._job.stop(1, max(record.size, 0)))
                return
            yield from self._content.member(record, entry)
            end = self._content.end
            at = described_end(self._job.window, record, end) if end > data else data
        if self.lost:
            said = f"{self.lost:,} bytes could not be searched for members"
            yield self._job.notice(NoticeKind.UNREADABLE, said)
            self.lost = 0

    def _header(self, at: int) -> tuple[ZipRecord, int] | None:
        try:
            return local_record(self._job.window, at, self._count)
        except EvidenceError:
            return None

    def _next(self, at: int, stop: int) -> int | None:
        """Where the next local header may begin; what cannot be read is passed over."""
        while at + LOCAL_SIZE <= stop:
            try:
                data = self._job.window.read_at(at, min(_SCAN, stop - at))
            except UnreadableBytes as problem:
                if problem.offset > at + len(LOCAL):
                    stop_here = self._next(at, min(problem.offset, stop))
                    if stop_here is not None:
                        return stop_here
                self.lost += problem.length
                at = max(at + 1, problem.offset + problem.length)
                continue
            found = data.find(LOCAL)
            if found >= 0:
                return at + found
            if len(data) < len(LOCAL):
                return None
            at += len(data) - len(LOCAL) + 1
        return None


def zip_entry(record: ZipRecord, longest: int) -> Entry:
    """The entry that a header describes; its size as claimed."""
    fields = extra_fields(record.extra) if record.extra else {}
    name = name_of(record.name, record.flags, record.host, fields)
    path = member_path(name, record.number, longest)
    kind_of_times, times = times_of(record.dos, fields)
    mode = record.attributes >> 16 if record.host in _UNIX_HOSTS else 0
    kind = entry_type(mode) if mode & 0o170000 else EntryType.FILE
    if record.size > 0 and not (kind == EntryType.SYMLINK and record.size <= LINK_TARGET):
        kind = EntryType.FILE  # whatever it is called: there are bytes to look at
    elif kind == EntryType.UNKNOWN:
        kind = EntryType.FILE
    if name.endswith("/") and record.size <= 0:
        kind = EntryType.DIRECTORY
    uid, gid = owner_of(fields) if fields else (0, 0)
    return Entry(
        path,
        kind,
        str(record.number),
        max(record.size, 0),
        EntryFlag.ENCRYPTED if record.flags & _ENCRYPTED else 0,
        times,
        name_type=kind,
        mode=mode & 0o7777,
        uid=uid,
        gid=gid,
        raw_path=raw_name(record.name.rstrip(b"/"), path),
        container=kind_of_times,
    )
