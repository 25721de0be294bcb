"""QEMU copy-on-write disks, versions 1, 2 and 3.

Read here because libqcow (20260703) yields wrong bytes, without an error, for compressed clusters of version 3 and for
clusters of a child that are declared zero above a backing file.

Format: QEMU, docs/interop/qcow2 (header, L1 and L2 tables, compressed cluster descriptor, extended L2 entries) and, for
version 1, block/qcow.c. All numbers are big-endian.
"""

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence.filelike import BlockSource
from triage.evidence.files import FileSource
from triage.evidence.layers import Layers, read_padded
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

MAGIC: Final = b"QFI\xfb"
_OFFSET: Final = 0x00FF_FFFF_FFFF_FE00
_COMPRESSED: Final = 1 << 62
_COMPRESSED_V1: Final = 1 << 63
_ZERO: Final = 1
_DIRTY, _CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED = 1, 2, 4, 8, 16
_BACKING_FORMAT: Final = 0xE279_2ACA
_DATA_FILE_NAME: Final = 0x4441_5441
_TABLES: Final = 256
_CACHE: Final = 16 << 20
_SUBCLUSTERS: Final = 32


@dataclass(frozen=True, slots=True)
class QcowHeader:
    """The header of one disk. ``entry`` is the size of an L2 entry in bytes; sizes and offsets are in bytes."""

    version: int
    size: int
    cluster_bits: int
    l2_bits: int
    l1_offset: int
    l1_size: int
    encryption: int = 0
    incompatible: int = 0
    compression: int = 0
    snapshots: int = 0
    backing: str | None = None
    backing_format: str = ""
    data_file: str = ""

    @property
    def entry(self) -> int:
        """Size of an L2 entry."""
        return 16 if self.incompatible & _EXTENDED else 8


def read_header(source: ByteSource, name: str) -> QcowHeader:
    """Parse and check the header.

    Raises:
        EvidenceError: impossible numbers.
        UnsupportedEvidence: an encrypted disk, or a feature that changes how bytes are stored and is not known here.
    """
    head = source.read_at(0, 4096)
    if len(head) < 48 or not head.startswith(MAGIC):
        raise EvidenceError(f"{name}: no QCOW header")
    header = _version_1(head) if head[7] == 1 else _version_2(source, head, name)
    if header.encryption:
        raise UnsupportedEvidence(f"{name}: an encrypted QCOW disk; decrypt it with qemu-img first")
    if header.incompatible >> 5 or header.compression:
        raise UnsupportedEvidence(
            f"{name}: QCOW features {header.incompatible:#x} with compression {header.compression} are not read"
        )
    plausible = 9 <= header.cluster_bits <= 21 and 0 <= header.l2_bits <= 21
    if not plausible or header.size > header.l1_size << (header.cluster_bits + header.l2_bits) or not header.size:
        raise EvidenceError(f"{name}: a QCOW disk of {header.size} bytes cannot have the tables that its header states")
    if header.l1_offset + 8 * header.l1_size > source.size:
        raise EvidenceError(f"{name}: the cluster table lies behind the end of the file; the file is cut short")
    return header


def _version_1(head: bytes) -> QcowHeader:
    backing_at, backing_size, _, size, cluster_bits, l2_bits, encryption, l1_offset = struct.unpack_from(
        ">QIIQBBxxIQ", head, 8
    )
    l1_size = -(-size // (1 << (cluster_bits + l2_bits)))
    backing = _text(head[backing_at : backing_at + backing_size]) if backing_at else None
    return QcowHeader(1, size, cluster_bits, l2_bits, l1_offset, l1_size, encryption, backing=backing)


def _version_2(source: ByteSource, head: bytes, name: str) -> QcowHeader:
    version, backing_at, backing_size, cluster_bits, size, encryption, l1_size, l1_offset = struct.unpack_from(
        ">IQIIQIIQ", head, 4
    )
    if version not in (2, 3) or len(head) < 112:
        raise UnsupportedEvidence(f"{name}: QCOW version {version} is not read")
    snapshots = int.from_bytes(head[60:64], "big")
    incompatible = length = compression = 0
    if version == 3:
        incompatible, length = struct.unpack_from(">Q16x4xI", head, 72)
        compression = head[104] if length > 104 and incompatible & _COMPRESSION else 0
    extensions = _extensions(head, length or 72)
    return QcowHeader(
        version,
        size,
        cluster_bits,
        cluster_bits - (4 if incompatible & _EXTENDED else 3),
        l1_offset,
        l1_size,
        encryption,
        incompatible,
        compression,
        snapshots,
        _text(source.read_at(backing_at, min(backing_size, 1023))) if backing_at else None,
        extensions.get(_BACKING_FORMAT, ""),
        extensions.get(_DATA_FILE_NAME, ""),
    )


def _extensions(head: bytes, at: int) -> dict[int, str]:
    found: dict[int, str] = {}
    while at + 8 <= len(head):
        kind, length = struct.unpack_from(">II", head, at)
        if kind == 0:
            break
        found[kind] = _text(head[at + 8 : at + 8 + length])
        at += 8 + -(-length // 8) * 8
    return found


def _text(stored: bytes) -> str:
    return stored.rstrip(b"\0").decode("utf-8", "surrogateescape")


class QcowSource(BlockSource):
    """The media of one disk over its backing disk, if it has one."""

    def __init__(self, file: ByteSource, data: ByteSource, backing: ByteSource | None, header: QcowHeader) -> None:
        block = 1 << max(16, header.cluster_bits)
        super().__init__(header.size, block, max(4, _CACHE // block))
        self._file, self._data, self._backing, self._header = file, data, backing, header
        self._cluster = 1 << header.cluster_bits
        self._mask = _OFFSET if header.version > 1 else _OFFSET | 0x1FF
        self._l1 = struct.unpack(f">{header.l1_size}Q", file.read_at(header.l1_offset, 8 * header.l1_size))
        self._l2 = lru_cache(_TABLES)(self._read_l2)

    def _read_l2(self, offset: int) -> bytes:
        length = self._header.entry << self._header.l2_bits
        table = self._file.read_at(offset, length)
        if len(table) < length:
            raise EvidenceError(f"the cluster table at byte {offset} lies behind the end of the file")
        return table

    def _load(self, offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        while length > 0:
            inside = offset % self._cluster
            step = min(length, self._cluster - inside)
            parts.append(self._piece(offset, inside, step))
            offset, length = offset + step, length - step
        return b"".join(parts)

    def _piece(self, offset: int, inside: int, length: int) -> bytes:
        """Bytes of one cluster; ``inside`` is where they start in it."""
        try:
            entry, bitmap = self._entry(offset >> self._header.cluster_bits)
            if entry & (_COMPRESSED if self._header.version > 1 else _COMPRESSED_V1):
                return self._inflated(entry)[inside : inside + length]
            if self._header.entry == 16:
                return self._subclusters(entry & self._mask, bitmap, offset, inside, length)
            if entry & _ZERO and self._header.version == 3:
                return bytes(length)
            host = entry & self._mask
            # In a data file of its own, a cluster may lie at byte 0; the highest bit then tells it from an empty entry.
            there = host or (self._data is not self._file and entry >> 63)
            return self._stored(host + inside, length) if there else self._below(offset, length)
        except UnreadableBytes:
            raise
        except EvidenceError as problem:
            raise UnreadableBytes(
                f"media bytes {offset} to {offset + length - 1}: {problem}", offset, length
            ) from problem

    def _entry(self, cluster: int) -> tuple[int, int]:
        """The L2 entry of a cluster and its bitmap of subclusters; zeros if there is none."""
        top, index = divmod(cluster, 1 << self._header.l2_bits)
        table_at = self._l1[top] & self._mask
        if not table_at:
            return 0, 0
        table = self._l2(table_at)
        if self._header.entry == 16:
            entry, bitmap = struct.unpack_from(">QQ", table, 16 * index)
            return entry, bitmap
        return int.from_bytes(table[8 * index : 8 * index + 8], "big"), 0

    def _stored(self, host: int, length: int) -> bytes:
        data = self._data.read_at(host, length)
        if len(data) < length:
            raise EvidenceError(f"stored at byte {host}, behind the end of the file")
        return data

    def _below(self, offset: int, length: int) -> bytes:
        return read_padded(self._backing, offset, length) if self._backing else bytes(length)

    def _subclusters(self, host: int, bitmap: int, offset: int, inside: int, length: int) -> bytes:
        size = self._cluster // _SUBCLUSTERS
        parts: list[bytes] = []
        while length > 0:
            number = inside // size
            step = min(length, size - inside % size)
            if bitmap >> number & 1:
                parts.append(self._stored(host + inside, step))
            elif bitmap >> (number + _SUBCLUSTERS) & 1:
                parts.append(bytes(step))
            else:
                parts.append(self._below(offset, step))
            offset, inside, length = offset + step, inside + step, length - step
        return b"".join(parts)

    def _inflated(self, entry: int) -> bytes:
        bits = self._header.cluster_bits
        if self._header.version == 1:
            host = entry & ((1 << (63 - bits)) - 1)
            length = entry >> (63 - bits) & (self._cluster - 1)
        else:
            split = 62 - (bits - 8)
            host = entry & ((1 << split) - 1)
            length = ((entry >> split & ((1 << (bits - 8)) - 1)) + 1) * 512 - host % 512
        stored = self._file.read_at(host, length)
        inflater = zlib.decompressobj(-15)
        try:
            data = inflater.decompress(stored, self._cluster)
        except zlib.error as problem:
            raise EvidenceError(f"the compressed cluster at byte {host} cannot be inflated ({problem})") from problem
        if len(data) < self._cluster:
            raise EvidenceError(f"the compressed cluster at byte {host} is cut short")
        return data

    def close(self) -> None:
        """See `ByteSource.close`."""
        for source in (self._file, self._data, self._backing):
            if source is not None:
                source.close()


def open_qcow(layers: Layers) -> tuple[QcowSource, QcowHeader]:
    """Open the last of ``layers`` with all the disks below it.

    Raises:
        EvidenceError: a header is impossible, or a file that the disk stands on is not beside it.
    """
    path = layers.files[-1]
    file = FileSource(path)
    header = read_header(file, str(path))
    data: ByteSource = file
    if header.incompatible & _DATA_FILE:
        data = FileSource(layers.parent(path, header.data_file, "data file"))
    backing: ByteSource | None = None
    if header.backing is not None:
        below = layers.parent(path, header.backing, "backing file")
        backing = FileSource(below)
        if header.backing_format != "raw" and backing.read_at(0, 4) == MAGIC:
            backing.close()
            backing = open_qcow(layers)[0]
    if header.incompatible & (_DIRTY | _CORRUPT):
        state = "corrupt" if header.incompatible & _CORRUPT else "not closed cleanly"
        layers.doubts.append((NoticeKind.DAMAGED, f"{path.name} is marked as {state} by the program that wrote it"))
    if header.snapshots:
        message = f"{path.name} holds {header.snapshots} snapshots; the current state of the disk is read, they are not"
        layers.doubts.append((NoticeKind.NOT_EXAMINED, message))
    return QcowSource(file, data, backing, header), header
