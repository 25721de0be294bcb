"""An index of the blocks of known files: one mapped file of sorted digests, each with its file and place in that.

Layout, little-endian: 16 letters; block size (4 bytes), number of files (4), of entries (8), length of the labels (8);
then columns: first halves of the MD5 digests as big-endian numbers, ascending (8 bytes each), second halves (8),
number of the file (4), number of the block (4); then for each file its count of distinct blocks (4) and where its label
ends (4); then the labels in UTF-8.
"""

import hashlib
import os
import struct
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from triage.evidence.source import ByteSource
from triage.hashsets.blocks import BLOCK, BlockMatch, FileMatch, distinct_blocks, summarise

_MAGIC: Final = b"triage blocks 1\n"
_HEAD: Final = struct.Struct("<16sIIQQ")
_ENTRY: Final = 24
_STEP: Final = 4 << 20
_MOST_PLACES: Final = 256
"""Places given for one digest at most: blocks that are in so many files are not distinct, whatever they look like."""


class Place(NamedTuple):
    """A block of a known file: the file's label, and the number of the block, from 0."""

    label: str
    block: int


class BlockIndexBuilder:
    """Collects the distinct blocks of known files; memory is 24 bytes for each."""

    def __init__(self, block: int = BLOCK) -> None:
        if block <= 0 or block % 4 or _STEP % block:
            raise ValueError(f"blocks of {block} bytes: not a multiple of four that divides {_STEP}")
        self.block = block
        self._high, self._low, self._file, self._number = array("Q"), array("Q"), array("I"), array("I")
        self._labels: dict[str, int] = {}

    def add_file(self, label: str, source: ByteSource) -> int:
        """Take in a known file; how many of its whole blocks are distinct.

        Raises:
            ValueError: there is a file with this label already.
            UnreadableBytes: some of it cannot be had; nothing of it is taken in.
        """
        if label in self._labels:
            raise ValueError(f"two known files are called {label}")
        found: list[tuple[int, bytes]] = []
        for offset in range(0, source.size, _STEP):
            data = source.read_at(offset, min(_STEP, source.size - offset))
            found += [(offset // self.block + number, digest) for number, digest in _distinct(data, self.block)]
        for number, digest in found:
            high, low = struct.unpack(">QQ", digest)
            self._high.append(high)
            self._low.append(low)
            self._file.append(len(self._labels))
            self._number.append(number)
        self._labels[label] = len(found)
        return len(found)

    def write(self, path: Path) -> None:
        """Write the index to ``path``, whole or not at all; the same files in the same order give the same bytes.

        Raises:
            OSError: it cannot be written.
        """
        high, low = np.array(self._high, "<u8"), np.array(self._low, "<u8")
        file, number = np.array(self._file, "<u4"), np.array(self._number, "<u4")
        order = np.lexsort((number, file, low, high))
        names = [label.encode("utf-8", "surrogatepass") for label in self._labels]
        ends = np.cumsum([len(name) for name in names], dtype="<u4") if names else np.zeros(0, "<u4")
        counts = np.array(list(self._labels.values()), "<u4")
        text = b"".join(names)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_HEAD.pack(_MAGIC, self.block, len(names), len(high), len(text)))
                for column in (high[order], low[order], file[order], number[order], counts, ends):
                    stream.write(column.tobytes())
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


class BlockIndex:
    """An index that was written before, mapped into memory."""

    def __init__(self, path: Path) -> None:
        """Open an index.

        Raises:
            OSError: it cannot be read.
            ValueError: it is none, or its parts do not fit together.
        """
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(_HEAD.size)
        if len(head) < _HEAD.size or head[:16] != _MAGIC:
            raise ValueError(f"{path}: not an index of blocks")
        _, self.block, files, entries, text = _HEAD.unpack(head)
        if not self.block or self.block % 4 or _STEP % self.block:
            raise ValueError(f"{path}: states blocks of {self.block} bytes")
        if _HEAD.size + _ENTRY * entries + 8 * files + text != size:
            raise ValueError(f"{path}: {size} bytes long, which does not fit its {entries} entries and {files} files")
        self.path = path
        self._map = np.memmap(path, np.uint8, "r")
        at = _HEAD.size
        self._high = self._map[at : at + 8 * entries].view("<u8")
        self._low = self._map[at + 8 * entries : at + 16 * entries].view("<u8")
        self._file = self._map[at + 16 * entries : at + 20 * entries].view("<u4")
        self._number = self._map[at + 20 * entries : at + 24 * entries].view("<u4")
        self._labels, counts = self._names(at + _ENTRY * entries, files)
        self.distinct = dict(zip(self._labels, counts, strict=True))

    def __len__(self) -> int:
        return len(self._high)

    def find(self, digest: bytes) -> tuple[Place, ...]:
        """All known blocks with this MD5 digest (16 bytes).

        Raises:
            ValueError: the digest has another length, or the index names a file that it has not.
        """
        if len(digest) != 16:
            raise ValueError(f"an MD5 digest has 16 bytes, not {len(digest)}")
        return self._places(np.frombuffer(digest, ">u8").reshape(1, 2).astype(np.uint64))[0]

    def find_blocks(self, data: bytes, base: int = 0, step: int = 0) -> list[BlockMatch]:
        """Known blocks in ``data``, which begins at offset ``base`` of what is searched, by offset.

        Blocks are looked for at every ``step`` bytes of ``data``, by default the block size. Where files do not begin
        at a multiple of that, 512 finds them, for eight times the work.

        Raises:
            ValueError: the index names a file that it has not, or ``step`` does not divide the block size.
        """
        step = step or self.block
        if step < 0 or self.block % step:
            raise ValueError(f"steps of {step} bytes do not divide blocks of {self.block}")
        matches: list[BlockMatch] = []
        for shift in range(0, self.block, step):
            distinct = list(_distinct(data[shift:], self.block))
            digests = np.frombuffer(b"".join(digest for _, digest in distinct), ">u8").reshape(-1, 2).astype(np.uint64)
            for (number, _), places in zip(distinct, self._places(digests), strict=True):
                offset = base + shift + number * self.block
                matches += [BlockMatch(offset, place.label, place.block) for place in places]
        return sorted(matches)

    def summarise(self, matches: Iterable[BlockMatch]) -> tuple[FileMatch, ...]:
        """Matches in this index by known file; see `triage.hashsets.blocks.summarise`."""
        return summarise(matches, self.distinct, self.block)

    def verify(self) -> None:
        """Read the whole index and check that it is in order.

        Raises:
            ValueError: digests are not ascending, or an entry names a file that the index has not.
        """
        for first in range(0, len(self._high), 1 << 20):
            part = self._high[first : first + (1 << 20) + 1]
            if (part[1:] < part[:-1]).any():
                raise ValueError(f"{self.path}: digests are not in order")
            if (self._file[first : first + (1 << 20)] >= len(self._labels)).any():
                raise ValueError(f"{self.path}: an entry names a file that the index has not")

    def _names(self, at: int, files: int) -> tuple[list[str], list[int]]:
        """Labels and counts of distinct blocks of all files."""
        counts = self._map[at : at + 4 * files].view("<u4").tolist()
        ends = self._map[at + 4 * files : at + 8 * files].view("<u4").tolist()
        text = self._map[at + 8 * files :].tobytes()
        starts = [0, *ends[:-1]] if ends else []
        if starts and (ends[-1] != len(text) or any(end < start for start, end in zip(starts, ends, strict=True))):
            raise ValueError(f"{self.path}: its labels are damaged")
        try:
            names = [text[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=True)]
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path}: its labels are not text") from error
        if len(set(names)) != len(names):
            raise ValueError(f"{self.path}: two files have the same label")
        return names, counts

    def _places(self, digests: npt.NDArray[np.uint64]) -> list[tuple[Place, ...]]:
        """Known blocks by digest, each given as two numbers."""
        lefts = np.searchsorted(self._high, digests[:, 0], "left").tolist()
        rights = np.searchsorted(self._high, digests[:, 0], "right").tolist()
        return [self._between(a, b, low) for a, b, low in zip(lefts, rights, digests[:, 1].tolist(), strict=True)]

    def _between(self, first: int, last: int, low: int) -> tuple[Place, ...]:
        """Entries in ``[first, last)`` whose second half is ``low``."""
        if first >= last:
            return ()
        hits = (first + np.flatnonzero(self._low[first:last] == low)[:_MOST_PLACES]).tolist()
        if any(self._file[hit] >= len(self._labels) for hit in hits):
            raise ValueError(f"{self.path}: an entry names a file that the index has not")
        return tuple(Place(self._labels[self._file[hit]], int(self._number[hit])) for hit in hits)


def _distinct(data: bytes, block: int) -> Iterator[tuple[int, bytes]]:
    """Number and MD5 digest of each distinct whole block."""
    for number in np.flatnonzero(distinct_blocks(data, block)).tolist():
        yield number, hashlib.md5(data[number * block : (number + 1) * block]).digest()
