"""Items of HEIF and AVIF pictures: how far into the file they reach (ISO/IEC 14496-12, 8.11.3)."""

from typing import Final

from triage.evidence.carving.boxes import inner
from triage.evidence.carving.reader import Reader

_MOST: Final = 1 << 16
_WIDTHS: Final = frozenset((0, 4, 8))


class _Fields:
    """Numbers one behind the other; -1 for what is not there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, width: int) -> int:
        """The next number of ``width`` bytes."""
        piece = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(piece, "big") if len(piece) == width else -1


def items_end(reader: Reader, start: int, meta: int, end: int) -> int:
    """Offset in the source behind the furthest byte of any item of the file at ``start``; 0 if none is named.

    ``meta`` and ``end`` bound the content of its ``meta`` box, version and flags included.
    """
    box = inner(reader, meta + 4, end, b"iloc")
    if box is None:
        return 0
    fields = _Fields(reader.get(box.data, min(box.end - box.data, 1 << 20)))
    version, _ = fields.take(1), fields.take(3)
    widths = fields.take(2)
    sizes = (widths >> 12 & 15, widths >> 8 & 15, widths >> 4 & 15, widths & 15 if version in (1, 2) else 0)
    if version not in (0, 1, 2) or widths < 0 or not _WIDTHS.issuperset(sizes):
        return 0
    count = fields.take(4 if version == 2 else 2)
    return max((_item(fields, start, version, sizes) for _ in range(min(count, _MOST))), default=0)


def _item(fields: _Fields, start: int, version: int, sizes: tuple[int, int, int, int]) -> int:
    """Behind which byte of the source the next item ends, 0 if it is not stored at an offset of the file."""
    offset_width, length_width, base_width, index_width = sizes
    fields.take(4 if version == 2 else 2)
    method = fields.take(2) & 15 if version else 0
    fields.take(2)
    base = fields.take(base_width)
    furthest = 0
    for _ in range(max(0, min(fields.take(2), _MOST))):
        fields.take(index_width)
        offset, length = fields.take(offset_width), fields.take(length_width)
        if offset < 0 or length < 0:
            break
        if method == 0:
            furthest = max(furthest, start + base + offset + length)
    # Items inside the description itself (method 1) or made of others (2) reach no further than it does.
    return furthest or 1
