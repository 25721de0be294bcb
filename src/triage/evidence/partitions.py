"""Partition tables: one detector for MBR (with extended chains), GPT and the Apple partition map.

Allocated partitions carry the number of their entry, as dfvfs has it: in an MBR ``p1`` to ``p4`` for the four primary
entries, then four for each extended table in the order of the chain (``p5``, ``p9`` …); in a GPT and in an Apple map
the place of the entry, unused ones counted. They are listed by start. Gaps are ``u1``, ``u2`` … by start.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from triage.evidence import apm, gpt, mbr
from triage.evidence.entry import OpenOptions
from triage.evidence.layout import ORIGIN, UNALLOCATED, Layout, Part, place
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_TABLES: Final = {"gpt": "GUID partition table", "mbr": "MBR partition table", "apm": "Apple partition map"}


def detect(source: ByteSource, locator: Locator, _options: OpenOptions) -> Layout | None:
    """The partition table at the start of ``source``, if there is one.

    A GPT is looked for before an Apple map and an MBR, because it carries an MBR for protection. A bare FAT, NTFS or
    ISO 9660 file system also begins with what can be read as an MBR. A table is therefore *sound* only if every used
    entry has a boot flag of 0 or 0x80, a start after the table, a length, does not overlap another, and at least one
    begins inside the source; a file system at offset 0 goes before a table that is not sound, and never before one
    that is.
    """
    table = gpt.read(source, locator) or apm.read(source, locator) or mbr.read(source, locator)
    if table is None:
        return None
    parts: list[Part] = []
    notices: list[Notice] = list(table.notices)
    for part in table.parts:
        placed, doubts = place(source, locator, part)
        parts.append(placed)
        notices.extend(doubts)
    parts = sorted([*parts, *gaps(source, parts)], key=lambda part: part.offset)
    if overlap := next(_overlaps(table.parts), None):
        notices.append(notice(NoticeKind.DAMAGED, locator, f"partitions overlap: {overlap}", ORIGIN))
    return replace(table, description=_TABLES[table.type], parts=tuple(parts), notices=tuple(notices), table=True)


def gaps(source: ByteSource, parts: Iterable[Part]) -> list[Part]:
    """The runs of ``source`` that no part covers, as unallocated parts."""
    found: list[Part] = []
    end = 0
    for start, stop in [*sorted((p.offset, p.offset + p.size) for p in parts), (source.size, source.size)]:
        gap = min(start, source.size) - end
        if gap > 0:
            gap_part = Part(f"u{len(found) + 1}", UNALLOCATED, end, gap, "no partition", state=UNALLOCATED)
            found.append(place(source, Locator(""), gap_part)[0])
        end = max(end, stop)
    return found


def _overlaps(parts: Iterable[Part]) -> Iterator[str]:
    last: Part | None = None
    for part in sorted(parts, key=lambda part: (part.offset, part.size)):
        if last is not None and part.offset < last.offset + last.size:
            yield f"{last.id} and {part.id}"
        last = part if last is None or part.offset + part.size > last.offset + last.size else last
