"""Boxes of ISO base media files (ISO/IEC 14496-12, 4.2)."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from triage.evidence.carving.reader import Reader

_MOST: Final = 4096


class Box(NamedTuple):
    """A box: four letters, where it begins, where its content begins, where it ends (-1: with the file)."""

    kind: bytes
    start: int
    data: int
    end: int


def box_at(reader: Reader, at: int) -> Box | None:
    """The box at ``at``, or `None` if its length is impossible or the source ends."""
    head = reader.get(at, 16)
    if len(head) < 8:
        return None
    size, data = int.from_bytes(head[:4], "big"), 8
    if size == 1:
        size, data = int.from_bytes(head[8:], "big"), 16
    if size == 0:
        return Box(head[4:8], at, at + data, -1)
    return Box(head[4:8], at, at + data, at + size) if size >= data and len(head) >= data else None


def boxes(reader: Reader, at: int, end: int) -> Iterator[Box]:
    """The boxes in ``[at, end)``, up to one that does not fit."""
    for _ in range(_MOST):
        box = box_at(reader, at) if at + 8 <= end else None
        if box is None or box.end > end or box.end < 0:
            return
        yield box
        at = box.end


def inner(reader: Reader, at: int, end: int, *path: bytes) -> Box | None:
    """The first box that is reached by these letters, one level each."""
    found = None
    for kind in path:
        found = next((box for box in boxes(reader, at, end) if box.kind == kind), None)
        if found is None:
            return None
        at, end = found.data, found.end
    return found
