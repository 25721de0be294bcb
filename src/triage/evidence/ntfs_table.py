"""The master file table as columns: what a listing needs of each record, read in one pass over many records at once.

Records of the usual make are told apart from those that only `triage.evidence.ntfs_records` or The Sleuth Kit can
read. Layout: Russon and Fledel, "NTFS Documentation" (linux-ntfs), and TSK ``tsk_ntfs.h``.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triage.evidence.ntfs_attributes import Attributes, Walk
from triage.evidence.ntfs_runs import Geometry, NotPlain
from triage.evidence.source import ByteSource, UnreadableBytes

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

BAD: Final = 0
"""TSK finds the record torn."""
EXTENSION: Final = 1
"""It belongs to another record."""
UNUSED: Final = 2
"""It holds no attributes."""
ODD: Final = 3
"""It must be left to TSK."""
SEVERAL: Final = 4
"""Well-formed, but its streams are none of those below."""
RESIDENT: Final = 5
"""A file with nothing but an unnamed stream inside of the record."""
ONE_RUN: Final = 6
"""A file with nothing but an unnamed stream in one run."""
DIRECTORY: Final = 7
"""A directory with nothing but its index."""

IN_USE: Final = 1
IS_DIRECTORY: Final = 2

COLUMNS: Final = (
        ("kind", "u1"), ("flags", "u1"), ("sequence", "<u2"), ("links", "<u2"), ("mode", "<u2"), ("stream", "<u2"),
        ("uid", "<u4"), ("size", "<i8"), ("at", "<i8"), ("modified", "<i8"), ("accessed", "<i8"), ("changed", "<i8"),
        ("created", "<i8"), ("name_modified", "<i8"), ("name_accessed", "<i8"), ("name_changed", "<i8"),
        ("name_created", "<i8"),
)  # fmt: skip
"""Name and type, in the order of `Row`."""
Row = tuple[int, ...]
"""Kind, flags, sequence number, links, mode, id of the one stream, owner; its size, its place in the volume in bytes;
modified, accessed, changed and created of the record and of its name, in ns since 1970."""

_BOOT: Final = 7
"""Record of $Boot, of which alone a run may begin at cluster 0."""
_MASK: Final = (1 << 48) - 1
_STRIDE: Final = 512
_AT_ONCE: Final = 4 << 20
_MOST_RECORDS: Final = 4_000_000
_MOST_KEPT: Final = 192 << 20
_MOST_NAMES: Final = 8_000_000


class Table:
    """All records of a master file table.

    ``rows`` are as `Row` says. ``odd`` are the numbers of base records that are `ODD`. Names (other than DOS names) lie
    in ``names``: record, parent reference with its sequence number, and UTF-16, by record.

    Raises:
        NotPlain: something of it cannot be read, or makes TSK fail.
    """

    def __init__(self, source: ByteSource, geometry: Geometry) -> None:
        if geometry.records > _MOST_RECORDS:
            raise NotPlain("too many records")
        self.geometry = geometry
        self.rows: NDArray[Any] = np.zeros(geometry.records, list(COLUMNS))
        self.odd: list[int] = []
        self._source = source
        self._kept: dict[int, bytes] = {}
        self._room = _MOST_KEPT
        self._names: list[tuple[Words, Words, NDArray[np.int64], bytes]] = []
        step = _AT_ONCE // geometry.record
        for first in range(0, geometry.records, step):
            self._block(first, min(step, geometry.records - first))

    def row(self, number: int) -> Row:
        """One row."""
        row: Row = self.rows[number].item()
        return row

    def rows_of(self, numbers: list[int]) -> list[Row]:
        """Rows in the order of ``numbers``."""
        rows: list[Row] = self.rows[numbers].tolist()
        return rows

    def record(self, number: int) -> bytes:
        """A record as TSK reads it; empty if it is torn."""
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        size = self.geometry.record
        return repaired(self._read(number * size, size)) or b""

    def deleted(self) -> list[int]:
        """Numbers of the base records that are not in use."""
        rows = self.rows
        numbers: list[int] = np.nonzero((rows["kind"] >= ODD) & (rows["flags"] & IN_USE == 0))[0].tolist()
        return numbers

    def take_names(self, more: Iterable[tuple[int, int, bytes]]) -> "Names":
        """All names, once; ``more`` are those of the odd records, in their order."""
        rest = list(more)
        numbers = np.array([number for number, _, _ in rest], np.uint64)
        parents = np.array([parent for _, parent, _ in rest], np.uint64)
        lengths = np.array([len(name) for _, _, name in rest], np.int64)
        chunks = [*self._names, (numbers * np.uint64(1 << 16), parents, lengths, b"".join(name for _, _, name in rest))]
        self._names = []
        return Names(chunks)

    def _read(self, offset: int, length: int) -> bytes:
        try:
            data = self._source.read_at(offset, length)
        except UnreadableBytes as lost:
            raise NotPlain("the master file table cannot be read everywhere") from lost
        if len(data) != length:
            raise NotPlain("the master file table is cut off")
        return data

    def _block(self, first: int, count: int) -> None:
        size = self.geometry.record
        block = np.frombuffer(bytearray(self._read(first * size, count * size)), np.uint8).reshape(count, size)
        sound, strange = _put_back(block)
        head = block[:, :48].view("<u2")
        extension = (block[:, :48].view("<u8")[:, 4] & np.uint64(_MASK)) != 0
        base = sound & ~extension
        if (head[base, 10] > size).any():
            raise NotPlain("a record in which TSK finds no attributes")
        walk = Walk(block, np.nonzero(base)[0])
        found = Attributes(block, walk, self.geometry)
        rows = self.rows[first : first + count]
        rows["sequence"] = head[:, 8]
        rows["links"] = head[:, 9]
        rows["flags"] = head[:, 11] & 3
        rows["kind"] = np.where(sound, np.where(extension, EXTENSION, SEVERAL), BAD)
        odd = base & (found.odd | strange)
        if first == 0:
            odd[_BOOT : _BOOT + 1] = base[_BOOT : _BOOT + 1]
        rows["kind"][odd] = ODD
        unused = base & walk.empty() & ~strange
        rows["kind"][unused] = UNUSED
        self.odd += (np.nonzero(odd & ~unused)[0] + first).tolist()
        plain = np.nonzero(base & ~odd)[0]
        _times(rows, plain, walk.information[plain], walk.name[plain], block)
        _streams(rows, plain, found)
        self._keep(first, block, np.nonzero((rows["kind"] == SEVERAL) | (rows["kind"] == DIRECTORY))[0], walk.end)
        self._add_names(first, block, walk, ~odd)

    def _keep(self, first: int, block: Bytes, places: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        """Remember records that are needed once more, as far as they are used and room lasts."""
        for place, end in zip(places.tolist(), ends[places].tolist(), strict=True):
            if self._room > 0:
                self._kept[first + place] = kept = block[place, : end + 8].tobytes()
                self._room -= len(kept) + 64

    def _add_names(self, first: int, block: Bytes, walk: Walk, wanted: NDArray[np.bool_]) -> None:
        rows, places = walk.names()
        mine = wanted[rows]
        rows, places = rows[mine], places[mine]
        flat = block.reshape(-1)
        begins = rows * block.shape[1] + places + 24
        lengths = flat[begins + 64].astype(np.int64) * 2
        order = (rows + first).astype(np.uint64) * np.uint64(1 << 16) + places.astype(np.uint64)
        parents = flat.view("<u8")[begins // 8]
        total = int(lengths.sum())
        before = np.repeat(np.cumsum(lengths) - lengths, lengths)
        text = flat[np.repeat(begins + 66, lengths) + np.arange(total) - before].tobytes()
        self._names.append((order, parents, lengths, text))


class Names:
    """The $FILE_NAME attributes of all base records, ordered by record and place in it."""

    def __init__(self, chunks: list[tuple[Words, Words, NDArray[np.int64], bytes]]) -> None:
        places = np.concatenate([chunk[0] for chunk in chunks])
        if len(places) > _MOST_NAMES:
            raise NotPlain("too many names")
        order = np.argsort(places, kind="stable")
        lengths = np.concatenate([chunk[2] for chunk in chunks])
        ends = np.cumsum(lengths)
        self._text = b"".join(chunk[3] for chunk in chunks)
        self._begin = (ends - lengths)[order]
        self._end = ends[order]
        self._record = (places >> np.uint64(16))[order].astype(np.int64)
        self._parent = np.concatenate([chunk[1] for chunk in chunks])[order]
        self._by_parent = np.argsort(self._parent, kind="stable")
        self._parents = self._parent[self._by_parent]

    def below(self, directory: int, sequence: int) -> list[tuple[int, bytes]]:
        """Record and UTF-16 of each name whose parent is ``directory`` with that sequence number."""
        key = np.uint64(sequence << 48 | directory)
        low, high = np.searchsorted(self._parents, key, "left"), np.searchsorted(self._parents, key, "right")
        found = self._by_parent[low:high]
        text = self._text
        places = zip(self._record[found].tolist(), self._begin[found].tolist(), self._end[found].tolist(), strict=True)
        return [(record, text[begin:end]) for record, begin, end in places]

    def of(self, record: int) -> list[tuple[int, int, bytes]]:
        """Parent, its sequence number and UTF-16 of each name of ``record``."""
        low, high = np.searchsorted(self._record, record, "left"), np.searchsorted(self._record, record, "right")
        parents = self._parent[low:high].tolist()
        places = zip(parents, self._begin[low:high].tolist(), self._end[low:high].tolist(), strict=True)
        return [(parent & _MASK, parent >> 48, self._text[begin:end]) for parent, begin, end in places]


def repaired(stored: bytes) -> bytes | None:
    """A record with the ends of its sectors put back out of the update sequence, or `None` where TSK refuses it."""
    size = len(stored)
    place, count = int.from_bytes(stored[4:6], "little"), int.from_bytes(stored[6:8], "little")
    if not count or (count - 1) * _STRIDE > size or place + 3 > size - (count - 1) * 2:
        return None
    record = bytearray(stored)
    mark = record[place : place + 2]
    for end in range(_STRIDE, count * _STRIDE, _STRIDE):
        place += 2
        if record[end - 2 : end] != mark:
            return None
        record[end - 2 : end] = record[place : place + 2]
    return bytes(record)


def _put_back(block: Bytes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Repair all records of ``block`` in place; which of them are sound, and which of those oddly made."""
    count, size = block.shape
    sectors = size // _STRIDE
    words = block.view("<u2")
    places = words[:, 2].astype(np.int64)
    counts = words[:, 3].astype(np.int64)
    refused = (counts == 0) | ((counts - 1) * _STRIDE > size) | (places + 3 > size - (counts - 1) * 2)
    usual = ~refused & (counts == sectors + 1) & (places % 2 == 0) & (places + 2 * counts <= _STRIDE - 2)
    rows = np.nonzero(usual)[0]
    flat = words.reshape(-1)
    kept = rows * (size // 2) + places[rows] // 2
    whole = np.ones(len(rows), np.bool_)
    for sector in range(1, sectors + 1):
        whole &= words[rows, sector * (_STRIDE // 2) - 1] == flat[kept]
    rows, kept = rows[whole], kept[whole]
    for sector in range(1, sectors + 1):
        words[rows, sector * (_STRIDE // 2) - 1] = flat[kept + sector]
    sound = np.zeros(count, np.bool_)
    sound[rows] = True
    strange = np.zeros(count, np.bool_)
    for row in np.nonzero(~refused & ~usual)[0].tolist():
        record = repaired(block[row].tobytes())
        if record is not None:
            block[row] = np.frombuffer(record, np.uint8)
            sound[row] = strange[row] = True
    return sound, strange


def _times(
    rows: NDArray[Any],
    plain: NDArray[np.int64],
    information: NDArray[np.int64],
    name: NDArray[np.int64],
    block: Bytes,
) -> None:
    """Times, mode and owner out of $STANDARD_INFORMATION and of the last $FILE_NAME that is not a DOS name."""
    longs, words = block.reshape(-1).view("<i8"), block.reshape(-1).view("<u4")
    begin = plain * block.shape[1]
    si, fn = (begin + information) // 8 + 3, (begin + name) // 8 + 4
    for offset, which in enumerate(("created", "modified", "changed", "accessed")):
        rows[which][plain] = (longs[si + offset] - UNIX_EPOCH) * 100
        rows["name_" + which][plain] = (longs[fn + offset] - UNIX_EPOCH) * 100
    dos = words[si * 2 + 8]
    rows["mode"][plain] = 0o111 | np.where(dos & 1, 0, 0o444) | np.where(dos & 2, 0, 0o222)
    rows["uid"][plain] = words[si * 2 + 12]


def _streams(rows: NDArray[Any], plain: NDArray[np.int64], found: Attributes) -> None:
    """Kind, stream, size and place of the records whose only stream is of a usual kind."""
    is_directory = rows["flags"][plain] & IS_DIRECTORY != 0
    for kind, mine in ((RESIDENT, found.resident), (ONE_RUN, found.one_run), (DIRECTORY, found.index)):
        chosen = plain[mine[plain] & (is_directory == (kind == DIRECTORY))]
        rows["kind"][chosen] = kind
        rows["stream"][chosen] = found.id[chosen]
        rows["size"][chosen] = found.size[chosen]
        rows["at"][chosen] = found.at[chosen]


UNIX_EPOCH: Final = 116_444_736_000_000_000
"""1970 in units of 100 ns since 1601."""
