"""ASF, the container of WMV and WMA (Advanced Systems Format specification 01.20.03): objects with GUID and length."""

from typing import Final
from uuid import UUID

from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import Reader, first_failing

_MIME: Final = "video/x-ms-asf"


def _guid(text: str) -> bytes:
    return UUID(text).bytes_le


_DATA: Final = _guid("75B22636-668E-11CF-A6D9-00AA0062CE6C")
_FILE: Final = _guid("8CABDCA1-A947-11CF-8EE4-00C00C205365")
_BEHIND: Final = frozenset(
    map(
        _guid,
        (
            "33000890-E5B1-11CF-89F4-00A0C90349CB",  # simple index
            "D6E229D3-35DA-11D1-9034-00A0C90349BE",  # index
            "FEB103F8-12AD-4C64-840F-2A1D2F7AD48C",  # media object index
            "3CB73FD0-0C4A-4803-953D-EDF7B6228F0C",  # timecode index
        ),
    )
)
_HEADER_OBJECTS: Final = 512


def walk(reader: Reader, start: int) -> Verdict | None:
    """Follow the objects of the ASF at ``start``. See `formats.Format.walk`.

    Complete if the file properties state the length that was reached and the data packets look like packets.
    """
    header, count = reader.number(start + 16, 8, big=False), reader.number(start + 24, 4, big=False)
    if header < 30 or not 0 < count <= _HEADER_OBJECTS or reader.get(start + 28, 2) != b"\1\2":
        return None
    stated, packet = _properties(reader, start + 30, start + header, count)
    if not stated:
        return None
    at = start + header
    if reader.get(at, 16) != _DATA:
        return Verdict(min(at, reader.end), _MIME, False, f"no data object behind the header at {header}")
    length = reader.number(at + 16, 8, big=False)
    if length < 50 or at + length > reader.end:
        end = min(start + stated, reader.end) if length < 50 else reader.end
        return Verdict(end, _MIME, False, "the length of the data object is not stated, or is more than follows")
    packets = (length - 50) // packet if packet and _is_packet(reader, at + 50) else 0
    broken = first_failing(packets, lambda number: _is_packet(reader, at + 50 + number * packet))
    if broken < packets:
        return Verdict(at + 50 + broken * packet, _MIME, False, f"data packet {broken} of {packets} is not one")
    at += length
    while at - start < stated and reader.get(at, 16) in _BEHIND:
        size = reader.number(at + 16, 8, big=False)
        if size < 24 or at + size > reader.end:
            return Verdict(at, _MIME, False, f"the index at {at - start} is cut off")
        at += size
    if at - start == stated:
        return Verdict(at, _MIME, True, "ends at the length that its header states", checked=packets > 0)
    return Verdict(at, _MIME, False, f"ends at {at - start}, its header states {stated} bytes")


def _properties(reader: Reader, at: int, end: int, count: int) -> tuple[int, int]:
    """Length of the file and of each packet in bytes, from the file properties; zeros if there are none."""
    for _ in range(count):
        size = reader.number(at + 16, 8, big=False)
        if size < 24 or at + size > end:
            return 0, 0
        if reader.get(at, 16) == _FILE and size >= 104:
            smallest, largest = (reader.number(at + place, 4, big=False) for place in (92, 96))
            return reader.number(at + 40, 8, big=False), largest if smallest == largest else 0
        at += size
    return 0, 0


def _is_packet(reader: Reader, at: int) -> bool:
    """Whether a data packet begins here in the common way: with two bytes of error correction data, both zero."""
    return reader.get(at, 3) == b"\x82\0\0"
