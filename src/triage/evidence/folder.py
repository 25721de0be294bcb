"""A folder on a mounted file system as evidence: an unpacked extraction, a mounted phone, a disk in the field.

Links are entries and are not followed, pipes, sockets and devices are entries and are not opened, other file systems
mounted below are named and not entered. Only what the system shows is seen: no deleted names, no unallocated space, and
on Windows no alternate data streams.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from triage.errors import EvidenceError
from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType, Evidence, FileSystem, Volume
from triage.evidence.files import bad_sectors, read_exactly
from triage.evidence.folder_access import Directory, directory, is_link, open_file
from triage.evidence.limits import Bounds, WalkLimits
from triage.evidence.modes import entry_type
from triage.evidence.names import name_text, raw_if_other
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_ORIGIN: Final = "evidence.folder"
_SPARSE_FROM: Final = 64 << 10  # bytes not allocated; below, file systems keep small files in their metadata
_SECTOR: Final = 512  # unit of st_blocks everywhere


def open_folder(path: Path, label: str) -> Evidence:
    """The evidence that all names below ``path`` are. A link given as ``path`` itself is followed, nothing else is.

    Raises:
        EvidenceError: it is no directory, or cannot be listed.
    """
    try:
        root = path.resolve(strict=True)
        with directory(root, ()) as opened:
            opened.names()
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise EvidenceError(f"{path}: cannot be listed: {error}") from error
    system = FolderFileSystem(root, Locator(label))
    volume = Volume("", "folder", 0, 0, "open", str(root), file_systems=(system,))
    return Evidence(label, path, "folder", 0, (), volumes=(volume,))


class FolderFileSystem(FileSystem):
    """All names below a folder. `Entry.address` is the inode number that the system gives."""

    type = "folder"

    def __init__(self, root: Path, locator: Locator, limits: WalkLimits | None = None) -> None:
        self.locator = locator
        self._root = root
        self._limits = limits or WalkLimits()

    def walk(self) -> Iterator[Entry | Notice]:
        """See `FileSystem.walk`; names of a directory in the order of their bytes."""
        bounds = Bounds(self._limits, self.locator, _ORIGIN)
        try:
            top = self._root.stat()
        except OSError as error:
            yield self._unreadable("/", error)
            return
        bounds.refuse("/", 0, _identity(top, bounds))
        stack: list[tuple[str, bytes, int]] = [("", b"", 0)]
        while stack:
            path, raw_path, depth = stack.pop()
            below: list[tuple[str, bytes, int]] = []
            for item, status in self._directory(path, raw_path):
                if isinstance(item, Notice) or status is None:
                    yield item
                    continue
                if bounds.full():
                    yield bounds.stop()
                    return
                yield item
                if item.type != EntryType.DIRECTORY:
                    continue
                refused = self._mounted(item, status, top) or bounds.refuse(
                    item.path, depth + 1, _identity(status, bounds)
                )
                if refused is not None:
                    yield refused
                else:
                    below.append((item.path, _raw(item), depth + 1))
            stack.extend(reversed(below))

    def open(self, entry: Entry) -> ByteSource:
        """See `FileSystem.open`: the file is opened at the first read, and must still be what was listed."""
        parts = _parts(_raw(entry))
        if not parts or any(part in ("", ".", "..") for part in parts) or entry.stream:
            raise EvidenceError(f"{entry.path}: no such file in this folder")
        if entry.type == EntryType.SYMLINK:
            return MemorySource(self._link(parts, entry))
        if entry.type != EntryType.FILE:
            raise EvidenceError(f"{entry.path}: only files and links have content")
        return FolderFile(self._root, parts, entry)

    def _link(self, parts: tuple[str, ...], entry: Entry) -> bytes:
        try:
            with directory(self._root, parts[:-1]) as opened:
                return os.fsencode(opened.link_target(parts[-1]))
        except OSError as error:
            raise EvidenceError(f"{entry.path}: the link cannot be read: {error.strerror or error}") from error

    def _directory(self, path: str, raw_path: bytes) -> Iterator[tuple[Entry | Notice, os.stat_result | None]]:
        try:
            with directory(self._root, _parts(raw_path)) as opened:
                for name in opened.names():
                    raw = os.fsencode(name)
                    text = f"{path}/{name_text(raw)}"
                    try:
                        status = opened.status(name)
                        yield _entry(opened, name, text, raw_if_other(raw_path + b"/" + raw, text), status), status
                    except OSError as error:
                        yield self._unreadable(text, error), None
        except OSError as error:
            yield self._unreadable(path or "/", error), None

    def _mounted(self, entry: Entry, status: os.stat_result, top: os.stat_result) -> Notice | None:
        if status.st_dev == top.st_dev:
            return None
        said = "another file system is mounted here: not entered, give it as evidence of its own"
        where = replace(self.locator, path=entry.path, address=entry.address)
        return notice(NoticeKind.NOT_EXAMINED, where, said, _ORIGIN)

    def _unreadable(self, path: str, error: OSError) -> Notice:
        where = replace(self.locator, path=path)
        return notice(NoticeKind.UNREADABLE, where, f"cannot be listed: {error.strerror or error}", _ORIGIN)


class FolderFile(ByteSource):
    """The content of one file below a folder."""

    def __init__(self, root: Path, parts: tuple[str, ...], entry: Entry) -> None:
        self._root = root
        self._parts = parts
        self._entry = entry
        self._handle: BinaryIO | None = None
        self.size = entry.size

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`; a file that changed, shrank or went away since it was listed is unreadable."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        handle = self._handle
        if handle is None:
            handle = self._handle = self._open()
        try:
            data = read_exactly(handle, offset, length)
        except OSError as problem:
            raise bad_sectors(self._root.joinpath(*self._parts), handle, offset, length, problem) from problem
        if len(data) < length:
            at = offset + len(data)
            raise UnreadableBytes(f"{self._entry.path}: the file became shorter while it was read", at, self.size - at)
        return data

    def close(self) -> None:
        """See `ByteSource.close`."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _open(self) -> BinaryIO:
        try:
            descriptor = open_file(self._root, self._parts)
        except FileNotFoundError as error:
            raise self._lost("vanished after it was listed") from error
        except OSError as error:
            raise self._lost(f"cannot be opened: {error.strerror or error}") from error
        handle = os.fdopen(descriptor, "rb", buffering=0)
        change = self._change(os.fstat(descriptor))
        if change:
            handle.close()
            raise self._lost(f"changed after it was listed: {change}")
        return handle

    def _change(self, status: os.stat_result) -> str:
        entry = self._entry
        if not stat.S_ISREG(status.st_mode):
            return "it is no file any more"
        if str(status.st_ino) != entry.address:
            return "another file has its name"
        if status.st_size != entry.size:
            return f"it had {entry.size} bytes and has {status.st_size}"
        return "" if status.st_mtime_ns == entry.times.modified else "it was written to"

    def _lost(self, message: str) -> UnreadableBytes:
        return UnreadableBytes(f"{self._entry.path}: {message}", 0, self.size)


def _entry(opened: Directory, name: str, path: str, raw_path: bytes, status: os.stat_result) -> Entry:
    kind = EntryType.SYMLINK if is_link(status) else entry_type(status.st_mode)
    target = opened.link_target(name) if kind == EntryType.SYMLINK else ""
    # Devices may report the size of what they stand for.
    size = status.st_size if kind in (EntryType.FILE, EntryType.DIRECTORY) else len(os.fsencode(target))
    allocated = getattr(status, "st_blocks", None)
    sparse = kind == EntryType.FILE and allocated is not None and size - allocated * _SECTOR >= _SPARSE_FROM
    return Entry(
        path=path,
        type=kind,
        address=str(status.st_ino),
        size=size,
        flags=EntryFlag.SPARSE if sparse else 0,
        times=_times(status),
        name_type=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        links=status.st_nlink,
        link_target=target.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"),
        raw_path=raw_path,
    )


def _times(status: os.stat_result) -> EntryTimes:
    """The four times; what Windows calls ctime is the creation, and the birth time of Linux is not told to Python."""
    born: int | None = getattr(status, "st_birthtime_ns", None)
    seconds: float | None = getattr(status, "st_birthtime", None)
    if born is None and seconds is not None:
        born = round(seconds * 1_000_000) * 1000  # a double carries microseconds of today
    changed: int | None = status.st_ctime_ns
    if os.name == "nt":
        born, changed = born or changed, None
    return EntryTimes(status.st_mtime_ns, status.st_atime_ns, changed, born)


def _identity(status: os.stat_result, bounds: Bounds) -> int:
    """What tells directories apart; some file systems on Windows have no inode numbers, and no loops either."""
    return status.st_ino or -1 - bounds.count


def _raw(entry: Entry) -> bytes:
    return entry.raw_path or entry.path.encode("utf-8", "surrogatepass")


def _parts(raw_path: bytes) -> tuple[str, ...]:
    return tuple(os.fsdecode(part) for part in raw_path.split(b"/")[1:])
