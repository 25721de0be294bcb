"""Times of FAT and exFAT directory entries, read from the entry itself.

TSK turns their wall-clock time into UTC with the zone of the process, which makes results depend on the machine and
loses times in the hour that daylight saving skips. The metadata address of TSK is the place of the 32-byte entry
(``tsk_fatfs.h``: entry number in the data area plus 3), so it is read again here, and no zone is touched.

Differences from TSK: years to 2107 and not 2037; a date that cannot be is no date and not a nearby one.

Layout of entries and dates: Microsoft, "FAT: General Overview of On-Disk Format" 1.03, and "exFAT file system
specification".
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from triage.evidence.entry import EntryTimes
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.times import SECOND

_ENTRY: Final = 32
_FIRST: Final = 3
_FAT_TIMES: Final = struct.Struct(
    "<13xBHHH2xHH6x"
)  # tenths, created time and date, accessed date, modified time and date
_EXFAT_TIMES: Final = struct.Struct("<8xIIIBB10x")  # created, modified, accessed; 10 ms steps of the first two
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def dos_time(date: int, time: int, ten_ms: int = 0) -> int | None:
    """Nanoseconds of a DOS date and time, read as if they were UTC; `None` if there is none or it is impossible.

    ``ten_ms`` counts steps of 10 ms up to 1.99 s.

    >>> dos_time(0x5821, 0x6000), dos_time(0, 0), dos_time(0xFFFF, 0)
    (1704110400000000000, None, None)
    """
    hour, minute, second = time >> 11, time >> 5 & 63, (time & 31) * 2
    try:
        moment = datetime((date >> 9) + 1980, date >> 5 & 15, date & 31, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return ((moment - _EPOCH) // _STEP) * SECOND + min(ten_ms, 199) * 10_000_000


_STEP: Final = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC) - _EPOCH


@dataclass(frozen=True, slots=True)
class FatDirectoryEntries:
    """Where the directory entries of one FAT or exFAT volume lie; ``start`` is the first byte that can hold one."""

    source: ByteSource
    start: int
    is_exfat: bool

    def times(self, address: int) -> EntryTimes | None:
        """The times of the entry at metadata address ``address``; `None` if it cannot be read."""
        if address < _FIRST:
            return None
        try:
            entry = self.source.read_at(self.start + (address - _FIRST) * _ENTRY, _ENTRY)
        except UnreadableBytes:
            return None
        if len(entry) < _ENTRY:
            return None
        if self.is_exfat:
            created, modified, accessed, created_ten, modified_ten = _EXFAT_TIMES.unpack(entry)
            return EntryTimes(
                dos_time(modified >> 16, modified & 0xFFFF, modified_ten),
                dos_time(accessed >> 16, accessed & 0xFFFF),
                None,
                dos_time(created >> 16, created & 0xFFFF, created_ten),
            )
        ten_ms, created_time, created_date, accessed_date, time, date = _FAT_TIMES.unpack(entry)
        return EntryTimes(
            dos_time(date, time), dos_time(accessed_date, 0), None, dos_time(created_date, created_time, ten_ms)
        )


def locate(source: ByteSource, is_exfat: bool) -> FatDirectoryEntries | None:
    """Read the boot sector of ``source`` (or its backup in sector 6); `None` if neither makes sense."""
    for sector in (0, 6):
        try:
            boot = source.read_at(sector * 512, 512)
        except UnreadableBytes:
            continue
        start = _data_area(boot, is_exfat) if len(boot) == 512 else 0
        if start:
            return FatDirectoryEntries(source, start, is_exfat)
    return None


def _data_area(boot: bytes, is_exfat: bool) -> int:
    if is_exfat:
        shift = boot[108]
        heap = int.from_bytes(boot[88:92], "little")
        return heap << shift if 9 <= shift <= 12 else 0
    sector, _, reserved, tables = struct.unpack_from("<HBHB", boot, 11)
    per_table = int.from_bytes(boot[22:24], "little") or int.from_bytes(boot[36:40], "little")
    if sector not in (512, 1024, 2048, 4096) or not reserved or not 1 <= tables <= 8 or not per_table:
        return 0
    return int((reserved + tables * per_table) * sector)
