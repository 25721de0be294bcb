"""The Apple partition map.

Format: Inside Macintosh: Devices (1994), chapter 3: block 0 begins with ``ER`` and the block size (2, big endian, at
2); from block 1 on one entry a block: ``PM`` (0), number of entries (4), first block (8), block count (12), name
(16, 32 bytes), type (48, 32 bytes).
"""

import struct
from typing import Final

from triage.evidence.layout import ORIGIN, Layout, Part
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

MAX_ENTRIES: Final = 256
_NOT_VOLUMES: Final = frozenset({"Apple_partition_map", "Apple_Free", "Apple_Void", "Apple_Scratch"})


def read(source: ByteSource, locator: Locator) -> Layout | None:
    """The Apple partition map of ``source``, or `None`. Its parts are not yet clipped to the source.

    Some disks are addressed in blocks of 512 bytes though block 0 says 2048, so the place of entry 1 decides.
    """
    try:
        block = next((s for s in (512, 1024, 2048, 4096) if source.read_at(s, 2) == b"PM"), 0)
        if not block or source.read_at(0, 2) not in (b"ER", b"\0\0"):
            return None
        return _read(source, locator, block)
    except UnreadableBytes as error:
        return Layout("apm", notices=(notice(NoticeKind.UNREADABLE, locator, str(error), ORIGIN),), sound=False)


def _read(source: ByteSource, locator: Locator, block: int) -> Layout:
    notices: list[Notice] = []
    parts: list[Part] = []
    (stated,) = struct.unpack(">I", source.read_at(block + 4, 4).rjust(4, b"\0"))
    if stated > MAX_ENTRIES:
        text = f"the partition map states {stated} entries: the first {MAX_ENTRIES} are read"
        notices.append(notice(NoticeKind.LIMIT, locator, text, ORIGIN))
    for number in range(1, min(stated, MAX_ENTRIES) + 1):
        entry = source.read_at(number * block, 80)
        if len(entry) < 80 or entry[:2] != b"PM":
            text = f"entry {number} of {stated} of the partition map is not there"
            notices.append(notice(NoticeKind.DAMAGED, locator, text, ORIGIN))
            break
        first, count = struct.unpack_from(">II", entry, 8)
        name, kind = (entry[at : at + 32].partition(b"\0")[0].decode("mac-roman") for at in (16, 48))
        if kind not in _NOT_VOLUMES and first and count:
            text = f'{kind} "{name}"' if name else kind
            parts.append(Part(f"p{number}", "apm", first * block, count * block, text))
    return Layout("apm", parts=tuple(parts), notices=tuple(notices), sound=bool(parts))
