"""The GUID partition table, from its first header or, where that is damaged, from the backup at the end.

Format: UEFI specification 2.10, section 5.3. Header: signature ``EFI PART`` (0), header size (12), header CRC-32
(16), own sector (24), backup's sector (32), sector of the entries (72), their count (80), size (84) and CRC-32 (88).
Entry: type GUID (0), own GUID (16), first (32) and last sector (40, inclusive), attributes (48), name in UTF-16 (56,
72 bytes). All little endian.
"""

import struct
import uuid
import zlib
from dataclasses import dataclass, replace
from typing import Final

from triage.evidence import mbr
from triage.evidence.layout import ORIGIN, Layout, Part
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_SECTOR_SIZES: Final = (512, 4096, 1024, 2048)
_MAX_ENTRIES: Final = 4096
_MAX_ENTRY: Final = 4096
_UNUSED: Final = bytes(16)

TYPES: Final = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI system",
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
    "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Basic data",
    "de94bba4-06d1-4d40-a16a-bfd50179d6ac": "Windows recovery",
    "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3": "Windows dynamic disk metadata",
    "af9b60a0-1431-4f62-bc68-3311714a69ad": "Windows dynamic disk data",
    "e75caf8f-f680-4cee-afa3-b001e56efc2d": "Windows storage spaces",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux filesystem",
    "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
    "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
    "a19d880f-05fc-4d3b-a006-743f0f84911e": "Linux RAID",
    "ca7d7ccb-63ed-4c53-861c-1742536059cc": "Linux LUKS",
    "48465300-0000-11aa-aa11-00306543ecac": "Apple HFS+",
    "7c3457ef-0000-11aa-aa11-00306543ecac": "Apple APFS",
    "53746f72-6167-11aa-aa11-00306543ecac": "Apple CoreStorage",
    "426f6f74-0000-11aa-aa11-00306543ecac": "Apple boot",
    "fe3a2a5d-4f32-41a7-b725-accc3285a309": "ChromeOS kernel",
    "3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec": "ChromeOS root",
}


@dataclass(frozen=True, slots=True)
class _Header:
    """A header whose signature is right; ``valid`` tells whether both of its check values are."""

    sector_size: int
    backup: int
    entry_size: int
    entries: bytes
    valid: bool


def read(source: ByteSource, locator: Locator) -> Layout | None:
    """The GPT of ``source``; `None` if neither of its headers is there. Its parts are not yet clipped to the source."""
    primary = next((h for size in _SECTOR_SIZES if (h := _header(source, size, size))), None)
    if primary is not None and primary.valid:
        return _layout(source, locator, primary, _backup_doubt(source, locator, primary))
    backup = _last_header(source, primary)
    if backup is not None and backup.valid:
        text = "the first GPT header is damaged: the backup at the end is used"
        return _layout(source, locator, backup, [notice(NoticeKind.DAMAGED, locator, text, ORIGIN)])
    if primary is None:
        return None
    text = "the check values of the GPT do not match and there is no valid backup: its entries may be wrong"
    return replace(_layout(source, locator, primary, [notice(NoticeKind.DAMAGED, locator, text, ORIGIN)]), sound=False)


def _header(source: ByteSource, offset: int, sector_size: int) -> _Header | None:
    try:
        data = source.read_at(offset, sector_size)
    except UnreadableBytes:
        return None
    if len(data) < 92 or data[:8] != b"EFI PART":
        return None
    size, crc = struct.unpack_from("<II", data, 12)
    own, backup = struct.unpack_from("<QQ", data, 24)
    first, count, entry_size, entries_crc = struct.unpack_from("<QIII", data, 72)
    if not (92 <= size <= len(data) and 128 <= entry_size <= _MAX_ENTRY and count <= _MAX_ENTRIES):
        return None
    try:
        entries = source.read_at(first * sector_size, count * entry_size)
    except UnreadableBytes:
        return None
    checked = zlib.crc32(data[:16] + bytes(4) + data[20:size])
    valid = crc == checked and entries_crc == zlib.crc32(entries) and own * sector_size == offset
    return _Header(sector_size, backup, entry_size, entries, valid)


def _last_header(source: ByteSource, primary: _Header | None) -> _Header | None:
    places = [(source.size // size * size - size, size) for size in _SECTOR_SIZES[:2]]
    if primary is not None:
        places.append((primary.backup * primary.sector_size, primary.sector_size))
    found = (_header(source, offset, size) for offset, size in places if 0 < offset < source.size)
    return next((header for header in found if header is not None), None)


def _backup_doubt(source: ByteSource, locator: Locator, primary: _Header) -> list[Notice]:
    offset = primary.backup * primary.sector_size
    if offset >= source.size:  # said for each partition that is cut off, and harmless where none is
        return [notice(NoticeKind.REMARK, locator, "the backup GPT lies beyond the end of the source", ORIGIN)]
    backup = _header(source, offset, primary.sector_size)
    if backup is not None and backup.valid and backup.entries == primary.entries:
        return []
    text = "the backup GPT is missing, damaged or differs from the first, which is used"
    return [notice(NoticeKind.REMARK, locator, text, ORIGIN)]


def _layout(source: ByteSource, locator: Locator, header: _Header, notices: list[Notice]) -> Layout:
    parts: list[Part] = []
    for index in range(len(header.entries) // header.entry_size):
        entry = header.entries[index * header.entry_size :][:128]
        if entry[:16] == _UNUSED:
            continue
        first, last = struct.unpack_from("<QQ", entry, 32)
        if first == 0 or last < first:
            text = f"GPT entry {index + 1} names the sectors {first} to {last}: not a partition"
            notices.append(notice(NoticeKind.DAMAGED, locator, text, ORIGIN))
            continue
        size = (last - first + 1) * header.sector_size
        parts.append(Part(f"p{index + 1}", "gpt", first * header.sector_size, size, _description(entry)))
    parts += _hybrid(source, locator, parts, notices)
    return Layout("gpt", parts=tuple(parts), notices=tuple(notices))


def _description(entry: bytes) -> str:
    guid = str(uuid.UUID(bytes_le=entry[:16]))
    name = entry[56:128].decode("utf-16-le", "backslashreplace").partition("\0")[0]
    kind = TYPES.get(guid, guid)
    return f'{kind} "{name}"' if name and name != kind else kind


def _hybrid(source: ByteSource, locator: Locator, parts: list[Part], notices: list[Notice]) -> list[Part]:
    """Partitions that only the MBR beside the GPT names: another system would show them, so they are volumes too."""
    try:
        table = mbr.slots(source, 0) or ()
    except UnreadableBytes:
        return []
    known = {(part.offset, part.size) for part in parts}
    found: list[Part] = []
    for number, slot in enumerate(table, 1):
        run = (slot.start * mbr.SECTOR, slot.sectors * mbr.SECTOR)
        if not (slot.used and slot.plausible) or slot.type == mbr.PROTECTIVE or run in known:
            continue
        found.append(Part(f"mbr{number}", "mbr", *run, f"{mbr.describe(slot.type)}, not in the GPT"))
    if found:
        text = f"hybrid partition table: the MBR names {len(found)} partition(s) that the GPT does not"
        notices.append(notice(NoticeKind.REMARK, locator, text, ORIGIN))
    return found
