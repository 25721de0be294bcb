"""Near look-up among 256-bit digests: all that lie within a number of bits of a given one, exactly, also in millions.

The digests are cut into ten to sixteen words, and a table for each word tells which digests have it. Of two digests
that differ in few bits at least one pair of words differs in very few, so it is enough to look at the digests that
share a nearly equal word (multi-index hashing). No answer is ever left out: where the tables do not narrow the search,
all digests are compared.

References: M. Norouzi, A. Punjani, D. Fleet, "Fast Exact Search in Hamming Space With Multi-Index Hashing" (2014)
"""

import math
import mmap
import os
import struct
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, combinations
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

BITS: Final = 256
_BYTES: Final = BITS // 8
_MAGIC: Final = b"triage near 1\n\0\0"
_HEADER: Final = struct.Struct("<16sQQ32s")
_ALIGNED: Final = 64
_FEW: Final = 4_000
"""So few digests are compared one by one sooner than the tables are asked."""
_MOST: Final = 1 << 31
_MOST_PROBES: Final = 200_000
_STEP: Final = 1 << 20


class Near(NamedTuple):
    """One answer: ``query`` is the position of what was asked, ``row`` of what is near, ``distance`` in bits."""

    query: int
    row: int
    distance: int


class _Plan(NamedTuple):
    """Which changes of which words are looked up for a threshold."""

    tables: Places
    masks: npt.NDArray[np.uint64]
    bases: Places
    """For each probe, where the table's counts begin."""


class NearIndex:
    """Digests with their tables, mapped from a file; rows are numbered as they were given.

    ``key`` says what they were made from, in the words of who made them.
    """

    def __init__(self, data: "mmap.mmap | bytes") -> None:
        """Check the header of what `write` has written.

        Raises:
            ValueError: ``data`` is something else, or not whole.
        """
        if len(data) < _HEADER.size or data[: len(_MAGIC)] != _MAGIC:
            raise ValueError("not an index of near matches")
        _, count, tables, self.key = _HEADER.unpack(data[: _HEADER.size])
        layout = _layout(count) if count < _MOST else None
        if layout is None or tables != len(_widths(count)) or len(data) != layout.end:
            raise ValueError(f"an index of near matches is damaged: {len(data):,} bytes for {count:,} digests")
        self.values = np.frombuffer(data, np.uint8, count * _BYTES, layout.values).reshape(count, _BYTES)
        self._words = self.values.view(np.uint64)
        self._starts = np.frombuffer(data, "<u4", sum(layout.lengths), layout.starts)
        self._rows = np.frombuffer(data, "<u4", count * tables, layout.rows)
        self._widths = _widths(count)

    @classmethod
    def of(cls, values: Values, key: bytes = b"") -> Self:
        """An index for this process only, over an array of shape (count, 32).

        Raises:
            ValueError: it has another shape, or too many rows.
            OSError: there is no room for a scratch file.
        """
        with tempfile.TemporaryFile() as stream:
            write(stream, values, key)
            stream.flush()
            return cls(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))

    @classmethod
    def build(cls, values: Values, out: Path, key: bytes = b"") -> None:
        """Write the index over an array of shape (count, 32) to ``out``, which is then whole or not there.

        Raises:
            ValueError: it has another shape, or too many rows.
            OSError: it cannot be written.
        """
        partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
        try:
            with partial.open("xb") as stream:
                write(stream, values, key)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map a file that `build` has written; takes no time and hardly any memory.

        Raises:
            ValueError: it is no such file, is not whole, or cannot be read; names it.
        """
        try:
            with path.open("rb") as stream:
                # An empty file cannot be mapped.
                empty = not stream.read(1)
                return cls(b"" if empty else mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be used: {error}") from error

    def __len__(self) -> int:
        return len(self.values)

    def find(self, value: bytes, threshold: int = 31) -> list[tuple[int, int]]:
        """(row, distance) of all digests within ``threshold`` bits of ``value``, nearest first, then by row.

        Raises:
            ValueError: ``value`` is not of 32 bytes, or the index is damaged.
        """
        found = self.find_any(np.frombuffer(value, np.uint8).reshape(1, -1), threshold)
        return [(near.row, near.distance) for near in found]

    def find_any(self, queries: Values, threshold: int = 31) -> list[Near]:
        """The same for an array of shape (n, 32); nearest first, then by row, then by query.

        Raises:
            ValueError: it has another shape, or the index is damaged.
        """
        found = zip(*(column.tolist() for column in self.pairs(queries, threshold)), strict=True)
        return sorted((Near(*each) for each in found), key=lambda near: (near.distance, near.row, near.query))

    def pairs(self, queries: Values, threshold: int) -> tuple[Places, Places, Places]:
        """The same as three arrays (query, row, distance), in no particular order."""
        queries = _checked(queries)
        if not len(queries) or not len(self):
            return _NONE, _NONE, _NONE
        candidates = self._candidates(queries, threshold) if self._widths else None
        if candidates is None:
            return self._compare_all(queries, threshold)
        which, rows = candidates
        distances = _distances(self._words[rows], queries.view(np.uint64)[which])
        near = distances <= threshold
        # One digest comes up in several tables.
        keys, first = np.unique(which[near] * len(self) + rows[near], return_index=True)
        return keys // len(self), keys % len(self), distances[near][first].astype(np.int64)

    def _candidates(self, queries: Values, threshold: int) -> tuple[Places, Places] | None:
        """(query, row) of all that may be near; `None` if comparing all digests is less work."""
        plan = _plan(self._widths, threshold)
        if plan is None:
            return None
        cut = np.stack([_word(queries, at, width) for at, width in _cuts(len(self))], axis=1)
        probes = (cut[:, plan.tables] ^ plan.masks).astype(np.int64) + plan.bases
        first, last = self._starts[probes], self._starts[probes + 1]
        which, kept = np.nonzero(first != last)
        begins, ends = first[which, kept].astype(np.int64), last[which, kept].astype(np.int64)
        if begins.size and (np.any(begins > ends) or ends.max() > len(self)):
            raise ValueError("the index of near matches is damaged: a table leads outside of it")
        counts = ends - begins
        total = int(counts.sum())
        if total > len(self) * len(queries):
            return None
        lines = np.arange(total) + np.repeat(begins - np.cumsum(counts) + counts, counts)
        rows = self._rows[lines + np.repeat(plan.tables[kept] * len(self), counts)].astype(np.int64)
        if rows.size and rows.max() >= len(self):
            raise ValueError("the index of near matches is damaged: a table names a digest that is not there")
        return np.repeat(which, counts), rows

    def _compare_all(self, queries: Values, threshold: int) -> tuple[Places, Places, Places]:
        found: list[tuple[Places, Places, Places]] = []
        for number, query in enumerate(queries.view(np.uint64)):
            for start in range(0, len(self), _STEP):
                distances = _distances(self._words[start : start + _STEP], query)
                rows = np.flatnonzero(distances <= threshold).astype(np.int64)
                found.append((np.full(rows.size, number, np.int64), rows + start, distances[rows].astype(np.int64)))
        whole = [np.concatenate(column) for column in zip(*found, strict=True)]
        return whole[0], whole[1], whole[2]


def write(stream: BinaryIO, values: Values, key: bytes = b"") -> None:
    """Write an index over an array of shape (count, 32); ``key`` is of up to 32 bytes."""
    values = _checked(values)
    layout = _layout(len(values))
    stream.write(_HEADER.pack(_MAGIC, len(values), len(layout.lengths), key))
    stream.seek(layout.values)
    for start in range(0, len(values), _STEP):
        stream.write(values[start : start + _STEP].tobytes())
    firsts = accumulate(layout.lengths, initial=0)
    for number, ((at, width), first) in enumerate(zip(_cuts(len(values)), firsts, strict=False)):
        starts, rows = _table(values, at, width)
        stream.seek(layout.starts + 4 * first)
        stream.write(starts.tobytes())
        stream.seek(layout.rows + 4 * number * len(values))
        stream.write(rows.tobytes())
    stream.truncate(layout.end)


class _Layout(NamedTuple):
    """Where the parts of a file begin, in bytes."""

    values: int
    starts: int
    lengths: tuple[int, ...]
    """Of the parts of ``starts``, one for each table, in numbers."""
    rows: int
    end: int


_NONE: Final[Places] = np.zeros(0, np.int64)


def _layout(count: int) -> _Layout:
    lengths = tuple((1 << width) + 1 for width in _widths(count))
    values = _aligned(_HEADER.size)
    starts = _aligned(values + count * _BYTES)
    rows = _aligned(starts + 4 * sum(lengths))
    return _Layout(values, starts, lengths, rows, rows + len(lengths) * count * 4)


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNED) * _ALIGNED


def _widths(count: int) -> tuple[int, ...]:
    """Bits of each word: about as many as number ``count`` digests, so that a word is shared by one or two of them."""
    if count <= _FEW:
        return ()
    tables = min(max(math.ceil(BITS / math.log2(count)), 10), 16)
    each, more = divmod(BITS, tables)
    return tuple(each + (number < more) for number in range(tables))


def _cuts(count: int) -> Iterator[tuple[int, int]]:
    """First bit and width of each word."""
    widths = _widths(count)
    return zip(accumulate(widths, initial=0), widths, strict=False)


def _checked(values: Values) -> Values:
    if values.ndim != 2 or values.shape[1] != _BYTES or values.dtype != np.uint8 or len(values) >= _MOST:
        raise ValueError(f"not digests of {_BYTES} bytes: an array of shape {values.shape} of {values.dtype}")
    return np.ascontiguousarray(values)


def _word(values: Values, at: int, width: int) -> npt.NDArray[np.uint64]:
    """The bits from ``at`` on of each digest, as a number."""
    first, last = at // 8, (at + width - 1) // 8
    word = np.zeros(len(values), np.uint64)
    for column in range(first, last + 1):
        word = (word << np.uint64(8)) | values[:, column]
    return (word >> np.uint64(8 * (last + 1) - at - width)) & np.uint64((1 << width) - 1)


def _table(values: Values, at: int, width: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """For each word, where its rows begin in the second array (and, one further on, where they end)."""
    words = _word(values, at, width)
    starts = np.zeros((1 << width) + 1, np.uint32)
    np.cumsum(np.bincount(words.astype(np.int64), minlength=1 << width), out=starts[1:])
    ordered = np.sort((words << np.uint64(32)) | np.arange(len(values), dtype=np.uint64))
    return starts, ordered.astype(np.uint32)


@lru_cache(maxsize=64)
def _plan(widths: tuple[int, ...], threshold: int) -> _Plan | None:
    """The words to look up. `None` if they are too many.

    If a table finds words with up to ``r`` changed bits, then digests that all tables miss differ in at least the sum
    of all ``r + 1``; that sum has to be larger than the threshold. It is made up where a bit more costs least.
    """
    radii = [-1] * len(widths)
    for _ in range(threshold + 1):
        costs = [math.comb(width, radius + 1) for width, radius in zip(widths, radii, strict=True)]
        radii[costs.index(min(costs))] += 1
    masks = [_changes(width, radius) for width, radius in zip(widths, radii, strict=True)]
    if sum(len(each) for each in masks) > _MOST_PROBES:
        return None
    tables = np.repeat(np.arange(len(widths)), [len(each) for each in masks])
    bases = np.array(list(accumulate(((1 << width) + 1 for width in widths), initial=0))[:-1], np.int64)
    return _Plan(tables, np.concatenate(masks), bases[tables])


def _changes(width: int, radius: int) -> npt.NDArray[np.uint64]:
    """All words of ``width`` bits with up to ``radius`` bits set."""
    if sum(math.comb(width, bits) for bits in range(radius + 1)) > _MOST_PROBES:
        return np.zeros(_MOST_PROBES + 1, np.uint64)
    some = (
        sum(1 << bit for bit in chosen) for bits in range(radius + 1) for chosen in combinations(range(width), bits)
    )
    return np.fromiter(some, np.uint64)


def _distances(some: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint16]:
    """Number of differing bits, row by row."""
    counts = np.bitwise_count(some ^ others)
    total: npt.NDArray[np.uint16] = counts[:, 0].astype(np.uint16)
    for column in range(1, counts.shape[1]):
        total += counts[:, column]
    return total
