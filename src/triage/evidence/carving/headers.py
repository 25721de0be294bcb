"""The search for headers: one pass over the source in windows, cheap where there is nothing."""

from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from typing import Final

import hyperscan
import numpy as np
import numpy.typing as npt

from triage.evidence.carving.formats import FORMATS, HEADER, HEADER_BYTES, Format
from triage.evidence.carving.found import Unexamined
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

_WINDOW: Final = 4 << 20
_SECTOR: Final = 512
_SMALL_STEP: Final = 64
"""From this step on, looking at each place is cheaper than a search of all bytes."""


class Headers:
    """Where files may begin in ``source``: at ``base`` + *n* x ``step``, and where it is told to look more closely."""

    def __init__(self, source: ByteSource, base: int, step: int, stop: int) -> None:
        self._source = source
        self._base = base
        self._step = step
        self._stop = stop
        self._size = source.size
        self._at = self._end = base
        self._window = b""
        self._places: list[int] = []
        self._dense_from = self._dense_to = 0
        self._extra = -1
        self._lost: list[Unexamined] = []

    def after(self, place: int) -> tuple[int, Format] | None:
        """The first place from ``place`` on where a header stands, with its format; `None` if there is no more."""
        while True:
            if not self._at <= place < self._end and not self._load(place):
                return None
            for index in range(bisect_left(self._places, place), len(self._places)):
                found = self._places[index]
                if found >= self._stop:
                    return None
                match = HEADER.match(self._window, found - self._at)
                if match is not None and match.lastindex is not None:
                    return found, FORMATS[match.lastindex - 1]
            place = self._end

    def look_at(self, place: int) -> None:
        """Look at this place too, the next to be asked for."""
        if self._at <= place < self._end:
            self._add(place)
        else:
            self._extra = place

    def look_closely(self, first: int, last: int) -> None:
        """Look at every offset from ``first``, which must not lie behind the window, to before ``last``."""
        first = max(first, self._dense_to)
        if first >= last:
            return
        self._dense_from, self._dense_to = first, last
        if self._step >= _SMALL_STEP:
            for place in self._dense(first, last, embedded=True):
                self._add(place)

    def lost(self) -> list[Unexamined]:
        """Unreadable stretches met since this was asked last, neighbours as one."""
        lost, self._lost = self._lost, []
        return lost

    def _add(self, place: int) -> None:
        at = bisect_left(self._places, place)
        if self._places[at : at + 1] != [place]:
            self._places.insert(at, place)

    def _load(self, place: int) -> bool:
        """Take in the window that begins at ``place``, or behind what is unreadable there; false at the end."""
        while place < min(self._size, self._stop):
            length = min(_WINDOW + HEADER_BYTES, self._size - place)
            lost, message = self._read(place, length)
            if not lost:
                break
            if self._lost and self._lost[-1].offset + self._lost[-1].length >= place:
                previous = self._lost.pop()
                self._lost.append(previous._replace(length=place + lost - previous.offset))
            else:
                self._lost.append(Unexamined(place, lost, NoticeKind.UNREADABLE, message))
            place = self._aligned(place + lost)
        else:
            return False
        self._at, self._end = place, place + min(_WINDOW, len(self._window))
        places = set(self._strided())
        if self._step < _SMALL_STEP:
            dense = self._dense(self._at, self._end, embedded=False)
            places.update(place for place in dense if not (place - self._base) % self._step)
        elif self._dense_to > self._at:
            places.update(self._dense(max(self._at, self._dense_from), self._dense_to, embedded=True))
        if self._at <= self._extra < self._end:
            places.add(self._extra)
        self._places = sorted(places)
        return bool(self._window)

    def _read(self, place: int, length: int) -> tuple[int, str]:
        """Read up to ``length`` readable bytes as the window; if there are none, how many are lost, and why."""
        while True:
            try:
                self._window = self._source.read_at(place, length)
            except UnreadableBytes as error:
                if not place < error.offset < place + length:
                    return max(1, min(error.offset + error.length - place, length)), str(error)
                length = error.offset - place
            else:
                return 0, ""

    def _aligned(self, place: int) -> int:
        return place + (self._base - place) % self._step

    def _strided(self) -> Iterator[int]:
        """Places of the window at steps where the key of a format stands."""
        step = self._step if self._step >= _SMALL_STEP else _SECTOR
        first = (self._base - self._at) % step
        data = np.frombuffer(self._window, np.uint8)
        for key_at, table in _tables():
            high = data[first + key_at : self._end - self._at + key_at : step]
            low = data[first + key_at + 1 :: step][: len(high)]
            hits = np.flatnonzero(table[(high[: len(low)].astype(np.uint16) << 8) | low])
            yield from (self._at + first + hits * step).tolist()

    def _dense(self, first: int, last: int, embedded: bool) -> list[int]:
        """Places of the window in ``[first, last)``, at any offset, where a probe matches (``embedded`` or all)."""
        first, last = max(first, self._at), min(last, self._end)
        data = self._window[first - self._at : last - self._at + HEADER_BYTES]
        places: list[int] = []
        reaches = [each.reach for each in FORMATS]

        def found(number: int, _: int, end: int, __: int, ___: object) -> None:
            places.append(first + end - reaches[number])

        if len(data):
            _probes(embedded).scan(data, match_event_handler=found)
        return [place for place in places if first <= place < last]


@cache
def _tables() -> tuple[tuple[int, npt.NDArray[np.bool_]], ...]:
    """For each distance of keys from the beginning: which values of two bytes are a key."""
    tables: dict[int, npt.NDArray[np.bool_]] = {}
    for kind in FORMATS:
        table = tables.setdefault(kind.key_at, np.zeros(1 << 16, np.bool_))
        for key in kind.keys:
            low = key[0] << 8 | (key[1] if len(key) > 1 else 0)
            table[low : low + 1 if len(key) > 1 else low + 256] = True
    return tuple(tables.items())


@cache
def _probes(embedded: bool) -> hyperscan.Database:
    """All probes, for one search at every offset; ids are places in `FORMATS`."""
    chosen = [(number, kind.probe) for number, kind in enumerate(FORMATS) if kind.reach and kind.embedded >= embedded]
    database = hyperscan.Database()
    database.compile(
        expressions=[probe for _, probe in chosen],
        ids=[number for number, _ in chosen],
        elements=len(chosen),
        flags=hyperscan.HS_FLAG_DOTALL,
    )
    return database
