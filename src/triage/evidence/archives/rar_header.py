"""The headers of RAR, of the formats before version 5 and of version 5.

References: RARLAB "RAR 5.0 archive format" (technote); ``technote.txt`` of RAR 4.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from isal import isal_zlib

from triage.evidence.archives.zip_fields import dos_time, filetime_ns
from triage.evidence.entry import EntryTimes
from triage.evidence.source import ByteSource
from triage.times import SECOND

MAGIC4: Final = b"Rar!\x1a\x07\0"
MAGIC5: Final = b"Rar!\x1a\x07\1\0"
_MOST_HEADER: Final = 2 << 20
_UNCHECKED: Final = range(0x75, 0x7A)  # blocks of RAR 2, whose check sums cover less than they are
_RAR3: Final = 29


class RarFile(NamedTuple):
    """One file header. ``crc`` is `None` where another digest is used; ``start`` is where its packed bytes begin."""

    name: bytes
    text: str
    size: int
    packed: int
    start: int
    crc: int | None
    method: int
    mode: int
    directory: bool
    encrypted: bool
    split: bool
    link: bytes
    link_kind: int
    """0: none, 1 to 3: symbolic or junction, 4: hard link, 5: copy of another member."""
    container: str
    times: EntryTimes


class RarFault(NamedTuple):
    """Something wrong in the chain of headers; ``kind``: ``encrypted``, ``truncated``, ``damaged``, ``volume``."""

    kind: str
    message: str


def headers4(source: ByteSource) -> Iterator[RarFile | RarFault]:
    """File headers of the formats up to version 4, in order.

    Raises:
        EvidenceError: the archive cannot be read there.
    """
    at, version = len(MAGIC4), 0
    while True:
        head = source.read_at(at, 7)
        if not head and at == source.size and 0 < version < _RAR3:
            return  # RAR 2 wrote no last block
        if len(head) < 7:
            yield RarFault("truncated", f"ends at {source.size:,} without its last block")
            return
        crc, kind, flags, size = struct.unpack("<HBHH", head)
        block = source.read_at(at, size)
        if size < 7 or len(block) < size:
            yield RarFault("truncated" if size >= 7 else "damaged", f"a block at {at:,} is cut off")
            return
        if isal_zlib.crc32(block[2:]) & 0xFFFF != crc and kind not in _UNCHECKED and not _commented(kind, flags):
            yield RarFault("damaged", f"the check sum of a header at {at:,} does not match; what follows is not listed")
            return
        if kind == 0x7B:
            if flags & 1:
                yield RarFault("volume", "is continued in another volume")
            return
        if kind == 0x73 and flags & 0x80:
            yield RarFault("encrypted", "even the names are encrypted")
            return
        data = int.from_bytes(block[7:11], "little") if flags & 0x8000 or kind in (0x74, 0x7A) else 0
        if kind in (0x74, 0x7A):
            file = _file4(block, flags, at + size)
            if file is None:
                yield RarFault("damaged", f"a file header at {at:,} is cut off")
                return
            data = file.packed
            version = max(version, block[24])
            if kind == 0x74:
                yield file
        at += size + data


def _commented(kind: int, flags: int) -> bool:
    """Whether an old comment stands inside of the header, which its check sum leaves out."""
    return bool(kind == 0x73 and flags & 2) or bool(kind == 0x74 and flags & 8)


def _file4(block: bytes, flags: int, start: int) -> RarFile | None:
    if len(block) < 32:
        return None
    packed, size, host, crc, dos, _, method, named, attributes = struct.unpack_from("<IIBIIBBHI", block, 7)
    at = 32
    if flags & 0x100:
        if len(block) < 40:
            return None
        high_packed, high_size = struct.unpack_from("<II", block, 32)
        packed, size, at = packed | high_packed << 32, size | high_size << 32, 40
    name = block[at : at + named]
    if len(name) < named:
        return None
    at += named + (8 if flags & 0x400 else 0)
    container, times = _times4(dos, block[at:] if flags & 0x1000 else b"")
    mode = attributes & 0xFFFF if host == 3 else 0
    directory = flags & 0xE0 == 0xE0
    text = _name4(name) if flags & 0x200 else name.decode("utf-8", "backslashreplace")
    link = 1 if mode & 0o170000 == 0o120000 else 0
    return RarFile(
        name, text.replace("\\", "/"), size, packed, start, crc, method - 0x30, mode, directory, bool(flags & 4),
        bool(flags & 3), b"", link, container, times,
    )  # fmt: skip


def _name4(stored: bytes) -> str:
    r"""A name in an 8-bit code page, a zero, and what differs from it in UTF-16, packed.

    >>> _name4(b"a\0\x00\x00a"), _name4("ü".encode())
    ('a', 'ü')
    """
    plain, zero, packed = stored.partition(b"\0")
    if not zero or not packed:
        return plain.decode("utf-8", "backslashreplace")
    high, at, flags, bits = packed[0] << 8, 1, 0, 0
    out: list[int] = []
    try:
        while at < len(packed):
            if not bits:
                flags, bits, at = packed[at], 8, at + 1
            bits -= 2
            kind = flags >> bits & 3
            first = packed[at]
            at += 1
            if kind == 3:
                shift = 0
                if first & 0x80:
                    shift, at = packed[at], at + 1
                for _ in range((first & 0x7F) + 2):
                    base = plain[len(out)]
                    out.append(base + shift & 0xFF | high if first & 0x80 else base)
            elif kind == 2:
                out.append(first | packed[at] << 8)
                at += 1
            else:
                out.append(first | (high if kind else 0))
    except IndexError:
        return plain.decode("utf-8", "backslashreplace")
    return struct.pack(f"<{len(out)}H", *out).decode("utf-16-le", "backslashreplace")


def _times4(dos: int, extended: bytes) -> tuple[str, EntryTimes]:
    """The DOS time, and if there are extended times, those, exact to 100 ns: modified, created, accessed."""
    found = [dos_time(dos), None, None]
    if len(extended) < 2:
        return "rar", EntryTimes(found[0])
    flags, at = int.from_bytes(extended[:2], "little"), 2
    for index in range(3):
        bits = flags >> 4 * (3 - index)
        if not bits & 8:
            continue
        if index:
            found[index] = dos_time(int.from_bytes(extended[at : at + 4], "little"))
            at += 4
        count = bits & 3
        fraction = int.from_bytes(extended[at : at + count], "little") << 8 * (3 - count)
        at += count
        base = found[index]
        if base is not None:
            found[index] = base + (SECOND if bits & 4 else 0) + fraction * 100
    return "rar-fine", EntryTimes(found[0], found[2], None, found[1])


class _Fields:
    """Numbers out of a header of version 5: 7 bits a byte, the lowest first; past its end all is 0."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def number(self) -> int:
        value = shift = 0
        while self.at < len(self.data) and shift < 70:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        return value

    def fixed(self, width: int) -> int:
        self.at += width
        return int.from_bytes(self.data[self.at - width : self.at], "little")

    def take(self, length: int) -> bytes:
        self.at += length
        return self.data[self.at - length : self.at]


def headers5(source: ByteSource) -> Iterator[RarFile | RarFault]:
    """File headers of the format of version 5, in order.

    Raises:
        EvidenceError: the archive cannot be read there.
    """
    at = len(MAGIC5)
    while True:
        head = source.read_at(at, 4 + 3)
        if len(head) < 7:
            yield RarFault("truncated", f"ends at {source.size:,} without its last block")
            return
        lead = _Fields(head, 4)
        size = lead.number()
        if not 0 < size <= _MOST_HEADER:
            yield RarFault("damaged", f"a header at {at:,} claims {size:,} bytes; what follows is not listed")
            return
        block = source.read_at(at + 4, lead.at - 4 + size)
        if len(block) < lead.at - 4 + size:
            yield RarFault("truncated", f"a header at {at:,} is cut off")
            return
        if isal_zlib.crc32(block) != int.from_bytes(head[:4], "little"):
            yield RarFault("damaged", f"the CRC-32 of a header at {at:,} does not match; what follows is not listed")
            return
        fields = _Fields(block, lead.at - 4)
        kind, flags = fields.number(), fields.number()
        extra = fields.number() if flags & 1 else 0
        data = fields.number() if flags & 2 else 0
        start = at + 4 + len(block)
        if kind == 4:
            yield RarFault("encrypted", "even the names are encrypted")
            return
        if kind == 5:
            if fields.number() & 1:
                yield RarFault("volume", "is continued in another volume")
            return
        if kind == 2:
            yield _file5(fields, block[len(block) - extra :] if extra <= len(block) else b"", flags, data, start)
        at = start + data


def _file5(fields: _Fields, extra: bytes, flags: int, packed: int, start: int) -> RarFile:
    about, size, attributes = fields.number(), fields.number(), fields.number()
    modified = fields.fixed(4) if about & 2 else 0
    crc = fields.fixed(4) if about & 4 else None
    method = fields.number() >> 7 & 7
    host = fields.number()
    name = fields.take(fields.number())
    records = _records(extra)
    container, times = "rar-unix", EntryTimes(modified * SECOND if modified else None)
    if 3 in records:
        container, times = _times5(_Fields(records[3]), times)
    link_kind, link = 0, b""
    if 5 in records:
        record = _Fields(records[5])
        link_kind, _ = record.number(), record.number()
        link = record.take(record.number())
    if 1 in records:
        crc = None  # may be made dependent on the password
    return RarFile(
        name, name.decode("utf-8", "backslashreplace"), 0 if about & 8 else size, packed, start, crc, method,
        attributes & 0xFFFF if host == 1 else 0, bool(about & 1), 1 in records, bool(flags & 0x18), link, link_kind,
        container, times,
    )  # fmt: skip


def _records(extra: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    fields = _Fields(extra)
    while fields.at < len(extra):
        size = fields.number()
        record = fields.take(size)
        inner = _Fields(record)
        kind = inner.number()
        if not size or len(record) < size:
            break
        found.setdefault(kind, record[inner.at :])
    return found


def _times5(fields: _Fields, otherwise: EntryTimes) -> tuple[str, EntryTimes]:
    flags = fields.number()
    present = [bool(flags & bit) for bit in (2, 4, 8)]
    if not flags & 1:
        times = [filetime_ns(fields.fixed(8)) if one else None for one in present]
        return "rar-windows", EntryTimes(times[0] or otherwise.modified, times[2], None, times[1])
    seconds = [fields.fixed(4) if one else 0 for one in present]
    parts = [fields.fixed(4) & 0x3FFFFFFF if one and flags & 16 else 0 for one in present]
    found = [second * SECOND + part if second else None for second, part in zip(seconds, parts, strict=True)]
    return "rar-unix", EntryTimes(found[0] or otherwise.modified, found[2], None, found[1])
