"""File systems that The Sleuth Kit reads: NTFS, FAT, exFAT, ext, HFS+, ISO 9660 and UFS.

The walk gives what ``fls -r -m`` gives: live and deleted names, streams, virtual files, and metadata without a name
under ``/$OrphanFiles``. Every name of a file is listed; a directory is entered once.

Deleted files: on FAT and exFAT, TSK takes the clusters from the first on that are free now; on NTFS the record keeps
its runs. On ext3 and ext4 nothing is kept: such entries carry `EntryFlag.NO_CONTENT`, and one notice at the end counts
them, because one for each would fill a store with what the flag says already.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, islice
from operator import itemgetter
from typing import Final, Protocol

from triage.errors import EvidenceError
from triage.evidence import tsk_native
from triage.evidence.entry import Entry, EntryFlag, EntryType, ExtentSource, FileSystem, OpenOptions
from triage.evidence.limits import Bounds, WalkLimits
from triage.evidence.names import name_text, raw_if_other
from triage.evidence.ntfs_runs import NotPlain
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.evidence.tsk_entry import EntryMaker, is_directory
from triage.evidence.tsk_native import Name, NativeContent, NativeFileSystem, Problem
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

ORIGIN: Final = "evidence.tsk"
_ORPHANS: Final = "$OrphanFiles"
_DOTS: Final = frozenset({b".", b".."})
_NO_CONTENT: Final = int(EntryFlag.NO_CONTENT)
_MAY_BE_DIRECTORY: Final = frozenset({EntryType.DIRECTORY, EntryType.VIRTUAL_DIRECTORY, EntryType.UNKNOWN})


def detect(source: ByteSource, locator: Locator, options: OpenOptions) -> tuple[FileSystem, ...]:  # noqa: ARG001
    """Every file system at offset 0 of ``source`` that TSK reads, in a fixed order.

    Two may share a source; the second and later get ``~type`` behind the volume in their locator, so that locators
    stay unique.
    """
    found: list[FileSystem] = []
    for native in tsk_native.open_all(source):
        where = replace(locator, volume=f"{locator.volume}~{native.type}") if found else locator
        found.append(TskFileSystem(native, source, where))
    return tuple(found)


class _Folder:
    """A directory that is being walked."""

    __slots__ = ("address", "failed", "names", "orphan", "path", "raw_path")

    def __init__(
        self, names: Iterator[Name | Problem], address: int, path: str = "", raw_path: bytes = b"", orphan: bool = False
    ) -> None:
        self.address = address
        self.failed = False
        self.names = names
        self.path = path
        self.raw_path = raw_path
        self.orphan = orphan

    def place(self, raw: bytes) -> tuple[str, bytes]:
        """Path and raw path of the name ``raw`` in this directory."""
        if not self.raw_path and raw.isascii() and b"/" not in raw and b"\0" not in raw:
            return f"{self.path}/{raw.decode()}", b""  # as nearly all names are
        text = name_text(raw)
        if self.raw_path or raw_if_other(raw, text):
            above = self.raw_path or self.path.encode("utf-8", "surrogatepass")
            return f"{self.path}/{text}", above + b"/" + raw
        return f"{self.path}/{text}", b""


class _Reader(Protocol):
    """What the walk asks for the names of a volume: TSK, or what gives the same."""

    root: int
    orphans: int

    def directory(self, address: int) -> Iterator[Name | Problem]:
        """The names in a directory."""


_Maker = Callable[[Name, str, bytes, bool], list[Entry]]


class TskFileSystem(FileSystem):
    """One file system that TSK has opened.

    ``sweep`` false leaves walks over NTFS to TSK from the start. ``left_to_tsk`` tells why the last one was not, or not
    to its end, a `NtfsSweep`; empty if it was one.
    """

    def __init__(
        self,
        native: NativeFileSystem,
        source: ByteSource,
        locator: Locator,
        limits: WalkLimits | None = None,
        sweep: bool = True,
    ) -> None:
        self.type = native.type
        self.source: ByteSource = source
        self.locator = locator
        self._native = native
        self._size = source.size
        self._limits = limits or WalkLimits()
        self._maker = EntryMaker(native, source)
        self._sweep = sweep and native.type == "ntfs"
        self.left_to_tsk = ""

    def walk(self) -> Iterator[Entry | Notice]:
        """See `FileSystem.walk`; the order is that of the directories on disk, depth first."""
        claimed = self._native.block_count * self._native.block_size
        if claimed > self._size:
            text = f"the file system has {claimed} bytes, of which the volume holds {self._size}"
            yield notice(NoticeKind.TRUNCATED, self.locator, text, ORIGIN)
        forgotten = 0
        for item in self._items():
            if isinstance(item, Entry) and item.flags & _NO_CONTENT:
                forgotten += 1
            yield item
        if forgotten:
            text = f"{forgotten} deleted entries whose content the file system no longer tells where to find"
            yield notice(NoticeKind.NOT_RECOVERABLE, self.locator, text, ORIGIN)

    def _items(self) -> Iterator[Entry | Notice]:
        """All entries, found in the fastest way that gives what TSK gives."""
        given = count()
        self.left_to_tsk = ""
        if self._sweep:
            # Only here, because numpy takes longer to load than a small volume to walk.
            from triage.evidence.ntfs_sweep import NtfsSweep

            try:
                sweep = NtfsSweep(self._native, self.source, self._maker)
                yield from map(itemgetter(0), zip(self._names(sweep, sweep.entries), given, strict=False))
            except NotPlain as reason:
                self.left_to_tsk = str(reason)
            else:
                return
        # What a sweep gave before it ended is what TSK gives first.
        yield from islice(self._names(self._native, self._maker.entries), next(given), None)

    def _names(self, native: _Reader, make: _Maker) -> Iterator[Entry | Notice]:
        """All entries, by what ``native`` finds in the directories."""
        bounds = Bounds(self._limits, self.locator, ORIGIN)
        listed = 0
        bounds.refuse("/", 0, native.root)
        stack = [_Folder(native.directory(native.root), native.root)]
        freed: set[int] = set()
        while stack:
            folder = stack[-1]
            for found in folder.names:
                if isinstance(found, Problem):
                    folder.failed = True
                    yield self._problem(folder.path, found)
                    continue
                raw, meta = found.name, found.meta
                if raw in _DOTS and (meta is None or meta.type != EntryType.FILE):
                    continue
                listed += 1
                if listed > bounds.limits.entries:
                    yield bounds.stop()
                    return
                if meta is not None and meta.flags & tsk_native.META_UNALLOCATED:
                    freed.add(found.address)
                path, raw_path = folder.place(raw)
                yield from make(found, path, raw_path, folder.orphan)
                if found.type in _MAY_BE_DIRECTORY and self._leads_on(found):
                    refusal = bounds.refuse(path, len(stack), found.address)
                    if refusal is None:
                        orphan = folder.orphan or found.address == native.orphans
                        stack.append(_Folder(native.directory(found.address), found.address, path, raw_path, orphan))
                        break
                    yield refusal
            else:
                stack.pop()
                if folder.failed and folder.address in (native.root, native.orphans):
                    yield from self._instead(folder, freed, stack)

    def _instead(self, failed: _Folder, freed: set[int], stack: list[_Folder]) -> Iterator[Entry]:
        """Go through the table of metadata where TSK cannot: it finds no orphans if one directory is damaged.

        Without a readable root directory, everything is an orphan.
        """
        native = self._native
        is_root = failed.address == native.root
        path = f"/{_ORPHANS}"
        if is_root:
            address, flags = str(native.orphans), int(EntryFlag.VIRTUAL)
            yield Entry(path, EntryType.VIRTUAL_DIRECTORY, address, 0, flags, name_type=EntryType.VIRTUAL_DIRECTORY)
        stack.append(_Folder(native.unnamed(freed, is_root), -1, path, b"", True))

    @staticmethod
    def _leads_on(found: Name) -> bool:
        """Whether ``found`` is a directory to enter: live, or deleted with metadata that nobody else uses now."""
        meta = found.meta
        if meta is None or not is_directory(found):
            return False
        return not found.flags & tsk_native.NAME_UNALLOCATED or bool(meta.flags & tsk_native.META_UNALLOCATED)

    def _problem(self, path: str, problem: Problem) -> Notice:
        kind = NoticeKind.UNREADABLE if problem.unreadable else NoticeKind.DAMAGED
        return notice(kind, replace(self.locator, path=path or "/"), f"directory: {problem.text}", ORIGIN)

    def open(self, entry: Entry) -> ByteSource:
        """See `FileSystem.open`."""
        parts = entry.address.split("-")
        if entry.flags & _NO_CONTENT:
            raise EvidenceError(f"{entry.path}: the file system does not tell where the content of this entry is")
        try:
            numbers = [int(part) for part in parts]
        except ValueError as problem:
            raise EvidenceError(f"{entry.path}: {entry.address!r} is not an address of TSK") from problem
        hidden = self._maker.hidden(numbers[0], entry.size)
        if hidden is not None:
            if hidden[1] is None:
                raise EvidenceError(f"{entry.path}: the block pointers of inode {numbers[0]} make no sense")
            return ExtentSource(self.source, hidden[1])
        attribute = (numbers[1], numbers[2]) if len(numbers) == 3 else None
        return _Content(self._native.content(numbers[0], attribute), entry.size)


class _Content(ByteSource):
    """Content that TSK reads."""

    def __init__(self, native: NativeContent, size: int) -> None:
        self._native = native
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        data = self._native.read(offset, length)
        if len(data) < length:
            raise UnreadableBytes("TSK knows no more of this file's content", offset + len(data), length - len(data))
        return data[:length]
