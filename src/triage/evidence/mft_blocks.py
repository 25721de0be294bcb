"""The master file table of NTFS, kept in memory as far as it fits.

TSK asks for 64 KiB of it for almost every name that it lists, and goes through all names twice (the second time for
orphans); the records are then read here once more.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from triage.evidence.entry import HOLE, Extent, ExtentSource
from triage.evidence.source import ByteSource, UnreadableBytes

BLOCK: Final = 128 << 10
"""Bytes that are read at once: little more than TSK asks for, as neighbours in a folder may be far apart here."""
_KEPT: Final = 64 << 20


class MftBlocks:
    """Blocks of a table, read once.

    ``table`` holds its bytes, ``extents`` tell where in the volume these are.
    """

    def __init__(self, table: ByteSource, extents: Sequence[Extent] = ()) -> None:
        self._table = table
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        starts = accumulate((extent.length for extent in extents), initial=0)
        places = sorted((at, length, start) for (at, length), start in zip(extents, starts, strict=False) if at != HOLE)
        self._places = places
        self._firsts = [at for at, _, _ in places]

    @classmethod
    def of_volume(cls, source: ByteSource, extents: Sequence[Extent]) -> "MftBlocks":
        """The table that lies in ``extents`` of ``source``."""
        return cls(ExtentSource(source, extents), extents)

    def block(self, index: int) -> bytes:
        """Block ``index``, as far as the table goes.

        Raises:
            UnreadableBytes: some of it cannot be had.
        """
        block = self._blocks.get(index)
        if block is None:
            block = self._table.read_at(index * BLOCK, BLOCK)
            self._blocks[index] = block
            if len(self._blocks) > _KEPT // BLOCK:
                self._blocks.popitem(last=False)
        return block

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the table itself, past what is kept.

        Raises:
            UnreadableBytes: some of them cannot be had.
        """
        return self._table.read_at(offset, length)

    def of_range(self, offset: int, length: int) -> bytes:
        """The bytes at ``offset`` of the volume; empty if they are not all of the table, or cannot all be had."""
        place = bisect_right(self._firsts, offset) - 1
        if place < 0:
            return b""
        at, size, start = self._places[place]
        if offset + length > at + size:
            return b""
        index, skip = divmod(start + offset - at, BLOCK)
        try:
            block = self.block(index)
            if skip + length <= BLOCK:
                return block[skip : skip + length]
            return block[skip:] + self.block(index + 1)[: skip + length - BLOCK]
        except UnreadableBytes:
            return b""
