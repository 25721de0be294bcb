"""The MBR partition table with its chain of extended partition tables.

Format: IBM PC/AT layout as in the UEFI specification 2.10, section 5.2.1 (legacy MBR): four entries of 16 bytes at
offset 446, signature 55 AA at 510; an entry holds boot flag (1), CHS (3), type (1), CHS (3), first sector (4) and
sector count (4), little endian. In an extended table the first sector of a logical partition counts from that table,
that of the next table from the start of the outermost extended partition.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from triage.evidence.layout import ORIGIN, Layout, Part
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

SECTOR: Final = 512
EXTENDED: Final = frozenset({0x05, 0x0F, 0x85})
PROTECTIVE: Final = 0xEE
MAX_LOGICAL: Final = 256

TYPES: Final = {
    0x01: "FAT12",
    0x04: "FAT16",
    0x06: "FAT16",
    0x07: "NTFS / exFAT",
    0x0B: "FAT32",
    0x0C: "FAT32 LBA",
    0x0E: "FAT16 LBA",
    0x11: "hidden FAT12",
    0x14: "hidden FAT16",
    0x16: "hidden FAT16",
    0x17: "hidden NTFS / exFAT",
    0x1B: "hidden FAT32",
    0x1C: "hidden FAT32 LBA",
    0x1E: "hidden FAT16 LBA",
    0x27: "Windows recovery",
    0x42: "Windows dynamic disk",
    0x82: "Linux swap",
    0x83: "Linux",
    0x8E: "Linux LVM",
    0xA5: "FreeBSD",
    0xA6: "OpenBSD",
    0xA8: "macOS UFS",
    0xA9: "NetBSD",
    0xAB: "macOS boot",
    0xAF: "HFS / HFS+",
    0xBF: "Solaris",
    0xEE: "GPT protective",
    0xEF: "EFI system",
    0xFD: "Linux RAID",
}


class Slot(NamedTuple):
    """One of the four entries of a table; ``start`` and ``sectors`` count sectors of 512 bytes."""

    flag: int
    type: int
    start: int
    sectors: int

    @property
    def used(self) -> bool:
        """Whether the entry names a partition at all."""
        return self.type != 0 and self.sectors != 0

    @property
    def plausible(self) -> bool:
        """Whether an honest tool could have written it."""
        return self.flag in (0, 0x80) and self.start > 0


def slots(source: ByteSource, sector: int) -> tuple[Slot, ...] | None:
    """The entries of the table in ``sector``, or `None` without its signature.

    Raises:
        UnreadableBytes: the sector cannot be read.
    """
    data = source.read_at(sector * SECTOR, SECTOR)
    if len(data) < SECTOR or data[510:512] != b"\x55\xaa":
        return None
    fields = (struct.unpack_from("<B3xB3xII", data, 446 + 16 * n) for n in range(4))
    return tuple(Slot(*entry) for entry in fields)


def describe(type_code: int) -> str:
    """The usual name of a partition type, with the code.

    >>> describe(7)
    'NTFS / exFAT (0x07)'
    """
    return f"{TYPES.get(type_code, 'unknown type')} (0x{type_code:02x})"


def read(source: ByteSource, locator: Locator) -> Layout | None:
    """The MBR of ``source``; `None` if there is no signature or no used entry.

    The table is sound as `triage.evidence.partitions.detect` says. Its parts are not yet clipped to the source.
    """
    try:
        table = slots(source, 0)
    except UnreadableBytes:
        return None
    used = [slot for slot in table or () if slot.used]
    likely = [(number, slot) for number, slot in enumerate(table or (), 1) if slot.used and slot.plausible]
    if not likely:
        return None
    inside = any(slot.start * SECTOR < source.size for _, slot in likely)
    if not inside and len(likely) < len(used):
        return None  # other bytes with the same signature, such as the boot sector of a file system
    chain = _Chain(source, locator)
    found = [numbered for numbered in likely if numbered[1].type not in EXTENDED]
    for _, slot in likely:
        if slot.type in EXTENDED:
            found += chain.follow(slot)
    parts = tuple(_part(number, slot) for number, slot in found)
    if len(likely) < len(used):
        text = f"{len(used) - len(likely)} of {len(used)} entries of the partition table are impossible"
        chain.notices.append(notice(NoticeKind.DAMAGED, locator, text, ORIGIN))
    sound = inside and len(likely) == len(used) and _disjoint(used)
    return Layout("mbr", parts=parts, notices=tuple(chain.notices), sound=sound)


def _part(number: int, slot: Slot) -> Part:
    return Part(f"p{number}", "mbr", slot.start * SECTOR, slot.sectors * SECTOR, describe(slot.type))


def _disjoint(used: list[Slot]) -> bool:
    ordered = sorted(used, key=lambda slot: slot.start)
    return all(a.start + a.sectors <= b.start for a, b in pairwise(ordered))


@dataclass(slots=True)
class _Chain:
    """The walk along extended tables; ends at the first repeated sector and at `MAX_LOGICAL` tables."""

    source: ByteSource
    locator: Locator
    notices: list[Notice]
    seen: set[int]

    def __init__(self, source: ByteSource, locator: Locator) -> None:
        self.source, self.locator, self.notices, self.seen = source, locator, [], set()

    def follow(self, outer: Slot) -> list[tuple[int, Slot]]:
        """The logical partitions in ``outer`` with their numbers and absolute start sectors."""
        found: list[tuple[int, Slot]] = []
        sector: int | None = outer.start
        while sector is not None:
            if not self._enter(sector):
                break
            table = self._table(sector)
            if table is None:
                break
            likely = [(n, slot) for n, slot in enumerate(table, 1) if slot.used and slot.flag in (0, 0x80)]
            for number, slot in likely:
                if slot.type not in EXTENDED and slot.start:
                    found.append((4 * len(self.seen) + number, slot._replace(start=sector + slot.start)))
            links = [slot.start for _, slot in likely if slot.type in EXTENDED]
            sector = outer.start + links[0] if links else None
        return found

    def _enter(self, sector: int) -> bool:
        if sector in self.seen:
            self._doubt(NoticeKind.LOOP, f"the chain of extended partition tables returns to sector {sector}")
            return False
        if len(self.seen) >= MAX_LOGICAL:
            self._doubt(NoticeKind.LIMIT, f"more than {MAX_LOGICAL} extended tables: the rest is not listed")
            return False
        self.seen.add(sector)
        return True

    def _table(self, sector: int) -> tuple[Slot, ...] | None:
        if sector * SECTOR + SECTOR > self.source.size:
            self._doubt(NoticeKind.TRUNCATED, f"the extended partition table at sector {sector} is beyond the end")
            return None
        try:
            table = slots(self.source, sector)
        except UnreadableBytes as error:
            self._doubt(NoticeKind.UNREADABLE, f"extended partition table at sector {sector}: {error}")
            return None
        if table is None:
            self._doubt(NoticeKind.DAMAGED, f"the extended partition table at sector {sector} has no signature")
        return table

    def _doubt(self, kind: NoticeKind, message: str) -> None:
        self.notices.append(notice(kind, self.locator, message, ORIGIN))
