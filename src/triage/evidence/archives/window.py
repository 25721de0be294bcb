"""Small reads out of large ones: archives are made of short headers that lie one after the other."""

from collections.abc import Iterator
from typing import Final

from triage.evidence.source import ByteSource, UnreadableBytes

BLOCK: Final = 1 << 20
STEP: Final = 64 << 10
"""Stored bytes that a decoder is given at a time."""


class Window(ByteSource):
    """A source of which the last block read is kept."""

    def __init__(self, source: ByteSource, block: int = BLOCK) -> None:
        self.source = source
        self.size = source.size
        self._block = block
        self._start = 0
        self._data = b""

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`; negative numbers and places behind the end yield nothing."""
        length = min(length, self.size - offset)
        if length <= 0 or offset < 0:
            return b""
        at = offset - self._start
        if at < 0 or at + length > len(self._data):
            if length >= self._block:
                return self.source.read_at(offset, length)
            start = 0 if self.size <= self._block else offset
            try:
                self._data = self.source.read_at(start, min(self._block, self.size - start))
            except UnreadableBytes:
                return self.source.read_at(offset, length)  # what was asked for may lie beside the loss
            self._start = start
            at = offset - start
        return self._data[at : at + length]


def stored_pieces(source: ByteSource, offset: int, length: int, step: int = STEP) -> Iterator[bytes]:
    """The bytes of a range in pieces; ends early where the source does."""
    end = offset + length
    while offset < end:
        data = source.read_at(offset, min(step, end - offset))
        if not data:
            return
        yield data
        offset += len(data)
