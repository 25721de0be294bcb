"""The file system of a shadow copy, reduced to what differs from the live volume."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

from triage.errors import EvidenceError
from triage.evidence.entry import HOLE, Entry, EntryType, FileSystem
from triage.evidence.layout import ORIGIN
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_SHARDS: Final = 256
_COMPARED: Final = 1 << 20
"""Content outside of known extents is compared up to this size; above it the entry counts as different."""
_STEP: Final = 1 << 20


class LiveDigest:
    """Which entries the live volume has, as sorted 64-bit digests: 8 bytes an entry. Walks it once, when first asked.

    Two entries with the same digest by chance would hide one of ten thousand million million; the content is
    compared besides.
    """

    def __init__(self, live: FileSystem) -> None:
        self._live = live
        self._shards: list[array[int]] | None = None

    def __contains__(self, entry: Entry) -> bool:
        if self._shards is None:
            self._shards = self._collect()
        number = _digest(entry)
        shard = self._shards[number % _SHARDS]
        at = bisect_left(shard, number)
        return at < len(shard) and shard[at] == number

    def _collect(self) -> list["array[int]"]:
        shards = [array("Q") for _ in range(_SHARDS)]
        for entry in self._live.walk():
            if isinstance(entry, Entry):
                number = _digest(entry)
                shards[number % _SHARDS].append(number)
        return [array("Q", sorted(shard)) for shard in shards]


def _digest(entry: Entry) -> int:
    names = (entry.path, entry.raw_path, entry.stream, entry.type, entry.address, entry.size, entry.flags)
    rest = (tuple(entry.times), entry.name_times and tuple(entry.name_times), entry.extents and tuple(entry.extents))
    text = repr((names, rest, entry.mode, entry.uid, entry.gid, entry.links, entry.link_target))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class KeptBlocks(Protocol):
    """Where the earlier content of a volume is kept."""

    def overlaps(self, offset: int, length: int) -> list[tuple[int, int]]:
        """The pieces (offset, length) of a run whose earlier content is kept."""


@dataclass(slots=True)
class Differences:
    """Whether content that the same metadata describe is the same in a shadow copy and on the live volume."""

    live_source: ByteSource
    copy_source: ByteSource
    live: FileSystem
    copy: FileSystem
    blocks: KeptBlocks

    def same_content(self, entry: Entry) -> bool:
        """True if every byte is known to be the same. What cannot be read is not the same."""
        if entry.type == EntryType.DIRECTORY or entry.size == 0:
            return True
        try:
            if entry.extents is not None:
                return all(self._same_run(extent.offset, extent.length) for extent in entry.extents)
            return entry.size <= _COMPARED and self._same_stream(entry)
        except EvidenceError:
            return False

    def _same_run(self, offset: int, length: int) -> bool:
        if offset == HOLE:
            return True
        return all(self._same_bytes(at, size) for at, size in self.blocks.overlaps(offset, length))

    def _same_bytes(self, offset: int, length: int) -> bool:
        for at in range(offset, offset + length, _STEP):
            step = min(_STEP, offset + length - at)
            if self.live_source.read_at(at, step) != self.copy_source.read_at(at, step):
                return False
        return True

    def _same_stream(self, entry: Entry) -> bool:
        live, copy = self.live.open(entry), self.copy.open(entry)
        return live.read_at(0, entry.size) == copy.read_at(0, entry.size)


class ShadowFileSystem(FileSystem):
    """A shadow copy's file system whose walk leaves out the entries that the live volume has with the same metadata
    and content.

    An entry is left out if path, address, size, flags, times, owner and extents are the same, and so is every byte
    in those blocks of its extents that the shadow copy keeps (the others are the live volume's by definition);
    content without known extents is compared whole up to 1 MiB. The number left out is a `NoticeKind.REMARK` at the
    end of the walk.
    """

    def __init__(self, copy: FileSystem, live: LiveDigest, differences: Differences) -> None:
        self.type = copy.type
        self.locator: Locator = copy.locator
        self.source = copy.source
        self.label = copy.label
        self._copy, self._live, self._differences = copy, live, differences

    def walk(self) -> Iterator[Entry | Notice]:
        """See `FileSystem.walk`."""
        same = 0
        for entry in self._copy.walk():
            if isinstance(entry, Entry) and entry in self._live and self._differences.same_content(entry):
                same += 1
            else:
                yield entry
        text = f"{same} entries of this shadow copy are the same on the live volume and left out"
        yield notice(NoticeKind.REMARK, self.locator, text, ORIGIN)

    def open(self, entry: Entry) -> ByteSource:
        """See `FileSystem.open`."""
        return self._copy.open(entry)
