"""Multi-Picture Format (CIPA DC-007): where the pictures lie that a camera or phone put behind the first."""

import struct
from typing import Final

NAME: Final = b"MPF\0"
GAP: Final = 1 << 20
"""Bytes that may lie between one picture and the next: they are aligned, and phones put trailers in between."""

_ENTRY: Final = 0xB002
_MOST: Final = 64


def further_pictures(data: bytes, base: int) -> tuple[int, ...]:
    """Offsets of all pictures but the first, ascending, from what stands behind the name in an APP2 segment.

    ``base`` is the offset of ``data``, from which the format counts. Nothing if the index is not one.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return ()
    try:
        (directory,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, directory)
        for i in range(count):
            tag, _, size, value = struct.unpack_from(order + "HHII", data, directory + 2 + 12 * i)
            if tag == _ENTRY:
                entries = [
                    struct.unpack_from(order + "4xII", data, value + 16 * j) for j in range(min(size // 16, _MOST))
                ]
                return tuple(sorted(base + offset for _, offset in entries if offset))
    except struct.error:
        return ()
    return ()
