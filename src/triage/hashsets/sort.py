"""Sorting more digests than memory holds: by leading byte into a scratch file, then part by part.

The scratch file has no name where the system allows that, and is gone when the process ends in whatever way.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

Rows: TypeAlias = "npt.NDArray[np.void]"
Digests: TypeAlias = "npt.NDArray[np.bytes_]"

WITHDRAWN: Final = 1 << 31
"""Bit of a row's label that marks a withdrawal."""
NO_SIZE: Final = -1
_PARTS: Final = 256
_BATCH: Final = 1 << 16
_LARGEST_PART: Final = 1 << 20
"""Rows that are sorted in memory at once; a larger part is divided again by the next byte."""


class Scratch:
    """Scratch files in ``folder`` (the system's own place if none is named), all gone when it is left."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._open = ExitStack()

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def file(self) -> BinaryIO:
        """A new one, for writing and reading."""
        return cast("BinaryIO", self._open.enter_context(tempfile.TemporaryFile(dir=self._folder)))


class Merged(NamedTuple):
    """Distinct digests in ascending order, with what their rows say.

    ``starts`` is the place of each digest's first row in ``labels``, the labels of all rows, sorted by digest and then
    by their order in the lists. ``sizes`` has the first size that is stated for each digest, `NO_SIZE` if none is.
    ``withdrawn`` says which digests have a withdrawal among their rows.
    """

    digests: Digests
    starts: "npt.NDArray[np.int64]"
    labels: "npt.NDArray[np.uint32]"
    sizes: "npt.NDArray[np.int64]"
    withdrawn: "npt.NDArray[np.bool_]"


class Sorter:
    """Rows of one algorithm, taken in any order, given out merged and sorted.

    ``width`` is the length of a digest in bytes. Rows are put into ``digests``, ``labels`` (with `WITHDRAWN`) and
    ``sizes`` (`NO_SIZE` where none is stated), then `settle` is called, now and then. A sorter that divides a part of
    another one looks at the byte at ``depth``, for all before are the same.
    """

    def __init__(self, width: int, scratch: Scratch, depth: int = 0) -> None:
        self.width = width
        self._stored = 0
        self._scratch = scratch
        self._depth = depth
        self._type = np.dtype([("digest", f"S{width}"), ("label", "<u4"), ("size", "<i8")])
        self._file = scratch.file()
        self._borders: list[npt.NDArray[np.int64]] = []
        self.digests: list[bytes] = []
        self.labels: list[int] = []
        self.sizes: list[int] = []

    @property
    def rows(self) -> int:
        """Rows so far."""
        return self._stored + len(self.digests)

    def settle(self) -> None:
        """Put waiting rows into the scratch file if there are many."""
        if len(self.digests) >= _BATCH:
            self._flush()

    def merged(self) -> Iterator[Merged]:
        """All rows, in parts whose digests ascend; the scratch file ends with it."""
        self._flush()
        with self._file:
            for part in range(_PARTS):
                count = sum(int(borders[part + 1] - borders[part]) for borders in self._borders)
                if count > _LARGEST_PART and self._depth < self.width - 1:
                    yield from self._divided(part)
                elif count:
                    yield _merge(np.concatenate(list(self._runs(part))))

    def _flush(self) -> None:
        if not self.digests:
            return
        joined = b"".join(self.digests)
        if set(map(len, self.digests)) != {self.width}:
            raise ValueError(f"a digest is not {self.width} bytes long")
        rows = np.empty(len(self.digests), self._type)
        rows["digest"] = np.frombuffer(joined, f"S{self.width}")
        rows["label"] = self.labels
        rows["size"] = self.sizes
        for held in (self.digests, self.labels, self.sizes):
            held.clear()
        self._put(rows)

    def _put(self, rows: Rows) -> None:
        leading = rows.view(np.uint8).reshape(len(rows), self._type.itemsize)[:, self._depth]
        # Not tofile(): it does not tell why a disk refused.
        self._file.write(rows[np.argsort(leading, kind="stable")].tobytes())
        counts = np.bincount(leading, minlength=_PARTS)
        self._borders.append(self._stored + np.concatenate(([0], np.cumsum(counts))))
        self._stored += len(rows)

    def _runs(self, part: int) -> Iterator[Rows]:
        for borders in self._borders:
            first, last = int(borders[part]), int(borders[part + 1])
            if last > first:
                self._file.seek(first * self._type.itemsize)
                yield np.frombuffer(self._file.read((last - first) * self._type.itemsize), self._type)

    def _divided(self, part: int) -> Iterator[Merged]:
        within = Sorter(self.width, self._scratch, self._depth + 1)
        for rows in self._runs(part):
            within._put(rows)
        return within.merged()


def _merge(rows: Rows) -> Merged:
    digests = rows["digest"]
    rows = rows[_order(digests)]
    digests = np.ascontiguousarray(rows["digest"])
    new = np.concatenate(([True], digests[1:] != digests[:-1]))
    starts = np.flatnonzero(new)
    labels, sizes = rows["label"], rows["size"]
    withdrawn = np.bitwise_or.reduceat(labels, starts) >= WITHDRAWN
    if len(starts) < len(rows):
        stated = np.where(sizes != NO_SIZE, np.arange(len(rows)), len(rows) - 1)
        # Where none of a digest's rows states a size, the last row of all stands in; it may belong to another digest.
        first = np.minimum.reduceat(stated, starts)
        ends = np.append(starts[1:], len(rows))
        sizes = np.where(first < ends, sizes[first], NO_SIZE)
    return Merged(digests[starts], starts, np.ascontiguousarray(labels & (WITHDRAWN - 1)), sizes, withdrawn)


def _order(digests: Digests) -> "npt.NDArray[np.int64]":
    """Places of the digests in ascending order; equal ones stay in theirs."""
    count, width = len(digests), digests.dtype.itemsize
    plain = np.ascontiguousarray(digests).view(np.uint8).reshape(count, width)
    words = np.zeros((count, -(-width // 8) * 8), np.uint8)
    words[:, :width] = plain
    columns = words.view(">u8").astype(np.uint64)
    order = np.argsort(columns[:, 0], kind="stable")
    leading = columns[order, 0]
    tied = np.flatnonzero(leading[1:] == leading[:-1])
    if len(tied) and (columns[order[tied]] != columns[order[tied + 1]]).any():
        # Digests that differ only behind the first eight bytes: hardly ever, but for perceptual ones.
        order = np.lexsort(columns.T[::-1])
    return order
