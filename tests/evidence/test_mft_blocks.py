"""The kept table of NTFS gives the bytes of the volume, or says that it does not have them."""

import random

import pytest

from triage.evidence.entry import HOLE, Extent
from triage.evidence.mft_blocks import BLOCK, MftBlocks
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes

DATA = random.Random(5).randbytes(8 * BLOCK)
EXTENTS = (Extent(5 * BLOCK, BLOCK + 512), Extent(HOLE, 1024), Extent(4096, 3 * BLOCK))


class Counting(ByteSource):
    """A source that counts reads, and has one that fails."""

    def __init__(self, bad: int = -1) -> None:
        self.size = len(DATA)
        self.reads = 0
        self._bad = bad

    def read_at(self, offset: int, length: int) -> bytes:
        self.reads += 1
        if offset <= self._bad < offset + length:
            raise UnreadableBytes("bad sector", self._bad, 1)
        return DATA[offset : offset + length]


def test_bytes_are_those_of_the_volume_or_none() -> None:
    blocks = MftBlocks.of_volume(MemorySource(DATA), EXTENTS)
    chance = random.Random(7)
    known = 0
    for _ in range(2000):
        offset, length = chance.randrange(len(DATA)), chance.randrange(1, BLOCK)
        end = offset + length
        inside = any(at != HOLE and at <= offset and end <= at + size for at, size in EXTENTS)
        assert blocks.of_range(offset, length) == (DATA[offset:end] if inside else b"")
        known += inside
    assert known > 500


def test_a_block_is_read_once() -> None:
    source = Counting()
    blocks = MftBlocks.of_volume(source, (Extent(0, 4 * BLOCK),))
    for _ in range(3):
        for offset in range(0, 4 * BLOCK - 1024, 1024):
            assert blocks.of_range(offset, 1024) == DATA[offset : offset + 1024]

    assert source.reads == 4


def test_bytes_in_a_block_that_cannot_be_read_are_left_to_the_volume() -> None:
    blocks = MftBlocks.of_volume(Counting(bad=100), (Extent(0, 2 * BLOCK),))

    assert blocks.of_range(1024, 1024) == b""
    assert blocks.of_range(BLOCK, 1024) == DATA[BLOCK : BLOCK + 1024]
    with pytest.raises(UnreadableBytes):
        blocks.block(0)
