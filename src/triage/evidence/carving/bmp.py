"""BMP (Windows bitmap headers of 12, 40, 52, 56, 64, 108 and 124 bytes): the header says how long the file must be."""

import struct
from typing import Final

from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import Reader

_MIME: Final = "image/bmp"
_DEPTHS: Final = frozenset((1, 2, 4, 8, 16, 24, 32))
_RLE: Final = frozenset((1, 2))
_PLAIN: Final = frozenset((0, 3, 6))  # BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS
_PADDING: Final = 4096
"""Bytes by which a file may be longer than its picture: alignment, or a colour profile in long headers."""


def walk(reader: Reader, start: int) -> Verdict | None:
    """Judge the BMP at ``start`` by its header; complete if its size agrees with itself. See `formats.Format.walk`."""
    head = reader.get(start, 54)
    if len(head) < 26:
        return None
    size, pixels, header = struct.unpack_from("<I4xII", head, 2)
    if header == 12:
        width, height, planes, depth = struct.unpack_from("<HHHH", head, 18)
        method, stored = 0, 0
    elif len(head) == 54:
        width, height, planes, depth, method, stored = struct.unpack_from("<iiHHII", head, 18)
        height = abs(height)
    else:
        return None
    if planes != 1 or depth not in _DEPTHS or not 0 < width <= 0xFFFF or not 0 < height <= 0xFFFF:
        return None
    if pixels < 14 + header or method not in _PLAIN | _RLE:
        return None
    needed = (width * depth + 31) // 32 * 4 * height if method in _PLAIN else stored
    slack = _PADDING if header < 124 else 1 << 22
    if not needed or not pixels <= 14 + header + 1024 + slack or not needed <= size - pixels <= needed + slack:
        return None
    end = start + size
    if end > reader.end:
        return Verdict(reader.end, _MIME, False, f"states {size} bytes, more than follow", checked=False)
    return Verdict(end, _MIME, True, "size stated in its header agrees with its dimensions", checked=False)
