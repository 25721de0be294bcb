"""Tar archives: V7, ustar, pax and GNU, with sparse files, long names and links.

Content is read where it lies in the archive, so nothing is unpacked. Tar has check sums of its headers only; content
has none. What follows the mark of the end of the archive is looked at too: archives are put one behind the other.

References: POSIX.1-2024 ``pax`` (ustar and pax interchange formats); GNU tar manual, "Basic Tar Format" and "Storing
Sparse Files".
"""

from collections.abc import Iterator
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.archives.job import Fault, Job
from triage.evidence.archives.member import Member, member_path, raw_name
from triage.evidence.archives.tar_header import BLOCK, TarHeader, header_of, padded, tar_times
from triage.evidence.archives.tar_sparse import SparseMap, sparse_map
from triage.evidence.entry import Entry, EntryFlag, EntryType, ExtentSource
from triage.evidence.source import ByteSource, Slice
from triage.notices import Notice, NoticeKind

_MOST_WORDS: Final = 1 << 20  # bytes of extended header or long name
_HEADERS: Final = 8  # a member may have that many; each is a header of its own
_LINK: Final = b"1"
_TYPES: Final = {
    b"2": EntryType.SYMLINK,
    b"3": EntryType.CHARACTER_DEVICE,
    b"4": EntryType.BLOCK_DEVICE,
    b"5": EntryType.DIRECTORY,
    b"6": EntryType.FIFO,
    b"D": EntryType.DIRECTORY,
}
_NO_CONTENT: Final = frozenset(b"123456")


def read_tar(job: Job) -> Iterator[Member | Notice]:
    """Members and doubts of one tar archive."""
    yield from _Tar(job).members()


class _Tar:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._at = 0
        self._headers = 0
        self._count = 0
        self._ended = False
        self._global: dict[bytes, bytes] = {}
        self._next: dict[bytes, bytes] = {}

    def members(self) -> Iterator[Member | Notice]:
        try:
            while (found := self._header()) is not None:
                if isinstance(found, Notice):
                    yield found
                    continue
                self._headers += 1
                if self._count >= self._job.limits.members or self._headers > _HEADERS * self._job.limits.members:
                    yield self._job.too_many()
                    return
                yield from self._one(found)
        except EvidenceError as problem:
            yield self._job.notice(NoticeKind.UNREADABLE, f"listing ends at {self._at:,}: {problem}")

    def _header(self) -> TarHeader | Notice | None:
        """The next header; zero blocks and what is no header are passed over."""
        start, zeros = self._at, 0
        while True:
            block = self._job.window.read_at(self._at, BLOCK)
            if len(block) < BLOCK:
                return self._end(block, start, zeros)
            if block.count(0) == BLOCK:
                zeros += 1
                self._at += BLOCK
                continue
            header = header_of(block)
            if header is not None:
                break
            self._at += BLOCK
        skipped = self._at - start - zeros * BLOCK
        if skipped:
            said = f"{skipped:,} bytes from {start:,} on are neither member nor header"
            return self._job.notice(NoticeKind.DAMAGED, said)
        if zeros:
            self._global.clear()
        self._at += BLOCK
        return header

    def _end(self, block: bytes, start: int, zeros: int) -> Notice | None:
        """The end of the archive, said once if it is not as it should be."""
        if self._ended:
            return None
        self._ended = True
        strange = self._at - start - zeros * BLOCK + (len(block) if block.strip(b"\0") else 0)
        if strange and zeros:
            return self._job.notice(NoticeKind.REMARK, f"{strange:,} bytes that are no member follow the last one")
        if strange or not zeros:
            said = f"ends at {self._job.source.size:,} without the mark of its end"
            return self._job.notice(NoticeKind.TRUNCATED, said)
        return None

    def _one(self, header: TarHeader) -> Iterator[Member | Notice]:
        if header.kind in (b"x", b"g", b"X", b"L", b"K"):
            yield from self._extension(header)
            return
        words = {**self._global, **self._next}
        self._next = {}
        if header.kind in (b"V", b"M") or header.size < 0:
            said = "a volume label" if header.kind == b"V" else "the rest of a file of another volume, or of no size"
            yield self._job.notice(NoticeKind.REMARK, f"{said} at {self._at - BLOCK:,} is not listed")
            self._at += padded(max(header.size, 0)) if header.kind in (b"V", b"M") else 0
            return
        yield self._member(header, words)

    def _extension(self, header: TarHeader) -> Iterator[Notice]:
        data = self._job.window.read_at(self._at, min(max(header.size, 0), _MOST_WORDS))
        self._at += padded(max(header.size, 0))
        if len(data) < header.size:
            kind = NoticeKind.LIMIT if header.size > _MOST_WORDS else NoticeKind.TRUNCATED
            yield self._job.notice(kind, f"{header.size:,} bytes of extended header are not taken; names may be cut")
        elif header.kind == b"L":
            self._next[b"path"] = data.rstrip(b"\0")
        elif header.kind == b"K":
            self._next[b"linkpath"] = data.rstrip(b"\0")
        elif header.kind == b"g":
            self._global.update(pax_words(data))
        else:
            self._next.update(pax_words(data))

    def _member(self, header: TarHeader, words: dict[bytes, bytes]) -> Member:
        self._count += 1
        size = _number(words.get(b"size"), header.size)
        held = 0 if header.kind in (b"1", b"2", b"3", b"4", b"5", b"6") and b"size" not in words else size
        if header.kind == _LINK and header.size == 0:
            held = 0
        start = self._at
        sparse = sparse_map(self._job.window, header, words, start, held)
        self._at = (sparse.start if header.kind == b"S" and sparse else start) + padded(held)
        entry = self._entry(header, words, size)
        if not held and sparse is None:
            return Member(entry, self._nothing(entry, header))
        left = self._job.source.size - start
        fault = None
        if held > left:
            fault = Fault(
                NoticeKind.TRUNCATED, f"the archive ends within the member: {max(left, 0):,} of {held:,} bytes"
            )
            self._ended = True
        if sparse is not None:
            return self._sparse(entry, sparse, fault)
        source = Slice(self._job.source, start, held)
        entry = entry._replace(size=source.size)
        return Member(entry, source, self._job.reason(fault, entry))

    def _nothing(self, entry: Entry, header: TarHeader) -> ByteSource | None:
        empty = entry.type == EntryType.FILE and header.kind != _LINK
        return Slice(self._job.source, 0, 0) if empty else None

    def _sparse(self, entry: Entry, sparse: SparseMap, fault: Fault | None) -> Member:
        entry = entry._replace(flags=entry.flags | EntryFlag.SPARSE, size=sparse.size)
        if sparse.fault:
            return self._job.failed(entry, Fault(NoticeKind.DAMAGED, sparse.fault))
        extents = sparse.within(self._job.source.size)
        size = sum(extent.length for extent in extents)
        if size < sparse.size:
            said = f"the archive ends within the member: {size:,} of {sparse.size:,} bytes"
            fault = Fault(NoticeKind.TRUNCATED, said)
            entry = entry._replace(size=size)
        if size > self._job.budget.allowance():
            if self._job.stopped is not None:
                return Member(entry, None, self._job.stopped)
            said = f"a sparse file of {size:,} bytes is not read; bound: {self._job.budget.over()}"
            return self._job.failed(entry, Fault(NoticeKind.LIMIT, said))
        self._job.budget.charge(size)
        source = ExtentSource(self._job.source, extents)
        return Member(entry, source, self._job.reason(fault, entry))

    def _entry(self, header: TarHeader, words: dict[bytes, bytes], size: int) -> Entry:
        stored = words.get(b"GNU.sparse.name") or words.get(b"path") or header.name
        path = member_path(stored.decode("utf-8", "backslashreplace"), self._count, self._job.limits.path)
        kind = _TYPES.get(header.kind, EntryType.FILE)
        if kind == EntryType.FILE and not size and stored.endswith(b"/"):  # V7 has no type for directories
            kind = EntryType.DIRECTORY
        link = words.get(b"linkpath") or header.link if header.kind in (b"1", b"2") else b""
        container, times = tar_times(header, words)
        return Entry(
            path,
            kind,
            str(self._count),
            0 if kind in (EntryType.DIRECTORY, EntryType.SYMLINK) else size,
            0,
            times,
            name_type=kind,
            mode=header.mode & 0o7777,
            uid=_number(words.get(b"uid"), header.uid),
            gid=_number(words.get(b"gid"), header.gid),
            links=2 if header.kind == _LINK else 1,
            link_target=link[: self._job.limits.path].decode("utf-8", "backslashreplace"),
            raw_path=raw_name(stored.rstrip(b"/"), path),
            container=container,
        )


def pax_words(data: bytes) -> dict[bytes, bytes]:
    r"""The records of an extended header: ``length key=value\n``; ends at the first that is none.

    The key of sparse maps in the oldest format is repeated; those values are joined by commas.

    >>> pax_words(b"18 path=directory\n9 x=bad")
    {b'path': b'directory'}
    """
    found: dict[bytes, bytes] = {}
    pairs: list[bytes] = []
    at = 0
    while (space := data.find(b" ", at, at + 21)) > at and data[at:space].isdigit():
        end = at + int(data[at:space])
        if end > len(data) or end <= space + 1 or data[end - 1 : end] != b"\n":
            break
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            pairs.append(value)
        elif equals:
            found[key] = value
        at = end
    if pairs:
        found[b"GNU.sparse.map"] = b",".join(pairs)
    return found


def _number(word: bytes | None, otherwise: int) -> int:
    return int(word) if word and word.isdigit() and len(word) <= 19 else otherwise
