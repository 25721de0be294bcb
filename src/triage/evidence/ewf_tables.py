"""Where the chunks of an EWF-E01 or EWF-S01 image lie: its tables, checked, and found again where they are lost.

Format: libewf documentation of EWF, sections "Table section", "Table2 section", "Data chunk" and "Table entries offset
overflow".
"""

import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from isal.isal_zlib import adler32

from triage.evidence.container import Doubt
from triage.evidence.ewf_sections import Section, Segment, Volume
from triage.evidence.files import FileSet
from triage.evidence.inflate import Inflated, inflate
from triage.notices import NoticeKind

COMPRESSED: Final = 0x8000_0000
OFFSET: Final = 0x7FFF_FFFF
_HEADER: Final = 24
_SCANNED_TABLE: Final = 16_375
MAX_SCAN: Final = 8 << 30
"""Bytes of chunk data that are searched for chunks where tables are lost."""


@dataclass(frozen=True, slots=True)
class ChunkTable:
    """One table: ``count`` chunks whose data lies in file ``segment`` before ``data_end``.

    The offsets are at ``entries_at`` in the file, or in ``entries`` if the table was made by searching for chunks.
    ``overflow`` is the first entry that uses all 32 bits as offset (`find_overflow`). ``smart`` says that all chunks
    are compressed, whatever their flag (EWF-S01).
    """

    segment: int
    count: int
    base: int
    data_end: int
    entries_at: int
    overflow: int
    entries: "array[int] | None" = None
    smart: bool = False

    def span(self, entries: Sequence[int], position: int) -> tuple[int, int, bool]:
        """Where the chunk at ``position`` starts in the file, where the next one does, and whether it is compressed.

        Of the last chunk it is where the chunk data ends.
        """
        entry, base, overflow = entries[position], self.base, self.overflow
        after = position + 1
        if after >= self.count:
            end = self.data_end
        else:
            end = base + (entries[after] if after >= overflow else entries[after] & OFFSET)
        if position >= overflow:
            return base + entry, end, False
        return base + (entry & OFFSET), end, self.smart or entry >= COMPRESSED

    def load(self, files: FileSet) -> "array[int]":
        """The entries as stored: 31 bits of offset from ``base`` and the flag `COMPRESSED`."""
        if self.entries is not None:
            return self.entries
        return _as_array(files.read(self.segment, self.entries_at, 4 * self.count))


@dataclass(frozen=True, slots=True)
class Gap:
    """Chunks that no table tells of: ``count`` of them, or `None` if not even that is known."""

    count: int | None


Piece = ChunkTable | Gap


def _as_array(data: bytes) -> "array[int]":
    entries = array("I")
    entries.frombytes(data)
    if sys.byteorder == "big":
        entries.byteswap()
    return entries


def find_overflow(entries: Sequence[int]) -> int:
    """Index of the first entry with an offset above 31 bits, ``len(entries)`` if there is none.

    EnCase 6.7.1 let a table grow past 2 GiB of chunk data: from there on it writes full 32-bit offsets, and as there is
    no bit left for the flag, these chunks are not compressed. Offsets only ever grow, so it shows as the place where
    31 bits of them fall.
    """
    before = -1
    for index, entry in enumerate(entries):
        offset = entry & OFFSET
        if offset < before and entry & COMPRESSED:
            return index
        before = offset
    return len(entries)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table section as read: no count if the header is damaged; ``intact`` says that the entries are not."""

    count: int | None
    base: int
    entries_at: int
    intact: bool


class TableReader:
    """Collects the pieces of one segment after the other."""

    def __init__(self, files: FileSet, volume: Volume) -> None:
        self._files = files
        self._chunk_size = volume.chunk_size
        self._smart = volume.smart
        self._budget = MAX_SCAN
        self.doubts: list[Doubt] = []

    def pieces(self, segment: Segment) -> Iterator[Piece]:
        """The tables of a segment in the order of their chunks, gaps where a table is lost."""
        sectors: Section | None = None
        sections = segment.sections
        for position, section in enumerate(sections):
            if section.kind == "sectors":
                if sectors is not None:
                    yield from self._search(segment, sectors, None, "has no table")
                sectors = section
            elif section.kind == "table":
                following = sections[position + 1] if position + 1 < len(sections) else None
                copy = following if following and following.kind == "table2" else None
                yield from self._table(segment, section, copy, sectors)
                sectors = None
            elif section.kind == "table2" and (position == 0 or sections[position - 1].kind != "table"):
                yield from self._table(segment, section, None, sectors)
                sectors = None
        if sectors is not None:
            yield from self._search(segment, sectors, None, "has no table")
        if not segment.ending:
            yield Gap(None)

    def _table(
        self, segment: Segment, section: Section, copy: Section | None, sectors: Section | None
    ) -> Iterator[Piece]:
        name = self._files.paths[segment.index].name
        table = self._read(segment, section, sectors)
        if not table.intact and copy is not None:
            second = self._read(segment, copy, sectors)
            if second.intact:
                self.doubts.append(
                    (NoticeKind.DAMAGED, f"{name}: table at byte {section.offset} is damaged; its copy is used")
                )
                table = second
        if table.intact and table.count is not None:
            if table.count:
                yield self._chunk_table(segment, table, section, sectors)
            return
        if sectors is not None:
            yield from self._search(segment, sectors, table.count, f"has a damaged table (byte {section.offset})")
            return
        self.doubts.append(
            (NoticeKind.DAMAGED, f"{name}: table at byte {section.offset} is damaged; its chunks cannot be found")
        )
        yield Gap(table.count)

    def _chunk_table(self, segment: Segment, table: _Table, section: Section, sectors: Section | None) -> ChunkTable:
        count = table.count or 0
        data_end = sectors.end if sectors else section.end
        result = ChunkTable(segment.index, count, table.base, data_end, table.entries_at, count, smart=self._smart)
        if data_end - table.base <= COMPRESSED:
            return result
        return replace(result, overflow=find_overflow(result.load(self._files)))

    def _read(self, segment: Segment, section: Section, sectors: Section | None) -> _Table:
        header = self._files.read(segment.index, section.data, _HEADER)
        if len(header) < _HEADER or adler32(header[:20]) != int.from_bytes(header[20:], "little"):
            return _Table(None, 0, 0, intact=False)
        count, base = struct.unpack_from("<IxxxxQ", header)
        entries_at = section.data + _HEADER
        end = entries_at + 4 * count
        if end > section.end:
            return _Table(None, 0, 0, intact=False)
        stored = self._files.read(segment.index, entries_at, 4 * count + 4)
        entries, footer = stored[: 4 * count], stored[4 * count :]
        intact = len(footer) == 4 and adler32(entries) == int.from_bytes(footer, "little")
        if not intact and sectors is None and count and len(entries) == 4 * count:
            # In EWF-S01 chunks follow the entries in the same section, without a checksum between them.
            intact = base + (int.from_bytes(entries[:4], "little") & OFFSET) == end
        return _Table(count, base, entries_at, intact)

    def _search(self, segment: Segment, sectors: Section, count: int | None, why: str) -> Iterator[Piece]:
        """Find chunks by reading them one behind the other, as writers lay them down.

        A chunk is one if its own checksum says so; the search ends where that fails.
        """
        name = self._files.paths[segment.index].name
        found = 0
        at = sectors.data
        whole = False
        while at < sectors.end and (count is None or found < count):
            table, at, whole = self._search_table(segment.index, at, sectors.end, (count or 1 << 62) - found)
            if table is None:
                break
            found += table.count
            yield table
            if whole:
                break
        of = f" of {count}" if count is not None else ""
        message = f"{name}: the chunk data at byte {sectors.offset} {why}"
        self.doubts.append((NoticeKind.DAMAGED, f"{message}; {found}{of} chunks were found by searching for them"))
        if count is not None and found < count:
            yield Gap(count - found)
        elif count is None and at < sectors.end:
            yield Gap(None)

    def _search_table(self, index: int, at: int, end: int, limit: int) -> tuple[ChunkTable | None, int, bool]:
        """Up to one table's worth of chunks from ``at``, where they end, and whether damage or a bound ended them."""
        entries = array("I")
        base = at
        stopped = False
        while at < end and len(entries) < min(_SCANNED_TABLE, limit) and at - base <= OFFSET:
            length, compressed = self._chunk_at(index, at, end) if self._budget > 0 else (0, False)
            if not length:
                stopped = True
                break
            entries.append(at - base | (COMPRESSED if compressed else 0))
            at += length
            self._budget -= length
        count = len(entries)
        return (ChunkTable(index, count, base, at, -1, count, entries) if count else None), at, stopped

    def _chunk_at(self, index: int, at: int, end: int) -> tuple[int, bool]:
        """Stored length of the full chunk at ``at`` and whether it is compressed; 0 if there is none."""
        stored = self._files.read(index, at, min(stored_limit(self._chunk_size), end - at))
        data, used, _ = inflate(stored, self._chunk_size)
        if data:
            return used, True
        full = stored[: self._chunk_size + 4]
        if not verify_uncompressed(full).fault:
            return len(full), False
        # The last chunk of the media may be shorter.
        last = len(stored) == end - at and not verify_uncompressed(stored).fault
        return (len(stored), False) if last else (0, False)


def verify_uncompressed(stored: bytes) -> Inflated:
    """An uncompressed chunk without its trailing checksum, if that matches."""
    data = stored[:-4]
    if not data or adler32(data) != int.from_bytes(stored[-4:], "little"):
        return Inflated(b"", 0, "its checksum does not match")
    return Inflated(data, len(stored), "")


def stored_limit(chunk_size: int) -> int:
    """More bytes than any writer needs for a chunk: deflate adds 5 bytes to each 16 KiB that it cannot compress."""
    return chunk_size + (chunk_size >> 8) + 1024
