"""The media of an EWF-E01 or EWF-S01 image: chunks, found by their tables, checked and inflated one at a time.

Every chunk is checked when it is read: compressed ones by the checksum of their zlib stream, others by the Adler-32
behind them. A chunk that fails is never returned.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from triage.evidence.container import Doubt
from triage.evidence.ewf_sections import Volume
from triage.evidence.ewf_tables import ChunkTable, Piece, stored_limit, verify_uncompressed
from triage.evidence.files import FileSet, ReadAhead
from triage.evidence.inflate import inflate_chunk
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

CACHE_BYTES: Final = 24 << 20
"""A walk jumps between the MFT and index blocks; this holds those of a disk with some 60,000 files."""
STREAM_CHUNKS: Final = 4
"""A read that goes on for so many chunks is one of a stream: what lies between its ends passes by the cache, which it
would empty otherwise. File-system structures are read in fewer."""
_TABLES: Final = 64
_REPEATED: Final = 512
"""Stored chunks up to this size are compared with the one before: mostly they are the same run of zeros."""
_NO_TABLE: Final = (0, 0, ChunkTable(0, 0, 0, 0, 0, 0), ())

Chunk = bytes | bytearray


class Placed(NamedTuple):
    """A table and the number of its first chunk in the media."""

    first: int
    table: ChunkTable


class EwfSource(ByteSource):
    """The media of an EWF image. Each process and each thread opens its own."""

    def __init__(self, files: FileSet, volume: Volume, placed: Sequence[Placed], size: int) -> None:
        self.chunk_size = volume.chunk_size
        self.size = size
        self._files = files
        self._firsts = [place.first for place in placed]
        self._tables = [place.table for place in placed]
        self._entries = lru_cache(_TABLES)(lambda number: self._tables[number].load(files))
        self._current: tuple[int, int, ChunkTable, Sequence[int]] = _NO_TABLE
        self._ahead = ReadAhead(files)
        self._cache: OrderedDict[int, Chunk] = OrderedDict()
        self._most_cached = max(16, CACHE_BYTES // self.chunk_size)
        self._most_stored = stored_limit(self.chunk_size)
        self._last_stored = b""
        self._last_chunk: Chunk = b""

    @property
    def chunks(self) -> int:
        """Number of chunks that the media has, whether they are there or not."""
        return -(-self.size // self.chunk_size)

    @property
    def chunks_present(self) -> int:
        """Number of chunks whose place is known."""
        total = self.chunks
        return sum(
            max(0, min(first + table.count, total) - first)
            for first, table in zip(self._firsts, self._tables, strict=True)
        )

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`. The range of an `UnreadableBytes` is that of the damaged or missing chunks."""
        number, skip = divmod(offset, self.chunk_size)
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        last = (end - 1) // self.chunk_size
        first = memoryview(self._chunk(number, last))[skip : skip + end - offset]
        if last == number:
            return bytes(first)
        # Neighbours in a stream share the chunks at its ends.
        inner = self._chunk if last - number < STREAM_CHUNKS else self._passing
        parts: list[Chunk | memoryview] = [first]
        parts.extend([inner(between, last) for between in range(number + 1, last)])
        parts.append(memoryview(self._chunk(last, last))[: end - last * self.chunk_size])
        return b"".join(parts)

    def _chunk(self, number: int, last: int) -> Chunk:
        """A chunk by way of the cache. The caller goes on to read all up to chunk ``last``."""
        chunk = self._cache.get(number)
        if chunk is not None:
            self._cache.move_to_end(number)
            return chunk
        chunk = self._cache[number] = self._read_chunk(number, last)
        if len(self._cache) > self._most_cached:
            self._cache.popitem(last=False)
        return chunk

    def _passing(self, number: int, last: int) -> Chunk:
        return self._cache.get(number) or self._read_chunk(number, last)

    def _read_chunk(self, number: int, last: int) -> Chunk:
        data = self.stored_chunk(number, last)
        expected = min(self.chunk_size, self.size - number * self.chunk_size)
        if len(data) < expected:
            raise self._damaged(number, f"it has {len(data)} bytes of {expected}")
        return data if len(data) == expected else data[:expected]

    def stored_chunk(self, number: int, last: int = -1) -> Chunk:
        """All media bytes that chunk ``number`` stores; the last may hold more than the media has, or part of a sector.

        The caller goes on to read all up to chunk ``last``.

        Raises:
            UnreadableBytes: the chunk is damaged or missing.
        """
        first, behind, table, entries = self._current
        if not first <= number < behind:
            first, _, table, entries = self._find(number)
        position = number - first
        start, end, compressed = table.span(entries, position)
        length = min((end if end > start else table.data_end) - start, self._most_stored)
        if length <= 0:
            raise self._damaged(number, f"its table points to byte {start}, outside of the chunk data")
        if not compressed:
            # The end of the last chunk of a table is only known roughly, but that of a full uncompressed one is.
            length = min(length, self.chunk_size + 4)
        stored = self._ahead.fetched(table.segment, start, length)
        if stored is None:
            until = table.span(entries, min(position + max(0, last - number), table.count - 1))[1]
            try:
                stored = self._ahead.read(table.segment, start, length, until)
            except UnreadableBytes as problem:
                raise self._damaged(number, str(problem)) from problem
        data, fault = self._inflated(stored) if compressed else verify_uncompressed(bytes(stored))[::2]
        if fault:
            raise self._damaged(number, fault)
        return data

    def _find(self, number: int) -> tuple[int, int, ChunkTable, Sequence[int]]:
        """The table that has chunk ``number``: first chunk, the one behind the last, table, and its entries."""
        index = bisect_right(self._firsts, number) - 1
        if index < 0 or number - self._firsts[index] >= self._tables[index].count:
            raise self._missing(index)
        first, table = self._firsts[index], self._tables[index]
        self._current = first, first + table.count, table, self._entries(index)
        return self._current

    def _inflated(self, stored: memoryview) -> tuple[Chunk, str]:
        if len(stored) > _REPEATED:
            return inflate_chunk(stored, self.chunk_size)
        if stored != self._last_stored:
            data, fault = inflate_chunk(stored, self.chunk_size)
            if fault:
                return data, fault
            self._last_stored, self._last_chunk = bytes(stored), data
        return self._last_chunk, ""

    def _missing(self, index: int) -> UnreadableBytes:
        first = self._firsts[index] + self._tables[index].count if index >= 0 else 0
        end = self._firsts[index + 1] if index + 1 < len(self._firsts) else self.chunks
        return self._lost(first, end, f"chunks {first} to {end - 1} of {self.chunks} are missing")

    def _damaged(self, number: int, reason: str) -> UnreadableBytes:
        index = bisect_right(self._firsts, number) - 1
        name = self._files.paths[self._tables[index].segment].name
        return self._lost(number, number + 1, f"{name}: chunk {number} of {self.chunks} is damaged: {reason}")

    def _lost(self, first: int, end: int, message: str) -> UnreadableBytes:
        start = first * self.chunk_size
        stop = min(end * self.chunk_size, self.size)
        return UnreadableBytes(f"{message} (media bytes {start} to {stop - 1})", start, stop - start)

    def close(self) -> None:
        """See `ByteSource.close`."""
        self._cache.clear()
        self._entries.cache_clear()
        self._files.close()


def place(pieces: Sequence[Piece], volume: Volume, *, complete: bool) -> tuple[list[Placed], list[Doubt]]:
    """Number the chunks of all tables.

    They are counted from the start up to the first gap of unknown length, and from the end back to the last such gap;
    ``complete`` says that the last piece is known to end the media.
    """
    total = -(-volume.size // volume.chunk_size)
    unknown = [index for index, piece in enumerate(pieces) if piece.count is None]
    forward = pieces[: unknown[0]] if unknown else pieces
    backward = pieces[unknown[-1] + 1 :] if unknown and complete else []
    placed: list[Placed] = []
    at = 0
    for piece in forward:
        if isinstance(piece, ChunkTable):
            placed.append(Placed(at, piece))
        at += piece.count or 0
    first = total - sum(piece.count or 0 for piece in backward)
    doubts: list[Doubt] = []
    if first < at and backward:
        doubts.append(
            (NoticeKind.DAMAGED, f"the tables hold more chunks than the {total} that the volume section states")
        )
        backward = []
    for piece in backward:
        if isinstance(piece, ChunkTable):
            placed.append(Placed(first, piece))
        first += piece.count or 0
    lost = sum(isinstance(piece, ChunkTable) for piece in pieces) - len(placed)
    if lost:
        doubts.append(
            (NoticeKind.DAMAGED, f"the place of {lost} tables of chunks in the media is not known; they are not read")
        )
    return placed, doubts
