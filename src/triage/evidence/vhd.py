"""Virtual PC and Hyper-V virtual hard disks, version 1: fixed, dynamic and differencing.

Read here because libvhdi (20260901) reads dynamic disks at 20 MB/s, where this did 378.

Format: Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0. All numbers are big-endian.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence.filelike import BlockSource
from triage.evidence.files import FileSource
from triage.evidence.layers import Layers, read_padded, read_stored
from triage.evidence.source import ByteSource, Slice, UnreadableBytes
from triage.notices import NoticeKind

MAGIC: Final = b"conectix"
_DYNAMIC: Final = b"cxsparse"
_SECTOR: Final = 512
_FIXED, _SPARSE, _DIFFERENCING = 2, 3, 4
_UNUSED: Final = 0xFFFF_FFFF
_MAX_SIZE: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class Footer:
    """The footer, of which dynamic disks have a copy at the start."""

    kind: int
    size: int
    header_at: int
    identifier: bytes
    intact: bool


def parse_footer(stored: bytes) -> Footer | None:
    """The footer in these 512 bytes, or `None` if there is none."""
    if len(stored) < _SECTOR or not stored.startswith(MAGIC):
        return None
    (header_at,) = struct.unpack_from(">Q", stored, 16)
    (size,) = struct.unpack_from(">Q", stored, 48)
    kind, checksum = struct.unpack_from(">II", stored, 60)
    return Footer(kind, size, header_at, stored[68:84], checksum == _checksum(stored[:_SECTOR], 64))


def _checksum(data: bytes, at: int) -> int:
    """One's complement of the sum of all bytes but those of the checksum itself."""
    return ~(sum(data) - sum(data[at : at + 4])) & 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class DynamicHeader:
    """Where the blocks of a dynamic disk are listed, and on which disk it stands."""

    table_at: int
    entries: int
    block: int
    parent_id: bytes
    parent_name: str


def _dynamic_header(file: FileSource, footer: Footer) -> DynamicHeader:
    stored = file.read_at(footer.header_at, 1024)
    if len(stored) < 1024 or not stored.startswith(_DYNAMIC):
        raise EvidenceError(f"{file.path}: the header of the dynamic VHD is missing")
    table_at, _, entries, block = struct.unpack_from(">QIII", stored, 16)
    if _checksum(stored, 36) != int.from_bytes(stored[36:40], "big"):
        raise EvidenceError(f"{file.path}: the header of the dynamic VHD is damaged")
    if block < _SECTOR or block & (block - 1) or not 0 < footer.size <= min(entries * block, _MAX_SIZE):
        raise EvidenceError(f"{file.path}: impossible VHD numbers (size {footer.size}, {entries} blocks of {block})")
    if table_at + 4 * entries > file.size:
        raise EvidenceError(f"{file.path}: the block table lies behind the end of the file; the file is cut short")
    name = stored[64:576].decode("utf-16-be", "replace").split("\0")[0]
    return DynamicHeader(table_at, entries, block, stored[40:56], name)


class DynamicSource(BlockSource):
    """The media of a dynamic or differencing disk. One bit for each sector tells whether it is here."""

    def __init__(self, file: FileSource, size: int, header: DynamicHeader, parent: ByteSource | None) -> None:
        super().__init__(size)
        self._file, self._block, self._parent = file, header.block, parent
        self._table = struct.unpack(f">{header.entries}I", file.read_at(header.table_at, 4 * header.entries))
        self._bitmap_size = -(-header.block // _SECTOR // 8 // _SECTOR) * _SECTOR
        self._bitmap = lru_cache(64)(self._read_bitmap)

    def _read_bitmap(self, sector: int) -> bytes:
        return self._file.read_at(sector * _SECTOR, self._bitmap_size)

    def _load(self, offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        while length > 0:
            block, inside = divmod(offset, self._block)
            step = min(length, self._block - inside)
            parts.extend(self._pieces(self._table[block], offset, inside, step))
            offset, length = offset + step, length - step
        return b"".join(parts)

    def _pieces(self, sector: int, offset: int, inside: int, length: int) -> list[bytes]:
        """Bytes of one block, run by run of sectors that are here or are not."""
        if sector == _UNUSED:
            return [self._below(offset, length)]
        bitmap = self._bitmap(sector)
        if len(bitmap) < self._bitmap_size:
            message = f"{self._file.path.name}: the block of media byte {offset} lies behind the end of the file"
            raise UnreadableBytes(message, offset, length)
        data_at = sector * _SECTOR + self._bitmap_size
        parts: list[bytes] = []
        while length > 0:
            here, run = _run(bitmap, inside // _SECTOR, -(-(inside + length) // _SECTOR))
            step = min(length, run * _SECTOR - inside)
            parts.append(read_stored(self._file, data_at + inside, offset, step) if here else self._below(offset, step))
            offset, inside, length = offset + step, inside + step, length - step
        return parts

    def _below(self, offset: int, length: int) -> bytes:
        return read_padded(self._parent, offset, length) if self._parent else bytes(length)

    def close(self) -> None:
        """See `ByteSource.close`."""
        self._file.close()
        if self._parent is not None:
            self._parent.close()


def _run(bitmap: bytes, start: int, end: int) -> tuple[bool, int]:
    """Whether sector ``start`` is here, and the number of the first sector before ``end`` that differs, else ``end``.

    The highest bit of a byte is its first sector.
    """
    here = bool(bitmap[start // 8] & 0x80 >> start % 8)
    same = 0xFF if here else 0
    at = start + 1
    while at < end:
        if at % 8 == 0 and bitmap[at // 8] == same:
            at += 8
        elif bool(bitmap[at // 8] & 0x80 >> at % 8) == here:
            at += 1
        else:
            break
    return here, min(at, end)


def open_vhd(layers: Layers) -> tuple[ByteSource, Footer]:
    """Open the last of ``layers`` with all the disks below it.

    Raises:
        EvidenceError: a structure is impossible, or a parent is not beside the disk.
        UnsupportedEvidence: a kind of disk that the specification does not know.
    """
    path = layers.files[-1]
    file = FileSource(path)
    footer = _best_footer(file, layers)
    if footer.kind == _FIXED:
        return _fixed(file, footer, layers), footer
    if footer.kind not in (_SPARSE, _DIFFERENCING):
        raise UnsupportedEvidence(f"{path}: VHD disks of kind {footer.kind} are not read")
    header = _dynamic_header(file, footer)
    parent = _parent(path, header, layers) if footer.kind == _DIFFERENCING else None
    return DynamicSource(file, footer.size, header, parent), footer


def _best_footer(file: FileSource, layers: Layers) -> Footer:
    """The footer, or its copy at the start where the footer itself is lost."""
    at_end = parse_footer(file.read_at(max(0, file.size - _SECTOR), _SECTOR))
    copy = parse_footer(file.read_at(0, _SECTOR))
    best = next((footer for footer in (at_end, copy) if footer and footer.intact), at_end or copy)
    if best is None:
        raise EvidenceError(f"{file.path}: no VHD disk")
    if best is not at_end:
        layers.doubts.append((NoticeKind.TRUNCATED, f"the footer of {file.path.name} is lost; its copy is used"))
    elif not best.intact:
        layers.doubts.append((NoticeKind.DAMAGED, f"the checksum of the footer of {file.path.name} does not match"))
    return best


def _fixed(file: FileSource, footer: Footer, layers: Layers) -> ByteSource:
    stored = file.size - _SECTOR
    if footer.size != stored:
        message = f"the footer of {file.path.name} states {footer.size} bytes of media, the file holds {stored}"
        kind = NoticeKind.TRUNCATED if footer.size > stored else NoticeKind.REMARK
        layers.doubts.append((kind, f"{message}; all of them are read"))
    return Slice(file, 0, stored)


def _parent(path: Path, header: DynamicHeader, layers: Layers) -> ByteSource:
    layers.parent(path, header.parent_name)
    source, below = open_vhd(layers)
    if below.identifier != header.parent_id:
        message = f"{path.name} was made above disk {header.parent_id.hex()}, its parent is {below.identifier.hex()}"
        layers.doubts.append((NoticeKind.DAMAGED, message))
    return source
