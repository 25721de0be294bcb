"""APFS volumes, through libfsapfs.

Content lies where the extents say, unless the volume is encrypted or the file compressed; then the library reads it.
Extended attributes are listed as streams (``com.apple.ResourceFork``, where a download came from, …), apart from those
of the system that have no blocks of their own, and the storage of compressed content. Not covered: deleted entries,
snapshots, volumes on Fusion drives, keys that only the hardware of the machine holds.

Format facts: "Apple File System Reference" (https://developer.apple.com/support/downloads/Apple-File-System-Reference.pdf);
``com.apple.decmpfs``: ``bsd/sys/decmpfs.h`` of XNU.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from triage.errors import CredentialError, EvidenceError
from triage.evidence.apfs_native import NativeAttribute, NativeFile, NativeVolume, doubtful_times, open_volumes
from triage.evidence.entry import HOLE, Entry, EntryFlag, EntryType, FileSystem
from triage.evidence.limits import Bounds, WalkLimits
from triage.evidence.modes import entry_type
from triage.evidence.names import name_text, raw_if_other
from triage.evidence.source import ByteSource, MemorySource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_ORIGIN: Final = "evidence.apfs"
_MAGIC: Final = b"NXSB"
_MAGIC_AT: Final = 32
_COMPRESSION: Final = "com.apple.decmpfs"
_FORK: Final = "com.apple.ResourceFork"
_IN_FORK: Final = (4, 8, 10, 12, 14)  # compression types that keep the data in the resource fork
_SYSTEM: Final = (
    "com.apple.fs.symlink",
    "com.apple.fs.firmlink",
    "com.apple.provenance",
    "com.apple.system.Security",
    "purgeable-drecs-fixed",
)


def is_apfs(source: ByteSource) -> bool:
    """Whether ``source`` starts with the superblock of an APFS container."""
    return source.read_at(_MAGIC_AT, len(_MAGIC)) == _MAGIC


@dataclass(frozen=True, slots=True)
class ApfsVolume:
    """One volume of an APFS container, perhaps locked. ``identifier`` is its UUID."""

    name: str
    identifier: str
    _native: NativeVolume
    _source: ByteSource

    @property
    def is_locked(self) -> bool:
        """Whether a password or recovery key is still needed."""
        return self._native.is_locked()

    @property
    def is_encrypted(self) -> bool:
        """Whether it was locked when the container was opened."""
        return self._native.encrypted

    def unlock(self, password: str) -> bool:
        """Try a password; true if the volume is open now. A wrong one changes nothing and another may be tried.

        Raises:
            EvidenceError: the keys on the volume cannot be read.
        """
        return self._native.unlock(password)

    def unlock_with_recovery_key(self, key: str) -> bool:
        """As `unlock`, with the personal recovery key (``XXXX-XXXX-…``)."""
        return self._native.unlock(key, recovery=True)

    def file_system(self, locator: Locator, limits: WalkLimits | None = None) -> FileSystem:
        """The file system in it.

        Raises:
            CredentialError: the volume is locked.
        """
        if self.is_locked:
            raise CredentialError(f"APFS volume {self.name!r} is locked")
        return ApfsFileSystem(self._native, self._source, locator, limits or WalkLimits())


def apfs_volumes(source: ByteSource) -> list[ApfsVolume]:
    """The volumes of the APFS container at the start of ``source``, in the order of the container.

    Raises:
        EvidenceError: it is no APFS container, or a damaged one.
    """
    return [ApfsVolume(native.name, native.identifier, native, source) for native in open_volumes(source)]


class ApfsFileSystem(FileSystem):
    """One open APFS volume. `Entry.address` is the inode's object identifier; extents point into the container."""

    type = "apfs"

    def __init__(self, volume: NativeVolume, source: ByteSource, locator: Locator, limits: WalkLimits) -> None:
        self.source: ByteSource = source
        self.locator = locator
        self.label = volume.name
        self._volume = volume
        self._limits = limits

    def walk(self) -> Iterator[Entry | Notice]:
        """See `FileSystem.walk`."""
        said = "deleted entries and snapshots are not listed on APFS"
        yield notice(NoticeKind.REMARK, self.locator, said, _ORIGIN)
        if doubt := doubtful_times():
            yield notice(NoticeKind.REMARK, self.locator, doubt, _ORIGIN)
        bounds = Bounds(self._limits, self.locator, _ORIGIN)
        try:
            root = self._volume.root()
            bounds.refuse("/", 0, root.identifier)
        except EvidenceError as error:
            yield notice(NoticeKind.DAMAGED, self.locator, str(error), _ORIGIN)
            return
        stack = [("", root, 0)]
        while stack:
            path, directory, depth = stack.pop()
            below: list[tuple[str, NativeFile, int]] = []
            for item, native in self._directory(path, directory):
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
                    below.append((item.path, native, depth + 1))
            stack.extend(reversed(below))

    def open(self, entry: Entry) -> ByteSource:
        """See `FileSystem.open`: file content, the target of a symbolic link, or the value of an attribute."""
        if not entry.address.isdecimal():
            raise EvidenceError(f"{entry.path}: {entry.address!r} is no APFS object identifier")
        native = self._volume.file(int(entry.address))
        if entry.stream:
            return native.content(entry.path, entry.stream)
        kind = entry_type(native.mode())
        if kind == EntryType.SYMLINK:
            return MemorySource(native.link_target().encode("utf-8", "surrogatepass"))
        if kind != EntryType.FILE:
            raise EvidenceError(f"{entry.path}: only files, links and attributes have content")
        return native.content(entry.path)

    def _directory(self, path: str, directory: NativeFile) -> Iterator[tuple[Entry | Notice, NativeFile]]:
        where = replace(self.locator, path=path or "/")
        first: EvidenceError | None = None
        count = 0
        for child in directory.children():
            if isinstance(child, EvidenceError):
                first, count = first or child, count + 1
                continue
            try:
                entries = self._entries(path, child)
            except EvidenceError as error:
                first, count = first or error, count + 1
                continue
            for entry in entries:
                yield entry, child
        if first is not None:
            said = f"{count} entries of this directory cannot be read; the first: {first}"
            yield notice(NoticeKind.DAMAGED, where, said, _ORIGIN), directory

    def _entries(self, path: str, native: NativeFile) -> list[Entry | Notice]:
        """The entry of a file and those of its attributes.

        Raises:
            EvidenceError: not even the entry can be made.
        """
        raw = native.name().encode("utf-8", "surrogatepass")
        text = f"{path}/{name_text(raw)}"
        mode = native.mode()
        kind = entry_type(mode)
        target = native.link_target() if kind == EntryType.SYMLINK else ""
        uid, gid = native.owner()
        entry = Entry(
            path=text,
            type=kind,
            address=str(native.identifier),
            size=len(target.encode("utf-8", "surrogatepass")) if target else native.size(),
            times=native.times(),
            name_type=kind,
            mode=mode & 0o7777,
            uid=uid,
            gid=gid,
            links=1 if kind == EntryType.DIRECTORY else native.links(),
            link_target=target,
            raw_path=raw_if_other(path.encode("utf-8", "surrogatepass") + b"/" + raw, text),
        )
        try:
            attributes = list(native.attributes())
        except EvidenceError as error:
            where = replace(self.locator, path=text, address=entry.address)
            said = f"extended attributes cannot be read, nor said whether the file is compressed: {error}"
            return [entry, notice(NoticeKind.DAMAGED, where, said, _ORIGIN)]
        compressed = next((a for a in attributes if a.name == _COMPRESSION), None)
        if compressed is not None and kind == EntryType.FILE:
            entry = entry._replace(flags=entry.flags | EntryFlag.COMPRESSED)
        elif kind == EntryType.FILE:
            entry = self._placed(entry, native)
        streams = [a for a in attributes if _is_content(a, compressed)]
        return [entry, *(self._stream(entry, attribute) for attribute in streams)]

    def _placed(self, entry: Entry, native: NativeFile) -> Entry:
        extents = None if self._volume.encrypted else native.extents()
        if extents is None or any(at != HOLE and at + length > self.source.size for at, length in extents):
            return entry
        holes = any(extent.offset == HOLE for extent in extents)
        return entry._replace(extents=extents, flags=entry.flags | (EntryFlag.SPARSE if holes else 0))

    def _stream(self, entry: Entry, attribute: NativeAttribute) -> Entry:
        return entry._replace(
            type=EntryType.FILE,
            size=attribute.size,
            flags=0,
            extents=None if self._volume.encrypted else attribute.extents,
            stream=attribute.name,
            link_target="",
        )


def _is_content(attribute: NativeAttribute, compressed: NativeAttribute | None) -> bool:
    """Whether an attribute is listed as a stream."""
    if attribute.own_blocks and not (attribute.name == _FORK and _fork_is_storage(compressed)):
        return True
    return attribute.name not in (*_SYSTEM, _COMPRESSION, _FORK) or (attribute.name == _FORK and compressed is None)


def _fork_is_storage(compressed: NativeAttribute | None) -> bool:
    """Whether the resource fork holds the compressed content, by the type in ``com.apple.decmpfs``."""
    return compressed is not None and int.from_bytes(compressed.head[4:8], "little") in _IN_FORK
