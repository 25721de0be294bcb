"""VMware disks: one sparse file, extents that a descriptor lists, compressed streams, and disks above a parent.

Read here because libvmdk (20260714) yields the bytes of the parent for grains that a child declares zero.

Format: VMware, "Virtual Disk Format 5.0" (hosted sparse extents, stream-optimized extents, the disk descriptor file).
All numbers are little-endian; sizes and places are in sectors of 512 bytes.
"""

import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence.filelike import BlockSource
from triage.evidence.files import FileSource
from triage.evidence.inflate import inflate
from triage.evidence.layers import Concatenated, Layers, MissingSource, ZeroSource, read_padded
from triage.evidence.source import ByteSource, Slice, UnreadableBytes
from triage.notices import NoticeKind

MAGIC: Final = b"KDMV"
DESCRIPTOR: Final = re.compile(rb"(\xef\xbb\xbf)?\s*# *Disk *DescriptorFile", re.IGNORECASE)
MAX_DESCRIPTOR: Final = 1 << 20
_SECTOR: Final = 512
_AT_END: Final = 0xFFFF_FFFF_FFFF_FFFF
_ZEROED_GRAINS, _COMPRESSED = 1 << 2, 1 << 16
_TABLES: Final = 512
_MAX_SECTORS: Final = 1 << 53
_NO_PARENT: Final = "ffffffff"
_EXTENT: Final = re.compile(
    r'^(RW|RDONLY|NOACCESS)\s+(\d{1,19})\s+(\w+)(?:\s+"([^"]*)"(?:\s+(\d{1,19}))?)?', re.MULTILINE
)
_VALUE: Final = re.compile(r'^\s*(\w+)\s*=\s*"?([^"\r\n]*)"?', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Extent:
    """One line of the extent description: ``sectors`` of kind ``kind``, stored in ``name`` from sector ``start``."""

    sectors: int
    kind: str
    name: str
    start: int


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The disk descriptor: content ids of disk and parent, the name of the parent, and the extents."""

    content_id: str
    parent_id: str
    parent: str
    kind: str
    extents: tuple[Extent, ...]


def parse_descriptor(text: bytes) -> Descriptor:
    """Parse a disk descriptor; its text ends at the first NUL."""
    lines = text.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    values = {name.lower(): value for name, value in _VALUE.findall(lines)}
    extents = tuple(
        Extent(int(sectors), kind.upper(), name, int(start or 0))
        for _, sectors, kind, name, start in _EXTENT.findall(lines)
    )
    ids = (values.get("cid", "").lower(), values.get("parentcid", _NO_PARENT).lower())
    return Descriptor(*ids, values.get("parentfilenamehint", ""), values.get("createtype", ""), extents)


@dataclass(frozen=True, slots=True)
class SparseHeader:
    """The header of a hosted sparse extent; all counts in sectors."""

    flags: int
    capacity: int
    grain: int
    descriptor_at: int
    descriptor_size: int
    table_entries: int
    directory_at: int
    unclean: bool


def read_sparse_header(source: ByteSource, name: str) -> SparseHeader:
    """The header, or its copy at the end of a stream.

    Raises:
        EvidenceError: impossible numbers.
    """
    header = _parse_header(source.read_at(0, _SECTOR), name)
    if header.directory_at == _AT_END:
        footer = source.read_at(source.size - 2 * _SECTOR, _SECTOR) if source.size > 3 * _SECTOR else b""
        if not footer.startswith(MAGIC):
            raise EvidenceError(f"{name}: the footer of a stream-optimized disk is missing; the file is cut short")
        header = _parse_header(footer, name)
    tables = -(-header.capacity // (header.grain * header.table_entries))
    if header.directory_at * _SECTOR + 4 * tables > source.size:
        raise EvidenceError(f"{name}: the grain directory lies behind the end of the file; the file is cut short")
    return header


def _parse_header(stored: bytes, name: str) -> SparseHeader:
    if len(stored) < 79 or not stored.startswith(MAGIC):
        raise EvidenceError(f"{name}: no VMDK header")
    flags, capacity, grain, descriptor_at, descriptor_size, entries, _, directory_at = struct.unpack_from(
        "<IQQQQIQQ", stored, 8
    )
    plausible = (
        0 < grain <= 1 << 15 and grain & (grain - 1) == 0 and 0 < entries <= 1 << 16 and capacity <= _MAX_SECTORS
    )
    if not plausible:
        numbers = f"{capacity} sectors, grains of {grain}, {entries} to a table"
        raise EvidenceError(f"{name}: a VMDK header with impossible numbers ({numbers})")
    return SparseHeader(flags, capacity, grain, descriptor_at, descriptor_size, entries, directory_at, bool(stored[72]))


class SparseSource(BlockSource):
    """The bytes of one sparse extent; grains that it does not hold are those of the parent, or zeros."""

    def __init__(self, file: FileSource, header: SparseHeader, parent: ByteSource | None) -> None:
        self._grain = header.grain * _SECTOR
        block = max(1 << 16, self._grain)
        super().__init__(header.capacity * _SECTOR, block, max(4, (16 << 20) // block))
        self._file, self._header, self._parent = file, header, parent
        tables = -(-header.capacity // (header.grain * header.table_entries))
        self._directory = struct.unpack(f"<{tables}I", file.read_at(header.directory_at * _SECTOR, 4 * tables))
        self._table = lru_cache(_TABLES)(self._read_table)

    def _read_table(self, sector: int) -> bytes:
        length = 4 * self._header.table_entries
        table = self._file.read_at(sector * _SECTOR, length)
        if len(table) < length:
            raise EvidenceError(f"the grain table at sector {sector} lies behind the end of the file")
        return table

    def _load(self, offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        while length > 0:
            inside = offset % self._grain
            step = min(length, self._grain - inside)
            try:
                parts.append(self._piece(offset, inside, step))
            except UnreadableBytes:
                raise
            except EvidenceError as problem:
                message = f"{self._file.path.name}: media bytes {offset} to {offset + step - 1}: {problem}"
                raise UnreadableBytes(message, offset, step) from problem
            offset, length = offset + step, length - step
        return b"".join(parts)

    def _piece(self, offset: int, inside: int, length: int) -> bytes:
        top, index = divmod(offset // self._grain, self._header.table_entries)
        table_at = self._directory[top]
        sector = int.from_bytes(self._table(table_at)[4 * index : 4 * index + 4], "little") if table_at else 0
        if sector == 1 and self._header.flags & _ZEROED_GRAINS:
            return bytes(length)
        if sector == 0:
            return read_padded(self._parent, offset, length) if self._parent else bytes(length)
        if self._header.flags & _COMPRESSED:
            return self._inflated(sector)[inside : inside + length]
        data = self._file.read_at(sector * _SECTOR + inside, length)
        if len(data) < length:
            raise EvidenceError(f"stored at sector {sector}, behind the end of the file")
        return data

    def _inflated(self, sector: int) -> bytes:
        marker = self._file.read_at(sector * _SECTOR, 12)
        size = int.from_bytes(marker[8:], "little")
        if len(marker) < 12 or size > 2 * self._grain + 1024:
            raise EvidenceError(f"the compressed grain at sector {sector} has an impossible size")
        data, _, fault = inflate(self._file.read_at(sector * _SECTOR + 12, size), self._grain)
        if fault:
            raise EvidenceError(f"the compressed grain at sector {sector}: {fault}")
        return data + bytes(self._grain - len(data))

    def close(self) -> None:
        """See `ByteSource.close`."""
        self._file.close()
        if self._parent is not None:
            self._parent.close()


def open_vmdk(layers: Layers) -> tuple[ByteSource, Descriptor]:
    """Open the last of ``layers``, a sparse file or a descriptor, with all extents and all the disks below it.

    Raises:
        EvidenceError: a header or descriptor is impossible, or a parent is not beside the disk.
        UnsupportedEvidence: extents of a kind that is not read.
    """
    path = layers.files[-1]
    file = FileSource(path)
    try:
        return _open(layers, path, file)
    except EvidenceError:
        file.close()
        raise


def _open(layers: Layers, path: Path, file: FileSource) -> tuple[ByteSource, Descriptor]:
    if file.read_at(0, 4) != MAGIC:
        descriptor = parse_descriptor(file.read_at(0, MAX_DESCRIPTOR))
        return _extents(layers, path, descriptor, _parent(layers, path, descriptor)), descriptor
    header = read_sparse_header(file, str(path))
    text = file.read_at(header.descriptor_at * _SECTOR, min(header.descriptor_size * _SECTOR, MAX_DESCRIPTOR))
    descriptor = parse_descriptor(text if header.descriptor_at else b"")
    if not descriptor.extents:
        raise EvidenceError(f"{path}: one extent of a VMDK disk; open the descriptor that lists it")
    parent = _parent(layers, path, descriptor)
    if len(descriptor.extents) > 1:
        return _extents(layers, path, descriptor, parent), descriptor
    return _sparse(layers, file, header, parent), descriptor


def _parent(layers: Layers, path: Path, descriptor: Descriptor) -> ByteSource | None:
    if descriptor.parent_id in (_NO_PARENT, ""):
        return None
    layers.parent(path, descriptor.parent)
    source, below = open_vmdk(layers)
    if below.content_id != descriptor.parent_id:
        message = (
            f"{path.name} was made above content {descriptor.parent_id}, its parent now holds {below.content_id}: "
            "the parent was changed later, or is another disk"
        )
        layers.doubts.append((NoticeKind.DAMAGED, message))
    return source


def _sparse(layers: Layers, file: FileSource, header: SparseHeader, parent: ByteSource | None) -> SparseSource:
    if header.unclean:
        message = f"{file.path.name} was not closed cleanly by the program that wrote it"
        layers.doubts.append((NoticeKind.REMARK, message))
    return SparseSource(file, header, parent)


def _extents(layers: Layers, path: Path, descriptor: Descriptor, parent: ByteSource | None) -> ByteSource:
    if not descriptor.extents:
        raise EvidenceError(f"{path}: a VMDK descriptor without extents")
    parts: list[tuple[ByteSource, int]] = []
    at = 0
    for extent in descriptor.extents:
        size = min(extent.sectors, _MAX_SECTORS) * _SECTOR
        below = Slice(parent, at, size) if parent else None
        parts.append((_extent(layers, path, extent, size, below), size))
        at += size
    return Concatenated(parts)


def _extent(layers: Layers, path: Path, extent: Extent, size: int, below: ByteSource | None) -> ByteSource:
    if extent.kind == "ZERO":
        return ZeroSource(size)
    if extent.kind not in ("FLAT", "VMFS", "SPARSE"):
        raise UnsupportedEvidence(f"{path}: extents of kind {extent.kind} are not read")
    found = layers.beside(path, extent.name)
    if found is None:
        message = f"{extent.name!r}, {size} bytes of the disk {path.name}, is not beside it"
        layers.doubts.append((NoticeKind.TRUNCATED, message))
        return MissingSource(size, message)
    layers.files.append(found)
    file = FileSource(found)
    if extent.kind == "SPARSE":
        return _sparse(layers, file, read_sparse_header(file, str(found)), below)
    start = extent.start * _SECTOR
    if file.size >= start + size:
        return Slice(file, start, size)
    have = max(0, file.size - start)
    message = f"{found.name} has {have} of the {size} bytes that {path.name} states; the rest is unreadable"
    layers.doubts.append((NoticeKind.TRUNCATED, message))
    return Concatenated([(Slice(file, start, have), have), (MissingSource(size - have, message), size - have)])
