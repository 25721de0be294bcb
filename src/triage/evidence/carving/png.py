"""PNG (ISO/IEC 15948): chunks, each with its CRC, from IHDR to IEND."""

import zlib
from typing import Final

from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import BLOCK, Reader

_MIME: Final = "image/png"
_LONGEST: Final = (1 << 31) - 1
_LETTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def walk(reader: Reader, start: int) -> Verdict | None:
    """Follow the chunks of the PNG at ``start``; complete if all CRCs hold and IEND came. See `formats.Format.walk`."""
    at, data = start + 8, False
    while True:
        head = reader.get(at, 8)
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or size > _LONGEST or not _LETTERS.issuperset(kind):
            return _cut(start, at, f"no chunk at {at - start}")
        if (at == start + 8) != (kind == b"IHDR" and size == 13):
            return _cut(start, at, f"chunk {kind.decode()} out of place at {at - start}")
        crc = _crc(reader, at + 4, size + 4)
        if crc < 0 or crc != reader.number(at + 8 + size, 4):
            end = min(at + 12 + size, reader.end)
            return _cut(start, end, f"chunk {kind.decode()} at {at - start} is cut off or its CRC differs", at)
        at += 12 + size
        data = data or kind == b"IDAT"
        if kind == b"IEND":
            return Verdict(at, _MIME, data, "ends with IEND, all CRCs hold" if data else "no picture data before IEND")


def _cut(start: int, end: int, reason: str, sound: int = 0) -> Verdict | None:
    """Not complete; nothing at all if not even the first chunk was right."""
    return Verdict(end, _MIME, False, reason) if (sound or end) > start + 8 else None


def _crc(reader: Reader, at: int, length: int) -> int:
    """CRC-32 of a stretch; -1 if the file ends within."""
    crc, end = 0, at + length
    if end > reader.end:
        return -1
    while at < end:
        piece = reader.get(at, min(BLOCK, end - at))
        crc, at = zlib.crc32(piece, crc), at + len(piece)
    return crc
