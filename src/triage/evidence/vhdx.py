"""Hyper-V virtual hard disks, version 2 (VHDX and the ``.avhdx`` of checkpoints).

Read here because libvhdi (20260901) yields the bytes of the parent for blocks that a child declares zero or unmapped,
and does not find a parent by its relative path.

Format: Microsoft, [MS-VHDX] 2.2 (headers and regions), 2.5 (block allocation table), 2.6 (metadata). All numbers are
little-endian.
"""

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence.filelike import BlockSource
from triage.evidence.files import FileSource
from triage.evidence.layers import Layers, read_padded, read_stored
from triage.evidence.source import ByteSource
from triage.notices import NoticeKind

MAGIC: Final = b"vhdxfile"
_KIB: Final = 1 << 10
_MIB: Final = 1 << 20
_MAX_SIZE: Final = 64 << 40  # [MS-VHDX] 2.6.2.2
_BAT: Final = "2dc27766-f623-4200-9d64-115e9bfd4a08"
_METADATA: Final = "8b7ca206-4790-4b9a-b8fe-575f050f886e"
_PARAMETERS: Final = "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
_SIZE: Final = "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
_SECTOR: Final = "8141bf1d-a96f-4709-ba47-f233a8faab5f"
_LOCATOR: Final = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"
_KNOWN: Final = frozenset(
    [
        *(_PARAMETERS, _SIZE, _SECTOR, _LOCATOR),
        "beca12ab-b2e6-4523-93ef-c309e000c746",  # identifier of the disk
        "cda348c7-445d-4471-9cc9-e9885251c556",  # physical sector size
    ]
)
_HAS_PARENT: Final = 2
_REQUIRED: Final = 4
_NOT_PRESENT, _FULLY_PRESENT, _PARTIALLY_PRESENT = 0, 6, 7
_PAGE: Final = 64 * _KIB


@dataclass(frozen=True, slots=True)
class VhdxMetadata:
    """What a disk says about itself; sizes in bytes. ``parent`` is the locator of the disk below, empty without one."""

    size: int
    block: int
    sector: int
    bat_at: int
    bat_length: int
    identifier: str
    unfinished: bool
    parent: Mapping[str, str]

    @property
    def blocks_per_bitmap(self) -> int:
        """Payload blocks that share one sector bitmap; their entries in the table are followed by the bitmap's."""
        return (1 << 23) * self.sector // self.block


def read_metadata(file: ByteSource, name: str) -> VhdxMetadata:
    """Parse headers, region table and metadata.

    Raises:
        EvidenceError: they are missing or impossible.
        UnsupportedEvidence: a required metadata item that is not known here.
    """
    identifier, unfinished = _header(file, name)
    regions = _regions(file, name)
    if _BAT not in regions or _METADATA not in regions:
        raise EvidenceError(f"{name}: the VHDX region table lacks a region that every disk has")
    items = _items(file, regions[_METADATA], name)
    parameters, size = _number(items, _PARAMETERS, "<Q", name), _number(items, _SIZE, "<Q", name)
    sector = _number(items, _SECTOR, "<I", name)
    block, flags = parameters & 0xFFFF_FFFF, parameters >> 32
    if not 0 < size <= _MAX_SIZE or sector not in (512, 4096) or block & (block - 1) or not _MIB <= block <= 256 * _MIB:
        raise EvidenceError(f"{name}: impossible VHDX numbers (size {size}, block {block}, sector {sector})")
    bat_at, bat_length = regions[_BAT]
    parent = _locator(items.get(_LOCATOR, b""), name) if flags & _HAS_PARENT else {}
    found = VhdxMetadata(size, block, sector, bat_at, bat_length, identifier, unfinished, parent)
    blocks = -(-size // block)
    if 8 * (blocks + (blocks - 1) // found.blocks_per_bitmap) > bat_length or bat_at + bat_length > file.size:
        raise EvidenceError(f"{name}: the block table of a VHDX of {size} bytes does not fit; the file is cut short")
    return found


def _header(file: ByteSource, name: str) -> tuple[str, bool]:
    """Identifier of the content by the newer header, and whether changes wait in the log."""
    headers = [file.read_at(at * _KIB, 80) for at in (64, 128)]
    valid = [header for header in headers if header.startswith(b"head") and len(header) == 80]
    if not valid:
        raise EvidenceError(f"{name}: both VHDX headers are damaged")
    current = max(valid, key=lambda header: int.from_bytes(header[8:16], "little"))
    return _guid(current[32:48]), any(current[48:64])


def _regions(file: ByteSource, name: str) -> dict[str, tuple[int, int]]:
    for at in (192, 256):
        table = file.read_at(at * _KIB, _PAGE)
        count = int.from_bytes(table[8:12], "little")
        if table.startswith(b"regi") and count <= 2047 and len(table) == _PAGE:
            entries = (struct.unpack_from("<16sQI", table, 16 + 32 * index) for index in range(count))
            return {_guid(kind): (offset, length) for kind, offset, length in entries}
    raise EvidenceError(f"{name}: both VHDX region tables are damaged")


def _items(file: ByteSource, region: tuple[int, int], name: str) -> dict[str, bytes]:
    at, length = region
    table = file.read_at(at, min(length, _PAGE))
    count = int.from_bytes(table[10:12], "little")
    if not table.startswith(b"metadata") or len(table) < 32 + 32 * count:
        raise EvidenceError(f"{name}: the VHDX metadata table is damaged")
    items: dict[str, bytes] = {}
    for index in range(count):
        kind, offset, size, flags = struct.unpack_from("<16sIII", table, 32 + 32 * index)
        if flags & _REQUIRED and _guid(kind) not in _KNOWN:
            raise UnsupportedEvidence(f"{name}: required VHDX metadata {_guid(kind)} is not known")
        items[_guid(kind)] = file.read_at(at + offset, min(size, _MIB))
    return items


def _number(items: Mapping[str, bytes], key: str, form: str, name: str) -> int:
    stored = items.get(key, b"")
    if len(stored) < struct.calcsize(form):
        raise EvidenceError(f"{name}: VHDX metadata {key} is missing")
    return int(struct.unpack_from(form, stored)[0])


def _locator(stored: bytes, name: str) -> dict[str, str]:
    count = int.from_bytes(stored[18:20], "little")
    if len(stored) < 20 + 12 * count or not count:
        raise EvidenceError(f"{name}: a VHDX that stands on a parent does not name it")
    found: dict[str, str] = {}
    for index in range(count):
        key_at, value_at, key_size, value_size = struct.unpack_from("<IIHH", stored, 20 + 12 * index)
        key = stored[key_at : key_at + key_size].decode("utf-16-le", "replace")
        found[key] = stored[value_at : value_at + value_size].decode("utf-16-le", "replace")
    return found


def _guid(stored: bytes) -> str:
    return str(uuid.UUID(bytes_le=bytes(stored)))


class VhdxSource(BlockSource):
    """The media of one disk over its parent, if it has one."""

    def __init__(self, file: FileSource, metadata: VhdxMetadata, parent: ByteSource | None) -> None:
        super().__init__(metadata.size)
        self._file, self._metadata, self._parent = file, metadata, parent
        self._page = lru_cache(64)(lambda number: file.read_at(metadata.bat_at + number * _PAGE, _PAGE))

    def _entry(self, index: int) -> tuple[int, int]:
        """State and file offset of an entry of the block allocation table."""
        page, inside = divmod(8 * index, _PAGE)
        entry = int.from_bytes(self._page(page)[inside : inside + 8], "little")
        return entry & 7, entry >> 20 << 20

    def _load(self, offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        while length > 0:
            block, inside = divmod(offset, self._metadata.block)
            step = min(length, self._metadata.block - inside)
            parts.append(self._piece(block, inside, offset, step))
            offset, length = offset + step, length - step
        return b"".join(parts)

    def _piece(self, block: int, inside: int, offset: int, length: int) -> bytes:
        chunk, number = divmod(block, self._metadata.blocks_per_bitmap)
        state, host = self._entry(block + chunk)
        if state == _FULLY_PRESENT:
            return read_stored(self._file, host + inside, offset, length)
        if self._parent is None or state not in (_NOT_PRESENT, _PARTIALLY_PRESENT):
            # Zero, unmapped and undefined blocks are not those of the parent ([MS-VHDX] 2.5.1.1).
            return bytes(length)
        if state == _NOT_PRESENT:
            return read_padded(self._parent, offset, length)
        bitmap_at = self._entry(chunk * (self._metadata.blocks_per_bitmap + 1) + self._metadata.blocks_per_bitmap)[1]
        return self._mixed(bitmap_at, number, host, inside, offset, length)

    def _mixed(self, bitmap_at: int, number: int, host: int, inside: int, offset: int, length: int) -> bytes:
        """Bytes of a block of which some sectors are here and some in the parent; one bit each, the lowest first."""
        sector = self._metadata.sector
        first = number * (self._metadata.block // sector)
        start, stop = first + inside // sector, first + (inside + length - 1) // sector
        bitmap = read_stored(self._file, bitmap_at + start // 8, offset, stop // 8 - start // 8 + 1)
        parts: list[bytes] = []
        for index in range(start, stop + 1):
            step = min(length, sector - inside % sector)
            here = bitmap[index // 8 - start // 8] >> index % 8 & 1
            below = self._parent if not here else None
            parts.append(
                read_padded(below, offset, step) if below else read_stored(self._file, host + inside, offset, step)
            )
            offset, inside, length = offset + step, inside + step, length - step
        return b"".join(parts)

    def close(self) -> None:
        """See `ByteSource.close`."""
        self._file.close()
        if self._parent is not None:
            self._parent.close()


def open_vhdx(layers: Layers) -> tuple[VhdxSource, VhdxMetadata]:
    """Open the last of ``layers`` with all the disks below it.

    Raises:
        EvidenceError: a structure is impossible, or a parent is not beside the disk.
    """
    path = layers.files[-1]
    file = FileSource(path)
    if not file.read_at(0, 8) == MAGIC:
        raise EvidenceError(f"{path}: no VHDX disk")
    metadata = read_metadata(file, str(path))
    if metadata.unfinished:
        message = f"{path.name} was not closed cleanly; changes that are in its log only are not seen"
        layers.doubts.append((NoticeKind.DAMAGED, message))
    if not metadata.parent:
        return VhdxSource(file, metadata, None), metadata
    names = [metadata.parent.get(key, "") for key in ("relative_path", "absolute_win32_path", "volume_path")]
    layers.parent(path, next((name for name in names if name), ""))
    source, below = open_vhdx(layers)
    linkage = [metadata.parent.get(key, "").strip("{}").lower() for key in ("parent_linkage", "parent_linkage2")]
    if below.identifier not in linkage:
        message = f"{path.name} was made above content {linkage[0]}, its parent now holds {below.identifier}"
        layers.doubts.append((NoticeKind.DAMAGED, f"{message}: the parent was changed later, or is another disk"))
    return VhdxSource(file, metadata, source), metadata
