"""The two places in which zip names its members: the central directory at its end, and a header before each member.

Reference: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
"""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from triage.evidence.archives.window import Window
from triage.evidence.source import ByteSource, UnreadableBytes

LOCAL: Final = b"PK\3\4"
LOCAL_SIZE: Final = 30
DESCRIBED: Final = 0x0008
"""Flag: sizes and CRC stand behind the data."""
_CENTRAL: Final = b"PK\1\2"
_CENTRAL_SIZE: Final = 46
_END: Final = b"PK\5\6"
_END_SIZE: Final = 22
_END64: Final = b"PK\6\6"
_LOCATOR64: Final = b"PK\6\7"
_TAIL: Final = _END_SIZE + 0xFFFF
_FULL: Final = 0xFFFFFFFF
_MOST_DIRECTORY: Final = 256 << 20
_ZIP64: Final = 1
_CENTRAL_FIELDS: Final = struct.Struct("<HHHHHHIIIHHHHHII")
_LOCAL_FIELDS: Final = struct.Struct("<HHHHHIIIHH")


class ZipRecord(NamedTuple):
    """What one header says. ``offset`` is where the local header lies; ``stored`` and ``size`` are -1 if not known."""

    number: int
    host: int
    flags: int
    method: int
    dos: int
    crc: int
    stored: int
    size: int
    name: bytes
    extra: bytes
    attributes: int
    offset: int
    disk: int


@dataclass(slots=True)
class Directory:
    """A central directory: its bytes, and where in them each record begins, by the offset of what it describes.

    ``shift`` is how much data stands before the archive (a program that unpacks itself). ``missing`` says what is
    wrong: records that are claimed and not there.
    """

    data: bytes
    places: "array[int]"
    shift: int
    start: int
    missing: str = ""
    disk: int = 0

    def __len__(self) -> int:
        return len(self.places)

    def records(self) -> Iterator[ZipRecord]:
        """All members, ordered by where they are stored."""
        offsets = [_offset(self.data, at) for at in self.places]
        order = range(len(offsets))
        if any(map(int.__gt__, offsets, offsets[1:])):
            order = sorted(order, key=offsets.__getitem__)  # type: ignore[assignment]
        for index in order:
            yield central_record(self.data, self.places[index], index + 1, self.shift)


def find_directory(window: Window, most: int) -> Directory | None:
    """The central directory, or `None` if there is none. At most ``most`` records are taken and one more counted."""
    start, tail = _tail(window)
    at = tail.rfind(_END)
    while at >= 0:
        found = _directory_at(window, start + at, tail[at : at + _END_SIZE], most)
        if found is not None:
            return found
        at = tail.rfind(_END, 0, at)
    return None


def _tail(window: Window) -> tuple[int, bytes]:
    """The end of the archive as far as it can be read in one piece, and where that begins."""
    for length in (_TAIL, 4096, 512):
        start = max(0, window.size - length)
        try:
            return start, window.read_at(start, window.size - start)
        except UnreadableBytes:
            continue
    return window.size, b""


def _directory_at(window: Window, end: int, record: bytes, most: int) -> Directory | None:
    if len(record) < _END_SIZE:
        return None
    disk, _, _, count, size, offset = struct.unpack_from("<HHHHII", record, 4)
    position = end
    wide = _end64(window, end)
    if wide is not None:
        position, disk, count, size, offset = wide
    start = position - size
    # With data before the archive, offsets count from where it begins.
    shift = start - offset
    if start < 0 or shift < 0 or (count and window.read_at(start, 4) != _CENTRAL):
        if window.read_at(offset, 4) != _CENTRAL:
            return None
        start, shift = offset, 0  # something stands between the directory and its end
    if size > _MOST_DIRECTORY:
        return Directory(b"", array("Q"), shift, start, f"its directory claims {size:,} bytes", disk)
    data = window.read_at(start, min(size, window.size - start))
    places = _places(data, most)
    missing = "" if len(places) == count or len(places) > most else f"{count:,} members claimed, {len(places):,} found"
    # Without zip64 the count wraps around at 2^16.
    if position == end and (len(places) & 0xFFFF) == count:
        missing = ""
    return Directory(data, places, shift, start, missing, disk)


def _end64(window: Window, end: int) -> tuple[int, int, int, int, int] | None:
    locator = window.read_at(end - 20, 20)
    if locator[:4] != _LOCATOR64:
        return None
    (stated,) = struct.unpack_from("<Q", locator, 8)
    for position in (end - 20 - 56, stated):
        record = window.read_at(position, 56)
        if record[:4] == _END64 and len(record) == 56:
            disk = struct.unpack_from("<I", record, 16)[0]
            count, size, offset = struct.unpack_from("<QQQ", record, 32)
            return position, disk, count, size, offset
    return None


def _places(data: bytes, most: int) -> "array[int]":
    places = array("Q")
    at, end = 0, len(data) - _CENTRAL_SIZE
    while at <= end and data[at : at + 4] == _CENTRAL and len(places) <= most:
        name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
        following = at + _CENTRAL_SIZE + name + extra + comment
        if following > len(data):
            break
        places.append(at)
        at = following
    return places


def _offset(data: bytes, at: int) -> int:
    offset: int = struct.unpack_from("<I", data, at + 42)[0]
    return central_record(data, at, 0, 0).offset if offset == _FULL else offset


def central_record(data: bytes, at: int, number: int, shift: int) -> ZipRecord:
    """The record at ``at`` of a directory."""
    made, _, flags, method, clock, day, crc, stored, size, named, extended, _, disk, _, attributes, offset = (
        _CENTRAL_FIELDS.unpack_from(data, at + 4)
    )
    start = at + _CENTRAL_SIZE
    extra = data[start + named : start + named + extended]
    if _FULL in (stored, size, offset) or disk == 0xFFFF:
        stored, size, offset, disk = _wide(extra, stored, size, offset, disk)
    return ZipRecord(
        number,
        made >> 8,
        flags,
        method,
        day << 16 | clock,
        crc,
        stored,
        size,
        data[start : start + named],
        extra,
        attributes,
        offset + shift,
        disk,
    )


def _wide(extra: bytes, stored: int, size: int, offset: int, disk: int) -> tuple[int, int, int, int]:
    """Replace those fields that are all ones by the 64-bit numbers of the zip64 extra field, which has only those."""
    field = _field(extra, _ZIP64)
    values = [size, stored, offset]
    at = 0
    for index, value in enumerate(values):
        if value == _FULL and at + 8 <= len(field):
            (values[index],) = struct.unpack_from("<Q", field, at)
            at += 8
    if disk == 0xFFFF and at + 4 <= len(field):
        (disk,) = struct.unpack_from("<I", field, at)
    return values[1], values[0], values[2], disk


def _field(extra: bytes, wanted: int) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == wanted:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return b""


def local_record(source: ByteSource, at: int, number: int) -> tuple[ZipRecord, int] | None:
    """The local header at ``at`` and where its data begins, or `None` if there is no (whole) header."""
    head = source.read_at(at, LOCAL_SIZE)
    if len(head) < LOCAL_SIZE or head[:4] != LOCAL:
        return None
    _, flags, method, clock, day, crc, stored, size, named, extended = _LOCAL_FIELDS.unpack_from(head, 4)
    rest = source.read_at(at + LOCAL_SIZE, named + extended)
    if len(rest) < named + extended:
        return None
    extra = rest[named:]
    if _FULL in (stored, size):
        stored, size, _, _ = _wide(extra, stored, size, 0, 0)
    if flags & DESCRIBED and not (stored or size):
        stored = size = -1
    record = ZipRecord(number, 0, flags, method, day << 16 | clock, crc, stored, size, rest[:named], extra, 0, at, 0)
    return record, at + LOCAL_SIZE + named + extended
