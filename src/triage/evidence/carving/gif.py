"""GIF 87a and 89a (CompuServe, 1990): blocks up to the trailer."""

from typing import Final

from triage.evidence.carving.found import Verdict
from triage.evidence.carving.reader import Reader

_MIME: Final = "image/gif"
_IMAGE: Final = 0x2C
_EXTENSION: Final = 0x21
_TRAILER: Final = 0x3B
_LABELS: Final = frozenset((0x01, 0xF9, 0xFE, 0xFF))  # plain text, graphic control, comment, application


def walk(reader: Reader, start: int) -> Verdict | None:
    """Follow the blocks of the GIF at ``start``; complete with a trailer behind an image. See `formats.Format.walk`."""
    screen = reader.get(start + 6, 7)
    if len(screen) < 7 or not int.from_bytes(screen[:2], "little") or not int.from_bytes(screen[2:4], "little"):
        return None
    at, images = start + 13 + _table(screen[4]), 0
    while True:
        kind = reader.number(at, 1)
        if kind == _TRAILER and images:
            return Verdict(at + 1, _MIME, True, "ends with the trailer")
        after = _block(reader, at, kind)
        if after < 0:
            # A header alone is six letters and says nothing.
            sound = images or at > start + 13 + _table(screen[4])
            return Verdict(max(at, -after), _MIME, False, f"no block at {at - start}") if sound else None
        images += kind == _IMAGE
        at = after


def _block(reader: Reader, at: int, kind: int) -> int:
    """Where the block at ``at`` ends; negative, up to where it could be followed, if it breaks."""
    if kind == _EXTENSION and reader.number(at + 1, 1) in _LABELS:
        return _chain(reader, at + 2)
    if kind != _IMAGE:
        return -at
    descriptor = reader.get(at, 10)
    if len(descriptor) < 10 or not any(descriptor[5:7]) or not any(descriptor[7:9]):
        return -at
    data = at + 10 + _table(descriptor[9])
    if not 1 <= reader.number(data, 1) <= 8:  # minimum code size of LZW
        return -at
    return _chain(reader, data + 1)


def _chain(reader: Reader, at: int) -> int:
    """Where a chain of sub-blocks ends: behind the empty one; negative where the source ends before."""
    run, base = reader.run(at), at
    while True:
        if at - base >= len(run):
            run, base = reader.run(at), at
            if not run:
                return -reader.end
        length = run[at - base]
        at += length + 1
        if not length:
            return at


def _table(packed: int) -> int:
    """Length in bytes of the colour table that a packed field announces."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0
