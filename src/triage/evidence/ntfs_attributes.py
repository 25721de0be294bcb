"""The attributes of many MFT records at once.

`Walk` goes from attribute to attribute in all records of a block in step; `Attributes` judges what it found: a record
in which anything is unusual is ``odd``, so that what is said of the others holds in every reader.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from triage.evidence import ntfs_runs
from triage.evidence.ntfs_runs import Geometry, NotPlain

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_INFORMATION: Final = 0x10
_LIST: Final = 0x20
_NAME: Final = 0x30
_DATA: Final = 0x80
_INDEX_ROOT: Final = 0x90
_LAST_TYPE: Final = 0x100
_END: Final = 0xFFFFFFFF
_DOS_NAMESPACE: Final = 2
_VALUE: Final = 24
_I30: Final = int.from_bytes("$I30".encode("utf-16-le"), "little")
_MOST: Final = 1 << 62
_LONGEST_UNIT: Final = 16
_UNIX_EPOCH: Final = 116_444_736_000_000_000
_NEAR: Final = 90_000_000_000_000_000
"""Units of 100 ns on both sides of 1970 whose nanoseconds fit into 64 bits."""


class Walk:
    """Where the attributes of the records in ``block`` lie that ``rows`` names; all places are bytes in the record.

    ``information``, ``name`` (the last one that is not for DOS) and ``stream`` are 0 where there is none, ``end`` is
    where the walk ended, ``streams`` counts the data streams and index roots.
    """

    def __init__(self, block: NDArray[np.uint8], rows: Numbers) -> None:
        count, self._size = block.shape
        flat = block.reshape(-1)
        self._bytes, self._words = flat, flat.view("<u4")
        self.odd: Flags = np.zeros(count, np.bool_)
        self.twice: Flags = np.zeros(count, np.bool_)
        """Has two attributes of one type (names aside)."""
        self.information: Numbers = np.zeros(count, np.int64)
        self.name: Numbers = np.zeros(count, np.int64)
        self.stream: Numbers = np.zeros(count, np.int64)
        self.streams: Numbers = np.zeros(count, np.int64)
        self.end: Numbers = np.zeros(count, np.int64)
        self._names: list[tuple[Numbers, Numbers]] = []
        self._outside: list[tuple[Numbers, Numbers]] = []
        self._previous: Numbers = np.zeros(count, np.int64)
        at = block[rows, 20].astype(np.int64) + block[rows, 21].astype(np.int64) * 256
        self.odd[rows[(at % 8 != 0) | (at < 48)]] = True
        while len(rows):
            rows, at = self._step(rows, at)

    def empty(self) -> Flags:
        """Which records hold no attributes."""
        empty: Flags = ~self.odd & (self._previous == 0)
        return empty

    def names(self) -> tuple[Numbers, Numbers]:
        """Row and place of each $FILE_NAME that is not for DOS."""
        return _joined(self._names)

    def outside(self) -> tuple[Numbers, Numbers]:
        """Row and place of each non-resident attribute."""
        return _joined(self._outside)

    def _step(self, rows: Numbers, at: Numbers) -> tuple[Numbers, Numbers]:
        self.end[rows] = at
        going = ~self.odd[rows] & (at + 16 <= self._size)
        rows, at = rows[going], at[going]
        word = (rows * self._size + at) // 4
        kind, length = self._words[word].astype(np.int64), self._words[word + 1].astype(np.int64)
        going = (kind != _END) & (length != 0)
        rows, at, word, kind, length = rows[going], at[going], word[going], kind[going], length[going]
        shape = self._words[word + 2].astype(np.int64)
        name_end = (shape >> 16) + ((shape >> 8 & 0xFF) << 1)
        sane = (kind % 16 == 0) & (kind > 0) & (kind <= _LAST_TYPE) & (kind != _LIST) & (kind >= self._previous[rows])
        sane &= (length % 8 == 0) & (length >= _VALUE) & (at + length <= self._size) & (name_end <= length)
        sane &= shape & 0xFF <= 1
        self.odd[rows[~sane]] = True
        rows, at, word, kind, length, shape = rows[sane], at[sane], word[sane], kind[sane], length[sane], shape[sane]
        self.twice[rows[(kind == self._previous[rows]) & (kind != _NAME)]] = True
        self._previous[rows] = kind
        inside = shape & 0xFF == 0
        self._outside.append((rows[~inside], at[~inside]))
        value = self._words[word + 5].astype(np.int64) & 0xFFFF
        wrong = inside & ((value < _VALUE) | (value + self._words[word + 4] > length))
        wrong |= (kind <= _NAME) & (~inside | (value != _VALUE))
        wrong |= (kind == _INFORMATION) & ((length < 72) | (at + 76 > self._size) | (self.information[rows] != 0))
        wrong |= (kind == _NAME) & (length < 96)
        self._note(rows, at, word, kind, length, wrong)
        self.odd[rows[wrong]] = True
        return rows, at + length

    def _note(self, rows: Numbers, at: Numbers, word: Numbers, kind: Numbers, length: Numbers, wrong: Flags) -> None:
        mine = kind == _INFORMATION
        self.information[rows[mine]] = at[mine]
        mine = (kind == _DATA) | (kind == _INDEX_ROOT)
        self.stream[rows[mine]] = at[mine]
        self.streams[rows[mine]] += 1
        mine = np.nonzero((kind == _NAME) & ~wrong)[0]
        units, space = self._bytes[word[mine] * 4 + 88].astype(np.int64), self._bytes[word[mine] * 4 + 89]
        cut = _VALUE + 66 + 2 * units > length[mine]
        wrong[mine[cut]] = True
        mine = mine[~cut & (space != _DOS_NAMESPACE)]
        self.name[rows[mine]] = at[mine]
        self._names.append((rows[mine], at[mine]))


class Attributes:
    """What the attributes of `Walk` say: ``odd``, and by the only stream of a record that has one: ``resident``,
    ``one_run`` or ``index``, with its ``id``, ``size`` and place in the volume in bytes (``at``)."""

    def __init__(self, block: NDArray[np.uint8], walk: Walk, geometry: Geometry) -> None:
        count, self._size = block.shape
        flat = block.reshape(-1)
        self._bytes, self._halves = flat, flat.view("<u2")
        self._words, self._longs = flat.view("<u4"), flat.view("<u8")
        self._geometry = geometry
        self.odd: Flags = walk.odd | (walk.information == 0) | (walk.name == 0)
        self._judge_times(walk)
        self._twice(np.nonzero(walk.twice & ~self.odd)[0], block)
        self.id: Numbers = np.zeros(count, np.int64)
        self.size: Numbers = np.zeros(count, np.int64)
        self.at: Numbers = np.full(count, -1, np.int64)
        self.one_run: Flags = np.zeros(count, np.bool_)
        self._runs(*walk.outside(), walk)
        single = np.nonzero((walk.streams == 1) & ~self.odd)[0]
        self._single(single, single * self._size + walk.stream[single])

    def _judge_times(self, walk: Walk) -> None:
        rows = np.nonzero(~self.odd)[0]
        longs = self._longs.view("<i8")
        for places, skip in ((walk.information, 3), (walk.name, 4)):
            first = (rows * self._size + places[rows]) // 8 + skip
            for offset in range(4):
                moment = longs[first + offset]
                self.odd[rows[(moment < _UNIX_EPOCH - _NEAR) | (moment > _UNIX_EPOCH + _NEAR)]] = True

    def _twice(self, rows: Numbers, block: NDArray[np.uint8]) -> None:
        for row in rows.tolist():
            self.odd[row] = _clash(block[row].tobytes())

    def _runs(self, rows: Numbers, at: Numbers, walk: Walk) -> None:
        """Judge all run lists, and read those of one run."""
        mine = ~self.odd[rows]
        rows, at = rows[mine], at[mine]
        begin = rows * self._size + at
        length = self._words[begin // 4 + 1].astype(np.int64)
        place = self._halves[begin // 2 + 16].astype(np.int64)
        sane = (length >= 72) & (place >= 64) & (place < length) & (self._halves[begin // 2 + 17] <= _LONGEST_UNIT)
        self.odd[rows[~sane]] = True
        rows, at, begin, length, place = rows[sane], at[sane], begin[sane], length[sane], place[sane]
        allocated, size, valid = (self._longs[begin // 8 + skip] for skip in (5, 6, 7))
        head = self._bytes[begin + place].astype(np.int64)
        wrong = (self._longs[begin // 8 + 2] != 0) | (size >= _MOST) | (allocated >= _MOST)
        wrong |= ((allocated != 0) & (allocated < size)) | ((size == 0) & (head & 15 != 0))
        self.odd[rows[wrong]] = True
        first, run_length, next_head = self._first_run(begin + place, head, begin + length)
        simple = (head & 15 > 0) & (next_head & 15 == 0) & (first > 0) & (run_length > 0)
        simple &= (run_length <= self._geometry.clusters) & (first + run_length <= self._geometry.clusters)
        self._others(rows[~simple], begin[~simple], place[~simple], length[~simple])
        cluster, end = self._geometry.cluster, self._geometry.end
        usable = simple & (size > 0) & (valid >= size) & (at == walk.stream[rows])
        usable &= (self._words[begin // 4 + 3] & 0xFFFF == 0) & (size.astype(np.int64) <= run_length * cluster)
        usable &= first * cluster + size.astype(np.int64) <= end
        self.one_run[rows[usable]] = True
        self.at[rows[usable]] = (first * cluster)[usable]

    def _first_run(self, at: Numbers, head: Numbers, limit: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Offset and length of the first run, and the byte behind it; 0 and 0 if these take too many bytes."""
        width, shift = head & 15, head >> 4
        small = (width <= 6) & (shift <= 6) & (shift > 0) & (at + width + shift < limit)
        at, width, shift = np.where(small, at, 0), np.where(small, width, 0), np.where(small, shift, 0)
        length: Numbers = np.zeros(len(at), np.int64)
        first: Numbers = np.zeros(len(at), np.int64)
        for byte in range(6):
            step = np.minimum(at + 1 + byte, len(self._bytes) - 1)
            length += np.where(byte < width, self._bytes[step].astype(np.int64) << (8 * byte), 0)
            step = np.minimum(at + 1 + width + byte, len(self._bytes) - 1)
            first += np.where(byte < shift, self._bytes[step].astype(np.int64) << (8 * byte), 0)
        negative = self._bytes[at + width + shift] & 0x80 != 0
        behind = at + 1 + width + shift
        inside = behind < limit
        next_head = np.where(inside, self._bytes[np.where(inside, behind, 0)], 0).astype(np.int64)
        return np.where(small & ~negative, first, 0), np.where(small, length, 0), next_head

    def _others(self, rows: Numbers, begin: Numbers, place: Numbers, length: Numbers) -> None:
        for row, at, end in zip(rows.tolist(), (begin + place).tolist(), (begin + length).tolist(), strict=True):
            try:
                ntfs_runs.decode(self._bytes[at:end].tobytes(), self._geometry)
            except NotPlain:
                self.odd[row] = True

    def _single(self, rows: Numbers, begin: Numbers) -> None:
        """Judge the only stream of each row."""
        kind = self._words[begin // 4]
        shape = self._words[begin // 4 + 2]
        inside, units = shape & 0xFF == 0, shape >> 8 & 0xFF
        unnamed = (kind == _DATA) & (units == 0)
        indexed = (kind == _INDEX_ROOT) & inside & (units == 4) & (shape >> 16 == _VALUE)
        indexed &= self._longs[begin // 8 + 3] == _I30
        count = len(self.odd)
        self.resident: Flags = np.zeros(count, np.bool_)
        self.resident[rows[unnamed & inside]] = True
        self.index: Flags = np.zeros(count, np.bool_)
        self.index[rows[indexed]] = True
        outside = np.zeros(count, np.bool_)
        outside[rows[unnamed & ~inside]] = True
        self.one_run &= outside
        self.id[rows] = self._halves[begin // 2 + 7]
        self.size[rows] = np.where(inside, self._words[begin // 4 + 4], self._longs[begin // 8 + 6].astype(np.int64))


def _joined(parts: list[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    none = np.zeros(0, np.int64)
    rows, places = zip((none, none), *parts, strict=True)
    return np.concatenate(rows), np.concatenate(places)


def _clash(record: bytes) -> bool:
    """Whether TSK would take two attributes of one type for pieces of one, by their ids."""
    seen: dict[int, set[int]] = {}
    at = int.from_bytes(record[20:22], "little")
    while at + 16 <= len(record):
        kind, length = int.from_bytes(record[at : at + 4], "little"), int.from_bytes(record[at + 4 : at + 8], "little")
        if kind == _END or not length:
            break
        number = int.from_bytes(record[at + 14 : at + 16], "little")
        known = seen.setdefault(kind, set())
        if record[at + 8] and known and (number == 0 or number in known):
            return True
        known.add(number)
        at += length
    return False
