"""XFS file systems, read by our own code.

Not through libfsxfs (which dfvfs uses): measured on a volume that Linux had written, it could not read a file of 2,000
extents (and lost its name), lost every name that is not UTF-8, and gave ``XSLM`` as the target of long symbolic links.
The kernel and ``xfs_db`` are what `tests/real/test_vfs.py` compares this with.

Extents are always known, so `XfsFileSystem.open` and `Entry.extents` lead to the same bytes. Extended attributes of
users (``user.…``, in which Samba also keeps the alternate data streams of Windows) are listed as streams; attributes
that only hold access labels are not, unless they are too large for that. Not covered: names and inodes deleted for
good, the journal (it is not replayed), content on a separate real-time device, checksums of metadata.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.entry import HOLE, Entry, EntryFlag, EntryType, ExtentSource, FileSystem
from triage.evidence.limits import Bounds, WalkLimits
from triage.evidence.names import name_text, raw_if_other
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes
from triage.evidence.xfs_format import SUPERBLOCK_SIZE, Geometry, Inode, Name, parse_superblock
from triage.evidence.xfs_volume import XfsVolume
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_ORIGIN: Final = "evidence.xfs"
_ORPHANS: Final = "/$OrphanFiles"
_BUDGET_FLOOR: Final = 64 << 20
_BUDGET_SHARE: Final = 4  # times the size of the volume, for names that lead to one inode many times
_STORED_EXTENTS: Final = 100_000
"""A file of more pieces keeps them out of its entry and is read through `XfsFileSystem.open`."""


def open_xfs(source: ByteSource, locator: Locator, limits: WalkLimits | None = None) -> "XfsFileSystem | None":
    """The XFS file system at the start of ``source``, or `None` if there is none."""
    geometry = parse_superblock(source.read_at(0, SUPERBLOCK_SIZE))
    return None if geometry is None else XfsFileSystem(source, locator, geometry, limits or WalkLimits())


class XfsFileSystem(FileSystem):
    """One XFS volume. `Entry.address` is the inode number."""

    type = "xfs"

    def __init__(self, source: ByteSource, locator: Locator, geometry: Geometry, limits: WalkLimits) -> None:
        self.source: ByteSource = source
        self.locator = locator
        self.label = geometry.label
        self._geometry = geometry
        self._limits = limits

    def walk(self) -> Iterator[Entry | Notice]:
        """See `FileSystem.walk`: live names in stored order, then files that were deleted while open."""
        yield from self._remarks()
        volume = self._volume()
        bounds = Bounds(self._limits, self.locator, _ORIGIN)
        bounds.refuse("/", 0, self._geometry.root)
        stack: list[tuple[str, bytes, int, int]] = [("", b"", self._geometry.root, 0)]
        while stack:
            path, raw_path, number, depth = stack.pop()
            below: list[tuple[str, bytes, int, int]] = []
            for item in self._directory(volume, path, raw_path, number):
                if volume.spent:
                    said = "the structures of this XFS ask for more reads than a sound volume needs: the walk ends here"
                    yield notice(NoticeKind.LIMIT, self.locator, said, _ORIGIN)
                    return
                if isinstance(item, Notice):
                    yield item
                    continue
                if bounds.full():
                    yield bounds.stop()
                    return
                yield item
                if item.type != EntryType.DIRECTORY or item.stream:
                    continue
                refused = bounds.refuse(item.path, depth + 1, int(item.address))
                if refused is not None:
                    yield refused
                else:
                    below.append((item.path, item.raw_path or item.path.encode(), int(item.address), depth + 1))
            stack.extend(reversed(below))
        yield from self._orphans(volume)

    def open(self, entry: Entry) -> ByteSource:
        """See `FileSystem.open`: file content, the target of a symbolic link, or the value of an attribute."""
        if not entry.address.isdecimal():
            raise EvidenceError(f"{entry.path}: {entry.address!r} is no XFS inode number")
        volume = self._volume()
        inode = volume.inode(int(entry.address))
        if entry.stream:
            for attribute in volume.attributes(inode):
                if name_text(attribute.name) == entry.stream:
                    return MemorySource(attribute.value)
            raise EvidenceError(f"{entry.path}: no attribute {entry.stream}")
        if inode.type == EntryType.SYMLINK:
            return MemorySource(volume.link_target(inode))
        if inode.type != EntryType.FILE:
            raise EvidenceError(f"{entry.path}: only files, links and attributes have content")
        return ExtentSource(self.source, volume.extents(inode))

    def _volume(self) -> XfsVolume:
        return XfsVolume(self.source, self._geometry, max(_BUDGET_FLOOR, _BUDGET_SHARE * self.source.size))

    def _remarks(self) -> Iterator[Notice]:
        said = "deleted entries are not listed on XFS, and its journal is not replayed"
        yield notice(NoticeKind.REMARK, self.locator, said, _ORIGIN)
        claimed = self._geometry.blocks * self._geometry.block_size
        if claimed > self.source.size:
            said = f"the file system has {claimed} bytes, the volume ends after {self.source.size}"
            yield notice(NoticeKind.TRUNCATED, self.locator, said, _ORIGIN)
        if self._geometry.unknown_features:
            said = f"unknown XFS feature bits {self._geometry.unknown_features:#x}; what is listed may be incomplete"
            yield notice(NoticeKind.UNSUPPORTED, self.locator, said, _ORIGIN)

    def _directory(self, volume: XfsVolume, path: str, raw_path: bytes, number: int) -> Iterator[Entry | Notice]:
        where = replace(self.locator, path=path or "/", address=str(number))
        try:
            inode = volume.inode(number)
        except EvidenceError as error:
            yield _doubt(where, error)
            return
        first: EvidenceError | None = None
        count = 0
        for name in volume.names(inode):
            if isinstance(name, EvidenceError):
                first, count = first or name, count + 1
                continue
            text = f"{path}/{name_text(name.raw)}"
            raw = raw_path + b"/" + name.raw
            yield from self._named(volume, name, text, raw_if_other(raw, text))
        if first is not None:
            more = f" (and {count - 1} more such places)" if count > 1 else ""
            yield _doubt(where, first, f"names in this directory are missing: {first}{more}")

    def _named(self, volume: XfsVolume, name: Name, path: str, raw_path: bytes) -> Iterator[Entry | Notice]:
        try:
            inode = volume.inode(name.inode)
        except EvidenceError as error:
            yield Entry(path, EntryType.UNKNOWN, str(name.inode), 0, name_type=name.type, raw_path=raw_path)
            yield _doubt(replace(self.locator, path=path, address=str(name.inode)), error)
            return
        yield from self._entries(volume, inode, path, raw_path, name.type, 0)

    def _entries(
        self, volume: XfsVolume, inode: Inode, path: str, raw_path: bytes, name_type: str, flags: int
    ) -> Iterator[Entry | Notice]:
        """The entry of an inode and those of its attributes."""
        entry = Entry(
            path=path,
            type=inode.type,
            address=str(inode.number),
            size=inode.size,
            flags=flags,
            times=inode.times,
            name_type=name_type,
            mode=inode.mode & 0o7777,
            uid=inode.uid,
            gid=inode.gid,
            links=inode.links,
            raw_path=raw_path,
        )
        doubts: list[Notice] = []
        try:
            entry = _with_content(volume, inode, entry)
        except EvidenceError as error:
            doubts.append(_doubt(self._of(entry), error))
        yield entry
        try:
            for attribute in volume.attributes(inode):
                if attribute.remote or attribute.name.startswith(b"user."):
                    stream = name_text(attribute.name)
                    # The attribute is a file of its own to whoever reads it, whatever carries it.
                    yield entry._replace(
                        type=EntryType.FILE, size=len(attribute.value), extents=None, stream=stream, link_target="",
                        flags=entry.flags & ~EntryFlag.SPARSE,
                    )  # fmt: skip
        except EvidenceError as error:
            doubts.append(_doubt(self._of(entry), error, f"attributes are missing: {error}"))
        yield from doubts

    def _of(self, entry: Entry) -> Locator:
        return replace(self.locator, path=entry.path, address=entry.address)

    def _orphans(self, volume: XfsVolume) -> Iterator[Entry | Notice]:
        for item in volume.unlinked():
            if isinstance(item, EvidenceError):
                yield _doubt(self.locator, item)
                continue
            try:
                inode = volume.inode(item)
            except EvidenceError as error:
                yield _doubt(replace(self.locator, address=str(item)), error)
                continue
            path = f"{_ORPHANS}/OrphanFile-{item}"
            yield from self._entries(volume, inode, path, b"", "", EntryFlag.DELETED | EntryFlag.ORPHAN)


def _with_content(volume: XfsVolume, inode: Inode, entry: Entry) -> Entry:
    """``entry`` with its extents or link target."""
    if inode.type == EntryType.SYMLINK:
        return entry._replace(link_target=volume.link_target(inode).decode("utf-8", "backslashreplace"))
    if inode.type != EntryType.FILE:
        if inode.mode == 0:
            raise EvidenceError(f"the name leads to XFS inode {inode.number}, which is free")
        return entry
    extents = volume.extents(inode)
    holes = any(extent.offset == HOLE for extent in extents)
    flags = entry.flags | (EntryFlag.SPARSE if holes else 0)
    return entry._replace(extents=extents if len(extents) <= _STORED_EXTENTS else None, flags=flags)


def _doubt(where: Locator, error: EvidenceError, message: str = "") -> Notice:
    kind = NoticeKind.UNREADABLE if isinstance(error, UnreadableBytes) else NoticeKind.DAMAGED
    return notice(kind, where, message or str(error), _ORIGIN)
