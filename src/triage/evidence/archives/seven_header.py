"""The header of 7z: which streams are packed how, and which files are in them.

Reference: 7-Zip's ``DOC/7zFormat.txt``.
"""

import struct
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from isal import isal_zlib

from triage.evidence.archives.decoders import Undecodable
from triage.evidence.source import ByteSource

MAGIC: Final = b"7z\xbc\xaf\x27\x1c"
START: Final = 32
_MOST_HEADER: Final = 256 << 20
_MOST_CODERS: Final = 32
(
    _END, _HEADER, _PROPERTIES, _, _MAIN_STREAMS, _FILES, _PACK, _UNPACK, _SUBSTREAMS, _SIZE, _CRC, _FOLDER,
    _FOLDER_SIZES, _COUNTS, _EMPTY_STREAM, _EMPTY_FILE, _ANTI, _NAMES, _CREATED, _ACCESSED, _MODIFIED, _ATTRIBUTES,
    _, _ENCODED,
) = range(24)  # fmt: skip


class Coder(NamedTuple):
    """One step of decoding: the method's number, its properties, how many streams go in and come out."""

    method: int
    properties: bytes
    inputs: int
    outputs: int


@dataclass(slots=True)
class Folder:
    """Coders that make one stream out of packed ones. ``binds`` join an input to the output that feeds it."""

    coders: tuple[Coder, ...]
    binds: dict[int, int]
    packed: tuple[int, ...]
    """The inputs that packed streams feed, in the order of those."""
    sizes: list[int] = field(default_factory=list)
    """Size of each output."""
    crc: int | None = None
    first_pack: int = 0

    @property
    def size(self) -> int:
        """Size of the stream that comes out in the end: that of the output that feeds no input."""
        for index in range(len(self.sizes) - 1, -1, -1):
            if index not in self.binds.values():
                return self.sizes[index]
        return 0


class SevenFile(NamedTuple):
    """A name. Its content are ``size`` bytes of a folder's stream, or none (``folder`` is -1)."""

    name: bytes
    size: int
    folder: int
    crc: int | None
    attributes: int
    times: tuple[int, int, int]
    """FILETIME modified, accessed, created; 0 for none."""
    directory: bool
    anti: bool


@dataclass(slots=True)
class SevenHeader:
    """Everything that the header says: offsets and sizes of packed streams, folders, files in stored order."""

    pack_offset: int = 0
    pack_sizes: list[int] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    parts: list[list[tuple[int, int | None]]] = field(default_factory=list)
    """For each folder size and CRC of the contents in its stream."""
    files: list[SevenFile] = field(default_factory=list)


def packed_header(source: ByteSource) -> bytes:
    """The header as it is stored, checked against its CRC-32.

    Raises:
        EvidenceError: it is not there, or not whole.
    """
    start = source.read_at(0, START)
    if len(start) < START or not start.startswith(MAGIC):
        raise Undecodable("its first header is cut off")
    if isal_zlib.crc32(start[12:]) != int.from_bytes(start[8:12], "little"):
        raise Undecodable("the CRC-32 of its first header does not match")
    offset, size, crc = struct.unpack_from("<QQI", start, 12)
    if size > _MOST_HEADER:
        raise Undecodable(f"its header claims {size:,} bytes")
    data = source.read_at(START + offset, size) if offset <= source.size else b""
    if len(data) < size:
        raise Undecodable("it ends before its list of members")
    if isal_zlib.crc32(data) != crc:
        raise Undecodable("the CRC-32 of its list of members does not match")
    return data


def parse(data: bytes, most: int) -> tuple[SevenHeader, bool]:
    """The header, and whether it only describes where the real one is packed. At most ``most`` files are taken.

    Raises:
        Undecodable: it contradicts itself.
    """
    header = SevenHeader()
    reader = _Reader(data)
    try:
        kind = reader.byte()
        if kind == _ENCODED:
            _streams(reader, header, most)
            return header, True
        if kind != _HEADER:
            raise Undecodable(f"its list of members begins with {kind}")
        kind = reader.byte()
        if kind == _PROPERTIES:
            while reader.byte() != _END:
                reader.take(reader.number())
            kind = reader.byte()
        if kind == _MAIN_STREAMS:
            _streams(reader, header, most)
            kind = reader.byte()
        if kind == _FILES:
            _files(reader, header, most)
    except (IndexError, struct.error) as problem:
        raise Undecodable("its list of members is cut off") from problem
    return header, False


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.at:
            raise IndexError
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self) -> int:
        """A number of 1 to 9 bytes: the leading ones of the first byte say how many follow."""
        first = self.byte()
        mask, value = 0x80, 0
        for index in range(8):
            if not first & mask:
                return value | (first & mask - 1) << 8 * index
            value |= self.byte() << 8 * index
            mask >>= 1
        return value

    def count(self) -> int:
        """A number of things of which each takes at least a bit somewhere in the header."""
        value = self.number()
        if value > 8 * len(self.data):
            raise Undecodable(f"its list of members claims {value:,} of something, which it has no room for")
        return value

    def bits(self, count: int) -> list[bool]:
        data = self.take(-(-count // 8))
        return [bool(data[index >> 3] & 0x80 >> (index & 7)) for index in range(count)]

    def defined(self, count: int) -> list[bool]:
        return [True] * count if self.byte() else self.bits(count)

    def crcs(self, count: int) -> list[int | None]:
        return [struct.unpack("<I", self.take(4))[0] if known else None for known in self.defined(count)]

    def skip(self, kind: int) -> None:
        raise Undecodable(f"its list of members has {kind} where it cannot be")


def _streams(reader: _Reader, header: SevenHeader, most: int) -> None:
    while (kind := reader.byte()) != _END:
        if kind == _PACK:
            _pack(reader, header)
        elif kind == _UNPACK:
            _unpack(reader, header)
        elif kind == _SUBSTREAMS:
            _substreams(reader, header, most)
        else:
            reader.skip(kind)
    if not header.parts:
        header.parts = [[(folder.size, folder.crc)] for folder in header.folders]


def _pack(reader: _Reader, header: SevenHeader) -> None:
    header.pack_offset = reader.number()
    count = reader.count()
    while (kind := reader.byte()) != _END:
        if kind == _SIZE:
            header.pack_sizes = [reader.number() for _ in range(count)]
        elif kind == _CRC:
            reader.crcs(count)
        else:
            reader.skip(kind)


def _unpack(reader: _Reader, header: SevenHeader) -> None:
    if reader.byte() != _FOLDER:
        raise Undecodable("its list of members has no folders")
    count = reader.count()
    if reader.byte():
        raise Undecodable("its folders are described elsewhere, which is not read")
    first = 0
    for _ in range(count):
        folder = _folder(reader)
        folder.first_pack = first
        first += len(folder.packed)
        header.folders.append(folder)
    while (kind := reader.byte()) != _END:
        if kind == _FOLDER_SIZES:
            for folder in header.folders:
                folder.sizes = [reader.number() for coder in folder.coders for _ in range(coder.outputs)]
        elif kind == _CRC:
            for folder, crc in zip(header.folders, reader.crcs(count), strict=True):
                folder.crc = crc
        else:
            reader.skip(kind)


def _folder(reader: _Reader) -> Folder:
    coders = []
    count = reader.number()
    if not 0 < count <= _MOST_CODERS:
        raise Undecodable(f"a folder has {count:,} coders")
    for _ in range(count):
        flags = reader.byte()
        method = int.from_bytes(reader.take(flags & 15), "big")
        inputs, outputs = (reader.number(), reader.number()) if flags & 16 else (1, 1)
        if not (0 < inputs <= _MOST_CODERS and 0 < outputs <= _MOST_CODERS):
            raise Undecodable("a coder has too many streams")
        coders.append(Coder(method, reader.take(reader.number()) if flags & 32 else b"", inputs, outputs))
    all_inputs = sum(coder.inputs for coder in coders)
    all_outputs = sum(coder.outputs for coder in coders)
    binds = {}
    for _ in range(all_outputs - 1):
        fed = reader.number()
        binds[fed] = reader.number()
    loose = all_inputs - len(binds)
    if loose < 1:
        raise Undecodable("a folder has no packed stream")
    if loose == 1:
        packed = tuple(index for index in range(all_inputs) if index not in binds)
    else:
        packed = tuple(reader.number() for _ in range(loose))
    return Folder(tuple(coders), binds, packed)


def _substreams(reader: _Reader, header: SevenHeader, most: int) -> None:
    counts = [1] * len(header.folders)
    kind = reader.byte()
    if kind == _COUNTS:
        counts = [reader.number() for _ in header.folders]
        kind = reader.byte()
    if sum(counts) > most + len(counts):
        raise Undecodable(f"its list of members claims {sum(counts):,} contents")
    sizes: list[list[int]] = []
    for folder, count in zip(header.folders, counts, strict=True):
        given = [reader.number() for _ in range(count - 1)] if kind == _SIZE else []
        if count and (kind == _SIZE or count == 1):
            given.append(max(folder.size - sum(given), 0))
        sizes.append(given)
    if kind == _SIZE:
        kind = reader.byte()
    unknown = sum(
        count for folder, count in zip(header.folders, counts, strict=True) if count != 1 or folder.crc is None
    )
    crcs: list[int | None] = [None] * unknown
    while kind != _END:
        if kind != _CRC:
            reader.skip(kind)
        crcs = reader.crcs(unknown)
        kind = reader.byte()
    left = iter(crcs)
    header.parts = [
        [(given[0], folder.crc)]
        if len(given) == 1 and folder.crc is not None
        else [(size, next(left)) for size in given]
        for folder, given in zip(header.folders, sizes, strict=True)
    ]


def _files(reader: _Reader, header: SevenHeader, most: int) -> None:
    count = reader.count()
    if count > most:
        raise Undecodable(f"it claims {count:,} members, more than are listed")
    names = [b""] * count
    attributes = [0] * count
    stamps = {_MODIFIED: [0] * count, _ACCESSED: [0] * count, _CREATED: [0] * count}
    streamless, empty_file, anti = [False] * count, [False] * count, [False] * count
    while (kind := reader.byte()) != _END:
        inner = _Reader(reader.take(reader.number()))
        if kind == _EMPTY_STREAM:
            streamless = inner.bits(count)
        elif kind in (_EMPTY_FILE, _ANTI):
            flags = iter(inner.bits(sum(streamless)))
            spread = [without and next(flags) for without in streamless]
            empty_file, anti = (spread, anti) if kind == _EMPTY_FILE else (empty_file, spread)
        elif kind == _NAMES:
            names = _names(inner, count)
        elif kind in stamps:
            stamps[kind] = _numbers(inner, count, 8)
        elif kind == _ATTRIBUTES:
            attributes = _numbers(inner, count, 4)
    parts = iter([(index, *part) for index, folder in enumerate(header.parts) for part in folder])
    for index in range(count):
        where, size, crc = (-1, 0, None) if streamless[index] else next(parts, (-1, 0, None))
        times = (stamps[_MODIFIED][index], stamps[_ACCESSED][index], stamps[_CREATED][index])
        folder = streamless[index] and not empty_file[index]
        header.files.append(SevenFile(names[index], size, where, crc, attributes[index], times, folder, anti[index]))


def _names(reader: _Reader, count: int) -> list[bytes]:
    if reader.byte():
        raise Undecodable("its names are stored elsewhere, which is not read")
    data = reader.data[reader.at :]
    names = []
    at = 0
    for _ in range(count):
        end = at
        while (end := data.find(b"\0\0", end)) >= 0 and (end - at) % 2:
            end += 1
        if end < 0:
            raise IndexError
        names.append(data[at:end])
        at = end + 2
    return names


def _numbers(reader: _Reader, count: int, width: int) -> list[int]:
    known = reader.defined(count)
    if reader.byte():
        raise Undecodable("its times are stored elsewhere, which is not read")
    return [int.from_bytes(reader.take(width), "little") if one else 0 for one in known]
