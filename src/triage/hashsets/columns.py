"""Writing the columns of a set: aligned, digested while they are written, each no wider than it must be."""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from triage.hashsets.entry import DIGEST_BYTES
from triage.hashsets.index_format import ALIGNMENT, MOST_BITS, MOST_ROWS, Section
from triage.hashsets.sort import NO_SIZE, Digests, Scratch

KEPT_WHOLE: Final = frozenset({"pdq", "photodna"})
"""Values that are compared by distance: kept whole, so that they can be mapped as they are."""
_PER_BUCKET: Final = 16
_STEP: Final = 1 << 20


class Output:
    """A stream that knows where it is, and the SHA-256 of all that went into it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.place = 0
        self._stream = stream
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Write all of ``data``."""
        self._stream.write(data)
        self._digest.update(data)
        self.place += len(data)

    def align(self) -> int:
        """Go on to the next aligned place, and return it."""
        self.write(bytes(-self.place % ALIGNMENT))
        return self.place

    def digest(self) -> bytes:
        """SHA-256 of everything so far."""
        return self._digest.digest()


class SectionWriter:
    """Writes one section: digests in ascending order, then the other columns, whose width shows at the end only.

    ``most`` is the largest number of digests that may come.
    """

    def __init__(self, out: Output, algorithm: str, most: int, scratch: Scratch) -> None:
        self._out = out
        self._algorithm = algorithm
        self._bits = min(MOST_BITS, (most // _PER_BUCKET).bit_length())
        self._drop = 0 if algorithm in KEPT_WHOLE else self._bits // 8
        self._counts = np.zeros(1 << self._bits, np.int64)
        self._keys = out.align()
        self._rows = 0
        self._labels = _Waiting("<u4", scratch)
        self._sizes = _Waiting("<i8", scratch)

    def add(self, digests: Digests, labels: "npt.NDArray[np.uint32]", sizes: "npt.NDArray[np.int64]") -> None:
        """Write digests that come after all before, with their labels and sizes (`NO_SIZE` where none is stated)."""
        if not len(digests):
            return
        plain = np.ascontiguousarray(digests).view(np.uint8).reshape(len(digests), DIGEST_BYTES[self._algorithm])
        self._out.write(plain[:, self._drop :].tobytes())
        buckets = bucket_numbers(plain, self._bits)
        counts = np.bincount(buckets - buckets[0])
        self._counts[buckets[0] : buckets[0] + len(counts)] += counts
        self._rows += len(digests)
        self._labels.add(labels)
        self._sizes.add(sizes)

    def finish(self) -> Section:
        """Write the other columns.

        Raises:
            ValueError: there are more digests than a table can count.
        """
        if self._rows >= MOST_ROWS:
            raise ValueError(f"more than {MOST_ROWS - 1:,} {self._algorithm} digests; divide the lists")
        table = self._out.align()
        self._out.write(np.concatenate(([0], np.cumsum(self._counts))).astype("<u4").tobytes())
        labels, label_width = self._out.align(), self._labels.width()
        for some in self._labels.chunks() if label_width else ():
            self._out.write(some.astype(f"<u{label_width}").tobytes())
        sizes, size_width = self._out.align(), self._size_width()
        for some in self._sizes.chunks() if size_width else ():
            self._out.write((some - NO_SIZE).astype(f"<u{size_width}").tobytes())
        return Section(
            self._algorithm, self._rows, self._bits, self._drop, self._keys, table,
            labels, label_width, self._labels.lowest if self._rows and not label_width else 0, sizes, size_width,
        )  # fmt: skip

    def _size_width(self) -> int:
        if self._sizes.highest == NO_SIZE:
            return 0
        return 4 if self._sizes.highest + 1 < 1 << 32 else 8


class _Waiting:
    """Numbers that wait in a scratch file until it is known how wide their column must be."""

    def __init__(self, kind: str, scratch: Scratch) -> None:
        self.lowest = 1 << 62
        self.highest = NO_SIZE
        self._type = np.dtype(kind)
        self._file = scratch.file()

    def add(self, numbers: "npt.NDArray[np.uint32] | npt.NDArray[np.int64]") -> None:
        self.lowest = min(self.lowest, int(numbers.min()))
        self.highest = max(self.highest, int(numbers.max()))
        self._file.write(numbers.astype(self._type).tobytes())

    def width(self) -> int:
        """Bytes that each of the numbers needs; none if all are the same."""
        if self.highest <= self.lowest:
            return 0
        return 1 if self.highest < 1 << 8 else 2 if self.highest < 1 << 16 else 4

    def chunks(self) -> Iterator["npt.NDArray[np.int64]"]:
        self._file.seek(0)
        while data := self._file.read(_STEP * self._type.itemsize):
            yield np.frombuffer(data, self._type)


def bucket_numbers(digests: "npt.NDArray[np.uint8]", bits: int) -> "npt.NDArray[np.int64]":
    """The numbers that the first ``bits`` bits make, of digests as rows of bytes."""
    leading = digests[:, :3].astype(np.int64)
    return ((leading[:, 0] << 16) | (leading[:, 1] << 8) | leading[:, 2]) >> (MOST_BITS - bits)
