"""Reading here and there in a large source with little memory, while what it costs is counted."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from triage.evidence.source import ByteSource, UnreadableBytes

BLOCK: Final = 64 << 10
_BLOCKS: Final = 16
_LITTLE: Final = 256
_CALL: Final = 256
"""What asking costs beside the bytes themselves, in bytes that could be searched in the same time."""


class WorkUsedUp(Exception):
    """The walk has cost what it may."""


class Reader:
    """Bytes of a source by absolute offset, for walks through files.

    ``end`` is where the file being walked must end at the latest; nothing behind it is given. ``spent`` counts the cost
    of all walks in bytes, ``allowed`` is where it must stop. ``open_ended`` is the length
    in bytes to give to a file that states none.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.end = self.size = source.size
        self.spent = 0
        self.allowed = 0
        self.open_ended = 0

    def get(self, offset: int, length: int) -> bytes:
        """The bytes in ``[offset, offset + length)``, fewer only at `end`.

        Raises:
            UnreadableBytes: some of them cannot be had.
            WorkUsedUp: the walk has cost what it may.
        """
        self._charge(_CALL + length)
        length = min(length, self.end - offset)
        if length <= 0:
            return b""
        first = offset // BLOCK * BLOCK
        within = offset - first
        if within + length <= BLOCK:
            return self._block(first, offset, length)[within : within + length]
        if length >= BLOCK:
            return self._source.read_at(offset, length)
        head = BLOCK - within
        return (
            self._block(first, offset, head)[within:]
            + self._block(first + BLOCK, first + BLOCK, length - head)[: length - head]
        )

    def run(self, offset: int) -> bytes:
        """At least one and at most `BLOCK` bytes from ``offset`` on, as many as come at no further cost; none at `end`.

        Raises:
            UnreadableBytes, WorkUsedUp: see `get`.
        """
        return self.get(offset, min(BLOCK - offset % BLOCK, self.end - offset))

    def number(self, offset: int, length: int, big: bool = True) -> int:
        """The unsigned integer in ``length`` bytes at ``offset``; -1 if `end` comes before its last byte.

        Raises:
            UnreadableBytes, WorkUsedUp: see `get`.
        """
        data = self.get(offset, length)
        return int.from_bytes(data, "big" if big else "little") if len(data) == length else -1

    def _block(self, first: int, offset: int, length: int) -> bytes:
        """The block that begins at ``first``; if it cannot be read whole, one in which only the bytes asked count."""
        block = self._blocks.get(first)
        if block is not None:
            self._blocks.move_to_end(first)
            return block
        self._charge(BLOCK // 4)
        try:
            block = self._source.read_at(first, BLOCK)
        except UnreadableBytes:
            return bytes(offset - first) + self._source.read_at(offset, length)
        self._blocks[first] = block
        if len(self._blocks) > _BLOCKS:
            self._blocks.popitem(last=False)
        return block

    def _charge(self, cost: int) -> None:
        self.spent += cost
        if self.spent > self.allowed:
            raise WorkUsedUp


def zeros_before(reader: Reader, start: int, end: int) -> int:
    """Where the zeros begin that reach up to ``end``, not before ``start``; ``end`` if there are none.

    Raises:
        UnreadableBytes, WorkUsedUp: see `Reader.get`.
    """
    first = max(start, end - _LITTLE)
    while end > start:
        kept = reader.get(first, end - first).rstrip(b"\0")
        if kept:
            return first + len(kept)
        end, first = first, max(start, (first - 1) // BLOCK * BLOCK)
    return end


def first_failing(count: int, holds: Callable[[int], bool], probes: int = 16) -> int:
    """The number of the first of ``count`` things for which ``holds`` is false, as far as looking at few can tell.

    A file that was cut off is right up to some place and wrong from there on, so the last one and ``probes`` between
    are asked, then the border is bisected. Returns ``count`` if none was found to fail.
    """
    asked = sorted({count * i // probes for i in range(probes)} | {count - 1}) if count > 0 else []
    good = -1
    for bad in asked:
        if not holds(bad):
            break
        good = bad
    else:
        return count
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return bad
