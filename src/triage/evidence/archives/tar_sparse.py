"""Sparse files in tar: the old GNU format and the three in pax headers (0.0, 0.1, 1.0).

Reference: GNU tar manual, "Storing Sparse Files".
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from triage.evidence.archives.tar_header import BLOCK, TarHeader, number
from triage.evidence.archives.window import Window
from triage.evidence.entry import HOLE, Extent

_MOST_RUNS: Final = 65_536
_MOST_SIZE: Final = 1 << 62


class SparseMap(NamedTuple):
    """Where a sparse file's bytes are: ``extents`` in the archive cover ``size``; ``start`` is where data begins."""

    size: int
    extents: tuple[Extent, ...]
    start: int
    fault: str = ""

    def within(self, end: int) -> list[Extent]:
        """The extents up to the first byte that would lie behind ``end`` of the archive."""
        found: list[Extent] = []
        for extent in self.extents:
            there = extent.length if extent.offset == HOLE else min(extent.length, max(end - extent.offset, 0))
            if there:
                found.append(Extent(extent.offset, there))
            if there < extent.length:
                break
        return found


def sparse_map(window: Window, header: TarHeader, words: dict[bytes, bytes], start: int, held: int) -> SparseMap | None:
    """The map of a member whose content begins at ``start``, or `None` if it is not sparse.

    Raises:
        EvidenceError: the archive cannot be read there.
    """
    if header.kind == b"S":
        return _old(window, header, start)
    size = _digits(words.get(b"GNU.sparse.realsize") or words.get(b"GNU.sparse.size") or b"")
    if words.get(b"GNU.sparse.major") == b"1":
        return _in_data(window, start, size, held)
    if b"GNU.sparse.map" in words:
        numbers = [_digits(word) for word in words[b"GNU.sparse.map"].split(b",")[: 2 * _MOST_RUNS + 2]]
        return _laid(size, list(zip(numbers[::2], numbers[1::2], strict=False)), start)
    return None


def _old(window: Window, header: TarHeader, start: int) -> SparseMap:
    """Four runs in the header, and 21 in each block that follows as long as each says that there is one more."""
    size = number(header.block[483:495])
    runs = list(_runs(header.block[386:482]))
    more = header.block[482]
    while more and len(runs) <= _MOST_RUNS:
        block = window.read_at(start, BLOCK)
        if len(block) < BLOCK:
            return SparseMap(max(size, 0), (), start, "the map of its parts is cut off")
        runs += _runs(block[:504])
        more = block[504]
        start += BLOCK
    return _laid(size, runs, start)


def _runs(fields: bytes) -> Iterator[tuple[int, int]]:
    for at in range(0, len(fields) - 23, 24):
        if fields[at]:
            yield number(fields[at : at + 12]), number(fields[at + 12 : at + 24])


def _in_data(window: Window, start: int, size: int, held: int) -> SparseMap:
    """Format 1.0: the map is text before the data, in whole blocks."""
    text = window.read_at(start, min(held, 2 * 21 * (_MOST_RUNS + 1)))
    words = text.split(b"\n", 2 * _MOST_RUNS + 1)
    count = _digits(words[0])
    if not 0 <= count <= _MOST_RUNS or len(words) < 2 * count + 2:
        return SparseMap(max(size, 0), (), start, "the map of its parts is none, or has too many")
    numbers = [_digits(word) for word in words[1 : 2 * count + 1]]
    length = sum(len(word) + 1 for word in words[: 2 * count + 1])
    return _laid(size, list(zip(numbers[::2], numbers[1::2], strict=True)), start + -(-length // BLOCK) * BLOCK)


def _laid(size: int, runs: list[tuple[int, int]], start: int) -> SparseMap:
    """Extents from runs of data, the holes between them filled in."""
    if not 0 <= size < _MOST_SIZE:
        return SparseMap(0, (), start, "its real size is none")
    if len(runs) > _MOST_RUNS or any(offset < 0 or length < 0 or offset + length > size for offset, length in runs):
        return SparseMap(size, (), start, "the map of its parts leads beyond its end, or has too many")
    if any(first[0] + first[1] > second[0] for first, second in pairwise(runs)):
        return SparseMap(size, (), start, "the map of its parts overlaps itself")
    extents: list[Extent] = []
    end, at = 0, start
    for offset, length in runs:
        if offset > end:
            extents.append(Extent(HOLE, offset - end))
        if length:
            extents.append(Extent(at, length))
        at, end = at + length, offset + length
    if size > end:
        extents.append(Extent(HOLE, size - end))
    return SparseMap(size, tuple(extents), start)


def _digits(word: bytes) -> int:
    return int(word) if word.isdigit() and len(word) <= 19 else -1
