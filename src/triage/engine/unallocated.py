"""Space of a file system that belongs to no live file, as entries that carving goes through.

It is what remains when the content of all live files is taken away: free clusters with what deleted files have left
there, slack behind the ends of files, and structures of the file system itself. It begins and ends at sectors.
"""

from array import array
from collections.abc import Iterator
from typing import Final

from triage.evidence.entry import Entry, EntryFlag, EntryType, Extent, FileSystem
from triage.notices import Notice, NoticeKind, notice

FOLDER: Final = "/$Unallocated"
ADDRESS: Final = "unallocated"
ORIGIN: Final = "unallocated"
SECTOR: Final = 512
_PART: Final = 1 << 30
_MOST_EXTENTS: Final = 1 << 16
_AHEAD: Final = 64 << 20
"""How far a file that begins in one part may reach into what the next part holds, in bytes."""
_FREE: Final = int(EntryFlag.DELETED | EntryFlag.META_UNALLOCATED | EntryFlag.REALLOCATED)
_RESIDENT: Final = int(EntryFlag.RESIDENT)

Spans = list[tuple[int, int]]


class Unallocated:
    """Collects where live content of a file system lies, and gives the rest of it as entries."""

    def __init__(self, file_system: FileSystem) -> None:
        self._file_system = file_system
        self._live = array("q")
        self._known = self._unknown = 0

    def see(self, entry: Entry) -> None:
        """Another entry of the walk."""
        if entry.flags & _FREE:
            return
        if entry.extents is None:
            self._unknown += entry.type == EntryType.FILE and entry.size > 0 and not entry.flags & _RESIDENT
            return
        for offset, length in entry.extents:
            if offset >= 0 and length > 0:
                self._known += 1
                self._live.extend((offset, offset + length))

    def entries(self) -> Iterator[Entry | Notice]:
        """One virtual entry for each part of up to 1 GiB, behind all others of the walk, and what must be said."""
        source, where = self._file_system.source, self._file_system.locator
        if source is None or (self._unknown and not self._known):
            message = "which space belongs to no file is not known in this file system: it was not searched"
            yield notice(NoticeKind.NOT_EXAMINED, where, message, ORIGIN)
            return
        if self._unknown:
            message = f"the content of {self._unknown:,} files whose places are not known counts as unallocated"
            yield notice(NoticeKind.REMARK, where, message, ORIGIN)
        spans = _gaps(self._live, source.size)
        number = first = used = 0
        while first < len(spans):
            extents, last, end = _part(spans, first, used, _PART, _MOST_EXTENTS)
            own = sum(extent.length for extent in extents)
            ahead, _, _ = _part(spans, last, end, _AHEAD, _MOST_EXTENTS)
            number += 1
            yield Entry(
                f"{FOLDER}/part-{number:05d}", EntryType.VIRTUAL_FILE, f"{ADDRESS}-{extents[0].offset}-{own}",
                own + sum(extent.length for extent in ahead), int(EntryFlag.VIRTUAL), extents=(*extents, *ahead),
                name_type=EntryType.VIRTUAL_FILE,
            )  # fmt: skip
            first, used = last, end


def own_bytes(entry: Entry) -> int:
    """How many bytes of a part are its own; what is behind them belongs to the next part too."""
    return int(entry.address.rpartition("-")[2])


def _gaps(live: "array[int]", size: int) -> Spans:
    """What lies between the live spans (pairs of begin and end in ``live``), from sector to sector."""
    import numpy as np  # the coordinator reads constants of this module, and has no time for this at its start

    spans = np.frombuffer(live, np.int64).reshape(-1, 2) if live else np.empty((0, 2), np.int64)
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    ends = np.concatenate(([0], np.maximum.accumulate(spans[:, 1]) if len(spans) else []))
    begins = np.concatenate((spans[:, 0], [size]))
    first = -(-ends.astype(np.int64) // SECTOR) * SECTOR
    last = np.minimum(begins.astype(np.int64), size)
    wide = last - first >= SECTOR
    return list(zip(first[wide].tolist(), last[wide].tolist(), strict=True))


def _part(spans: Spans, first: int, used: int, most: int, count: int) -> tuple[list[Extent], int, int]:
    """Extents of up to ``most`` bytes, ``used`` bytes into span ``first`` and on; the span and place where they end."""
    extents: list[Extent] = []
    while first < len(spans) and most > 0 and len(extents) < count:
        begin, end = spans[first][0] + used, spans[first][1]
        length = min(end - begin, most)
        extents.append(Extent(begin, length))
        most -= length
        first, used = (first + 1, 0) if begin + length == end else (first, used + length)
    return extents, first, used
