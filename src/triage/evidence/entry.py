"""What evidence is made of: volumes, file systems in them, and entries in those."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from itertools import accumulate
from pathlib import Path
from typing import ClassVar, NamedTuple

from triage.evidence.source import ByteSource, UnreadableBytes
from triage.locator import Locator
from triage.notices import Notice

HOLE = -1
"""Offset of an `Extent` that is stored nowhere and reads as zeros."""


class Extent(NamedTuple):
    """A run of a file's bytes: ``offset`` in `FileSystem.source` (or `HOLE`) and ``length``, both in bytes."""

    offset: int
    length: int


class EntryFlag(IntFlag):
    """Properties of an entry's name, metadata or storage."""

    DELETED = 1
    """The name is not allocated."""
    META_UNALLOCATED = 2
    """The metadata (inode, MFT record) is not allocated."""
    ORPHAN = 4
    """Metadata without any name that leads to it; the path is made up by the reader (``/$OrphanFiles/…``)."""
    REALLOCATED = 8
    """A deleted name whose metadata now belongs to another file: the content is not that of this name."""
    RESIDENT = 16
    SPARSE = 32
    COMPRESSED = 64
    ENCRYPTED = 128
    """Encrypted by the file system (EFS, fscrypt): content is ciphertext."""
    VIRTUAL = 256
    """Made up by the reader (``$MBR``, ``$FAT1``, ``$OrphanFiles``); not a file of the user."""
    NO_CONTENT = 512
    """The file system no longer says where the content is (deleted on ext): size may be known, bytes are not."""
    CARVED = 1024
    """Found by its structure in space that belongs to no file; path and address are made of its place."""


class EntryType:
    """Kinds of entry, by the letters that TSK prints in a mode string."""

    FILE: ClassVar[str] = "r"
    DIRECTORY: ClassVar[str] = "d"
    SYMLINK: ClassVar[str] = "l"
    CHARACTER_DEVICE: ClassVar[str] = "c"
    BLOCK_DEVICE: ClassVar[str] = "b"
    FIFO: ClassVar[str] = "p"
    SOCKET: ClassVar[str] = "h"
    WHITEOUT: ClassVar[str] = "w"
    VIRTUAL_FILE: ClassVar[str] = "v"
    VIRTUAL_DIRECTORY: ClassVar[str] = "V"
    UNKNOWN: ClassVar[str] = "-"


class EntryTimes(NamedTuple):
    """Four times in ns since 1970 (basis and step: `triage.times.CLOCKS`); `None` where the source holds none."""

    modified: int | None = None
    accessed: int | None = None
    changed: int | None = None
    created: int | None = None


class Entry(NamedTuple):
    """One name (or stream of a name) in a file system. A tuple and not a dataclass, because a disk has millions.

    ``path`` starts with ``/`` and is decoded text in which undecodable bytes stand as ``\\xNN``; ``raw_path`` holds the
    exact bytes where the two differ, else ``b""``. ``name_type`` is the type letter of the directory entry, ``type``
    that of the metadata (`EntryType`). ``address`` is the file system's metadata address: for TSK file systems
    ``inode-attribute type-attribute id`` as ``icat`` takes it, for others what their `FileSystem.open` understands.
    ``extents`` cover ``size`` exactly, in order; `None` says that content must be read through `FileSystem.open`.
    ``name_times`` are the second set of times that NTFS keeps with the name ($FILE_NAME). ``container`` is the kind of
    archive that this is a member of (a key of `triage.times.CLOCKS`), else ``""``.
    """

    path: str
    type: str
    address: str
    size: int
    flags: int = 0
    times: EntryTimes = EntryTimes()
    extents: tuple[Extent, ...] | None = None
    stream: str = ""
    name_type: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    links: int = 1
    link_target: str = ""
    raw_path: bytes = b""
    name_times: EntryTimes | None = None
    container: str = ""


class FileSystem(ABC):
    """Entries of one file system, image member or folder; reading only.

    ``type`` is a key of `triage.times.CLOCKS`. ``locator`` names evidence and volume. ``source`` holds the bytes that
    extents point into, or is `None` if there are none (archives, folders). ``label`` is the volume label, if any.
    """

    type: str
    locator: Locator
    source: ByteSource | None = None
    label: str = ""

    @abstractmethod
    def walk(self) -> Iterator[Entry | Notice]:
        """All entries, live, deleted and orphan, in a fixed order, a directory before what is in it.

        Ends on any input: loops, absurd counts and unreadable parts become notices in the stream. Never raises for
        bad content.
        """

    @abstractmethod
    def open(self, entry: Entry) -> ByteSource:
        """The content of ``entry`` through the file-system library.

        Raises:
            EvidenceError: the content cannot be reached.
        """


def content(file_system: FileSystem, entry: Entry) -> ByteSource:
    """The content of ``entry`` by the fastest exact way: its extents if they are known, else the library."""
    if entry.extents is None or file_system.source is None:
        return file_system.open(entry)
    return ExtentSource(file_system.source, entry.extents)


class ExtentSource(ByteSource):
    """A file as the sum of its extents; holes read as zeros."""

    def __init__(self, source: ByteSource, extents: Sequence[Extent]) -> None:
        self._source = source
        self._extents = extents
        if len(extents) == 1:  # as nearly all files have
            self._starts, self.size = [0], extents[0].length
        else:
            *self._starts, self.size = accumulate((extent.length for extent in extents), initial=0)

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        end = offset + length
        starts = self._starts
        if len(starts) == 1:
            return self._part(0, offset, end)
        parts: list[bytes] = []
        for index in range(max(0, bisect_right(starts, offset) - 1), len(starts)):
            if starts[index] >= end:
                break
            parts.append(self._part(index, offset, end))
        return b"".join(parts)

    def _part(self, index: int, first: int, last: int) -> bytes:
        """What extent ``index`` holds of bytes ``[first, last)`` of the file."""
        start, (at, run) = self._starts[index], self._extents[index]
        first, last = max(first, start), min(last, start + run)
        if first >= last:
            return b""
        if at == HOLE:
            return bytes(last - first)
        try:
            return self._source.read_at(at + first - start, last - first)
        except UnreadableBytes as error:
            moved = error.moved(start - at)
            # What lies outside this extent may be lost too, but it is not this file's.
            low, high = max(moved.offset, first), min(moved.offset + moved.length, last)
            raise UnreadableBytes(str(error), low, max(1, high - low)) from error


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume of an evidence: partition, logical volume, decrypted volume, shadow copy, or the whole source.

    ``id`` is the path of volumes from the outside in: ``""`` for evidence without a volume system, ``p2`` for the
    partition in the second entry of its table, ``p2/lv-root``, ``p2/apfs1``, ``p2/vss1``. ``state`` is one of
    ``open``, ``unlocked`` (decrypted with a key that was given), ``locked`` (encrypted: not examined),
    ``unallocated``, ``listed`` (known, left out by request) and ``unrecognised`` (no file system found). ``offset``
    is in bytes from the start of the evidence's media.
    """

    id: str
    type: str
    offset: int
    size: int
    state: str
    description: str = ""
    source: ByteSource | None = None
    file_systems: tuple[FileSystem, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One opened image, device or extraction.

    ``type`` names the container (``raw``, ``ewf``, ``vmdk`` …). ``files`` are all the paths that it consists of
    (segments, parent disks). ``stored_digests`` are those that the container itself holds over the media, by
    algorithm (``md5``, ``sha1``), hex. ``facts`` are what else the container says (case number, examiner, acquisition
    date …). ``notices`` are doubts met while opening.
    """

    label: str
    path: Path
    type: str
    size: int
    files: tuple[Path, ...]
    source: ByteSource | None = None
    volumes: tuple[Volume, ...] = ()
    stored_digests: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()

    def file_systems(self) -> dict[str, FileSystem]:
        """All file systems that can be walked, by volume id as in their locators, in order."""
        return {fs.locator.volume: fs for volume in self.volumes for fs in volume.file_systems}


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials to try on encrypted evidence. Never stored, printed or passed in a process title."""

    passwords: tuple[str, ...] = field(default=(), repr=False)
    recovery_keys: tuple[str, ...] = field(default=(), repr=False)
    key_files: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.passwords or self.recovery_keys or self.key_files)


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """How to open evidence. Picklable, so that workers open the same thing in the same way."""

    keys: Keys = field(default_factory=Keys)
    shadow_copies: bool = False
    """Walk volume shadow copies too (they are always listed)."""
